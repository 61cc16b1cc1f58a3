"""Paperround: trending papers in your inbox, chosen by each reader's own filters."""

from importlib.metadata import version

__version__ = version("paperround")
