"""What one run may ask of the world, and the world of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of time, size and number; the defaults suit everybody, tests are in more of a hurry."""

    deadline_s: float = 120.0
    """For one source in all, waiting for its turn at a shared host not counted."""
    connect_s: float = 10.0
    read_s: float = 30.0
    """Longest silence within an answer."""
    body_bytes: int = 20 * 1024 * 1024
    """Of one decoded body."""
    expansion: int = 200
    """How many times larger than on the wire a decoded body may be."""
    pages: int = 500
    """Of one source in one poll."""
    entries: int = 20_000
    """Of one source in one poll."""
    redirects: int = 5
    tries: int = 4
    backoff_s: float = 2.0
    """Before the second try; doubled before each further one, plus up to as much at random."""
    backoff_max_s: float = 30.0
    # arXiv asks for one connection, and one request every three seconds, over all its hosts together:
    # https://info.arxiv.org/help/api/tou.html
    arxiv_spacing_s: float = 3.0
    spacing_s: float = 0.0
    """Between requests to any other host."""
    # What these publish; see the sources that ask them.
    host_spacing_s: tuple[tuple[str, float], ...] = (
        ("api.semanticscholar.org", 1.0),
        ("eutils.ncbi.nlm.nih.gov", 0.4),
    )
    """Between requests to hosts that want more."""
    problems: int = 20
    """Lines reported of one source."""
