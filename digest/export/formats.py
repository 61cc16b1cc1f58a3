"""The kinds of files that are written; on its own, so that ``digest --help`` loads nothing else."""

from enum import StrEnum


class Format(StrEnum):
    """What can be written."""

    SITE = "site"
    """Pages with their style and logo."""
    ATOM = "atom"
    JSON = "json"
    BIBTEX = "bibtex"
    RIS = "ris"
