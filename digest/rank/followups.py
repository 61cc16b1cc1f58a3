"""What became of papers that a reader was sent: code appeared, a venue has them, or they were withdrawn.

arXiv keeps a withdrawn paper and puts a notice in the place of its abstract, or before or behind it; journals and their
indexes put a word before its title (arXiv's and Crossref's pages on withdrawals, read 2026-11-22).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from digest.model import FollowUpKind, LinkKind, Paper, PaperKey, Sent

MOST = 20
"""So many papers are followed up in one edition at most; the others wait for the next."""

_KINDS = tuple(FollowUpKind)
_MOST_KNOWN = 2_000
_standing: dict[int, tuple[Paper, tuple[FollowUpKind, ...]]] = {}
_WORK = r"(?:paper|article|preprint|manuscript|submission|work|chapter|abstract|study|draft|note)"
# What is withdrawn from a conference stays on a preprint server.
_GONE = r"(?:withdrawn|retracted)\b(?! from (?!(?:arX|bioRx|medRx)iv))"
_REASON = r"(?:by|due|because|as(?! an?\b)|pending|at the request|from (?:arX|bioRx|medRx)iv)\b"
# A sentence may go on, as with "within days"; authors' remarks stand before the abstract, often without a stop.
_ENDS = rf"(?=\W*$|\s*[^\w\s]|\s+{_REASON})"
_TITLE = re.compile(rf"\W*{_GONE}(?: {_WORK})?\s*[:\])]", re.IGNORECASE)
_IS = r"(?:(?:has|had) (?:now )?been|was|is(?: being)?) (?:\w+ )?"
# Where a sentence begins, so that a study of retractions is not taken for one; further on, "the paper" is another.
_NOTICE = re.compile(
    rf"(?:^\W*|\[)the {_WORK} {_IS}{_GONE}{_ENDS}"
    r"|(?:^\W*|[.!?:)\]*]\s+|\[)(?:"
    rf"this {_WORK} {_IS}{_GONE}"
    rf"|{_WORK} (?:has been |was |is )?{_GONE}{_ENDS}"
    r"|notice of retraction\b"
    rf"|the authors? (?:have |has )?(?:withdrawn|withdrew|retracted|withdraw|retract) th(?:is|eir|e) {_WORK}\b"
    r")",
    re.IGNORECASE,
)
_BARE_NOTICE = re.compile(rf"\W*{_GONE}(?:\W*$|[.:]| (?:{_REASON}|for\b))", re.IGNORECASE)


def is_withdrawn(paper: Paper) -> bool:
    """Whether its own title or abstract says so: then it is no news, and who was sent it should know."""
    return bool(_TITLE.match(paper.title)) or says_withdrawn(paper.abstract)


def says_withdrawn(text: str) -> bool:
    """Whether an abstract, or what authors remark, holds such a notice."""
    lowered = text.lower()
    # Most say nothing of it, and need no pattern to tell.
    if "withdr" not in lowered and "retract" not in lowered:
        return False
    return bool(_BARE_NOTICE.match(text) or _NOTICE.search(text))


def standing_of(paper: Paper) -> tuple[FollowUpKind, ...]:
    """What there is to tell of a paper by now, in the order of `FollowUpKind`."""
    # Each reader's edition asks anew of the same few papers.
    known = _standing.get(id(paper))
    if known is not None and known[0] is paper:
        return known[1]
    holds = {
        FollowUpKind.CODE: paper.link(LinkKind.CODE) is not None,
        FollowUpKind.ACCEPTED: bool(paper.venue),
        FollowUpKind.WITHDRAWN: is_withdrawn(paper),
    }
    standing = tuple(kind for kind in _KINDS if holds[kind])
    if len(_standing) >= _MOST_KNOWN:
        _standing.clear()
    _standing[id(paper)] = paper, standing
    return standing


def read_kinds(said: Any) -> tuple[FollowUpKind, ...] | None:
    """What a place in an edition says of these; ``None`` if it does not, as in those of older releases."""
    if not isinstance(said, list):
        return None
    return tuple(kind for kind in _KINDS if kind in said) if said else ()


def read_told(history: Iterable[Sent]) -> dict[PaperKey, tuple[FollowUpKind, ...]]:
    """What a reader knows of each paper that they were sent, the one sent last first: what it had then, and what they
    were told of it later. Papers of which no place says what they had are left out.

    Args:
        history: Their places in accepted editions, oldest edition first.
    """
    told: dict[PaperKey, tuple[FollowUpKind, ...]] = {}
    for sent in history:
        key, why = sent.placed.paper, sent.placed.why
        had = read_kinds(why.get("had"))
        if had is not None:
            # Whatever was sent again moves to the end.
            told[key] = told.pop(key, ()) + had
        elif key in told:
            told[key] += read_kinds(why.get("kinds")) or ()
    return dict(reversed(told.items()))


def find_news(
    told: Mapping[PaperKey, Collection[FollowUpKind]], standing: Mapping[PaperKey, Sequence[FollowUpKind]]
) -> dict[PaperKey, tuple[FollowUpKind, ...]]:
    """What to tell of papers now: what holds of them and was not told, each paper once, at most `MOST` of them.

    Args:
        told: What the reader knows of each paper; see `read_told`.
        standing: What holds of each by now, see `standing_of`; of a paper that is left out there is no news.

    Returns:
        Withdrawn papers first, else in the order of ``told``.
    """
    news = {
        key: kinds
        for key, had in told.items()
        if (holds := standing.get(key)) and (kinds := tuple(kind for kind in holds if kind not in had))
    }
    order = sorted(news, key=lambda key: FollowUpKind.WITHDRAWN not in news[key])
    return {key: news[key] for key in order[:MOST]}
