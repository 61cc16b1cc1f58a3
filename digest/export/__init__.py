"""The editions of a subscriber as files for everyone: a web archive, feeds, and references."""
