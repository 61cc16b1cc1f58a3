"""Takes an edition apart into the places that the ledger keeps, and puts it together again.

What a place says beside the paper, ready for JSON, each key only where there is something to say:

- ``matched``, ``trending``, ``rising`` and ``rest``: ``had`` (what there was to tell of the paper by then, so that it
  can be followed up; see `digest.rank.followups`);
- ``matched``: ``topics`` (names, the one it counts to first), ``authors`` (followed ones who hit, as the reader wrote
  them), ``near`` (how near it is to what each topic describes), ``score`` (its parts), ``labels`` and, for a
  paper carried over, ``carried`` (the date of the edition that only named it);
- ``rising``: ``signal``, ``before``, ``now`` and ``since``;
- ``followup``: ``kinds`` (what became of it);
- ``near``: ``topic`` and ``missing``.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypedDict

from digest.model import (
    SIGNALS,
    Edition,
    Evidence,
    Field,
    FollowUp,
    FollowUpKind,
    Label,
    LabelKind,
    Match,
    NearMiss,
    Paper,
    PaperKey,
    Placed,
    Rise,
    Score,
    TopicMatch,
)
from digest.rank.followups import read_kinds, standing_of

IN_FULL = ("matched", "trending", "rising")
SENT = (*IN_FULL, "rest")
"""Sections whose papers count as sent. Those of `AGAIN` were sent before, and those that are ``near`` are only named,
with what they miss."""
AGAIN = ("followup", "updated")
"""Sections that tell what became of papers that were sent."""

_PARTS = tuple(each.name for each in fields(Score))
_read_parts = attrgetter(*_PARTS)
_LABELS = frozenset(kind.value for kind in LabelKind)
_LARGEST = sys.float_info.max


class Contents(TypedDict):
    """What an edition holds: arguments of `Edition`."""

    matched: tuple[Match, ...]
    trending: tuple[Paper, ...]
    rising: tuple[Rise, ...]
    rest: tuple[Paper, ...]
    follow_ups: tuple[FollowUp, ...]
    updated: tuple[Paper, ...]
    near_misses: tuple[NearMiss, ...]


def placements(edition: Edition) -> tuple[Placed, ...]:
    """Every place of an edition, section by section, in order."""
    return (
        *(Placed("matched", match.paper.key, _say_match(match)) for match in edition.matched),
        *(Placed("trending", paper.key, _say_paper(paper)) for paper in edition.trending),
        *(Placed("rising", rise.paper.key, _say_rise(rise)) for rise in edition.rising),
        *(Placed("rest", paper.key, _say_paper(paper)) for paper in edition.rest),
        *(Placed("followup", each.paper.key, {"kinds": [*each.kinds]}) for each in edition.follow_ups),
        *(Placed("updated", paper.key) for paper in edition.updated),
        *(
            Placed("near", near.paper.key, {"topic": near.topic, "missing": near.missing})
            for near in edition.near_misses
        ),
    )


def bring_up_to_date(placed: Sequence[Placed], papers: Mapping[PaperKey, Paper]) -> tuple[Placed, ...]:
    """The places as they are told now, some time after they were chosen: each says what there is to tell of its paper
    by now, and what was withdrawn since is left out, as it is no news, unless nothing else is sent.

    Args:
        placed: In the order of `placements`.
        papers: By the keys in the places; of those that are missing nothing is changed.
    """
    standing = {key: standing_of(paper) for key, paper in papers.items()}
    news = [
        place
        for place in placed
        if place.section in AGAIN or FollowUpKind.WITHDRAWN not in standing.get(place.paper, ())
    ]
    kept = news if any(place.section in SENT for place in news) else placed
    return tuple(
        replace(place, why={**place.why, "had": [*standing[place.paper]]})
        if place.section in SENT and place.paper in standing
        else place
        for place in kept
    )


def restore(
    placed: Sequence[Placed],
    papers: Mapping[PaperKey, Paper],
    judge: Callable[[Paper], tuple[TopicMatch, ...]],
) -> Contents:
    """Put an edition together again; whatever a place does not say, or says in a way unknown here, is left out.

    Args:
        placed: In the order of `placements`. Of several that have become one paper the first counts.
        papers: By the keys in the places; those that are missing are left out.
        judge: Finds the evidence again, and the topics where the place names none.
    """
    sections = defaultdict[str, list[tuple[Placed, Paper]]](list)
    taken: set[PaperKey] = set()
    for place in placed:
        paper = papers.get(place.paper)
        if paper and paper.key not in taken:
            taken.add(paper.key)
            sections[place.section].append((place, paper))
    rising = [(paper, _read_rise(place, paper)) for place, paper in sections["rising"]]
    # A paper whose growth is not known is owed all the same.
    trending = [*(paper for _, paper in sections["trending"]), *(paper for paper, rise in rising if not rise)]
    return Contents(
        matched=tuple(_read_match(place, paper, judge(paper)) for place, paper in sections["matched"]),
        trending=tuple(trending),
        rising=tuple(rise for _, rise in rising if rise),
        rest=tuple(paper for _, paper in sections["rest"]),
        follow_ups=tuple(news for place, paper in sections["followup"] if (news := _read_follow_up(place, paper))),
        updated=tuple(paper for _, paper in sections["updated"]),
        near_misses=tuple(near for place, paper in sections["near"] if (near := _read_near(place, paper))),
    )


def read_topics(placed: Placed) -> tuple[str, ...]:
    """Names of the topics that wanted a matched paper, the one it counts to first; empty if that is not known."""
    return _texts(placed.why.get("topics"))


def read_authors(placed: Placed) -> tuple[str, ...]:
    """Followed authors of a matched paper, as the reader wrote them."""
    return _texts(placed.why.get("authors"))


def read_nearness(placed: Placed) -> dict[str, float]:
    """How near a matched paper is to what its topics describe, from 0 to 1, by their names."""
    near = placed.why.get("near")
    return {str(topic): _number(value) for topic, value in near.items()} if isinstance(near, Mapping) else {}


def find_followed(topics: Iterable[TopicMatch]) -> tuple[str, ...]:
    """The followed authors who hit, as the reader wrote them, each once."""
    return tuple(dict.fromkeys(hit.term for topic in topics for hit in topic.evidence if hit.field is Field.AUTHOR))


def _say_match(match: Match) -> dict[str, Any]:
    said: dict[str, Any] = {"topics": [topic.topic for topic in match.topics]}
    fields = {hit.field for topic in match.topics for hit in topic.evidence}
    if Field.AUTHOR in fields:
        said["authors"] = [*find_followed(match.topics)]
    if Field.MEANING in fields:
        near = {
            topic.topic: nearness
            for topic in match.topics
            for hit in topic.evidence
            if hit.field is Field.MEANING and (nearness := _nearness(hit))
        }
        said |= {"near": near} if near else {}
    if score := {part: value for part, value in zip(_PARTS, _read_parts(match.score), strict=True) if value}:
        said["score"] = score
    if match.labels:
        said["labels"] = [{"kind": label.kind, "name": label.name, "number": label.number} for label in match.labels]
        carried = next((label.name for label in match.labels if label.kind is LabelKind.CARRIED), "")
        said |= {"carried": carried} if carried else {}
    said["had"] = [*standing_of(match.paper)]
    return said


def _say_paper(paper: Paper) -> dict[str, Any]:
    return {"had": [*standing_of(paper)]}


def _nearness(hit: Evidence) -> float:
    """What evidence says of nearness; 0 if it is no number."""
    try:
        return _number(float(hit.found))
    except ValueError:
        return 0.0


def _say_rise(rise: Rise) -> dict[str, Any]:
    grown = {"signal": rise.signal, "before": rise.before, "now": rise.now, "since": rise.since.isoformat()}
    return grown | _say_paper(rise.paper)


def _read_match(placed: Placed, paper: Paper, found: tuple[TopicMatch, ...]) -> Match:
    evidence = {topic.topic: topic.evidence for topic in found}
    named = tuple(TopicMatch(name, evidence.get(name, ())) for name in read_topics(placed))
    score = placed.why.get("score")
    labels = placed.why.get("labels")
    return Match(
        paper=paper,
        topics=named or found,
        score=Score(**{part: _number(score.get(part)) for part in _PARTS}) if isinstance(score, Mapping) else Score(),
        labels=tuple(label for each in labels if (label := _read_label(each))) if isinstance(labels, list) else (),
    )


def _read_label(said: object) -> Label | None:
    match said:
        case {"kind": str(kind), "name": str(name), "number": int(number)} if kind in _LABELS:
            return Label(LabelKind(kind), name, number)
        case _:
            return None


def _read_rise(placed: Placed, paper: Paper) -> Rise | None:
    match placed.why:
        case {"signal": str(signal), "before": int(before), "now": int(now), "since": str(text)} if signal in SIGNALS:
            try:
                since = datetime.fromisoformat(text)
                since = since.astimezone(UTC) if since.tzinfo else since.replace(tzinfo=UTC)
            except (ValueError, OverflowError):
                return None
            return Rise(paper=paper, signal=signal, before=before, now=now, since=since)
        case _:
            return None


def _read_follow_up(placed: Placed, paper: Paper) -> FollowUp | None:
    kinds = read_kinds(placed.why.get("kinds"))
    return FollowUp(paper=paper, kinds=kinds) if kinds else None


def _read_near(placed: Placed, paper: Paper) -> NearMiss | None:
    match placed.why:
        case {"topic": str(topic), "missing": str(missing)}:
            return NearMiss(paper=paper, topic=topic, missing=missing)
        case _:
            return None


def _texts(said: object) -> tuple[str, ...]:
    return tuple(each for each in said if isinstance(each, str)) if isinstance(said, list) else ()


def _number(said: object) -> float:
    """A finite number, which an integer of many digits and ``NaN`` are not."""
    return float(said) if isinstance(said, int | float) and -_LARGEST <= said <= _LARGEST else 0.0
