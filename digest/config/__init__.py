"""What the operator wrote: settings from the environment, sources and subscribers from a file."""
