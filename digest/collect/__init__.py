"""Reading what sources list: one polite client, and a parser for each kind of source."""
