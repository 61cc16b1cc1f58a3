"""Why a paper is in the mail, in words: what hit, what its score is made of, what is worth a word about it."""

import math
import re
from collections.abc import Sequence
from datetime import date
from typing import assert_never
from zoneinfo import ZoneInfo

from digest.model import Evidence, Field, Label, LabelKind, NearMiss, Rise, Score, TopicMatch
from digest.render.words import listed, nowrap, ordinal, plain, plural, short_date, weekday

_HITS_SHOWN = 6
_LABELS_SHOWN = 3
_WEEK = range(1, 7)
"""So many days back, the name of a weekday says which is meant."""
_QUOTED = (Field.TITLE, Field.ABSTRACT, Field.VENUE)
_PHRASES = {
    Field.TITLE: "{} in the title",
    Field.ABSTRACT: "{} in the abstract",
    Field.AUTHOR: "by {}",
    Field.CATEGORY: "listed in {}",
    Field.VENUE: "{} in the venue",
    Field.SOURCE: "listed by {}",
    Field.MEANING: "near to {}",
}


def say_evidence(match: TopicMatch) -> str:
    """What hit: ``“CLIP” in the title, by Ada Lovelace``; the first few, and how many more."""
    found: dict[Field, dict[str, str]] = {field: {} for field in Field}
    for hit in match.evidence[:_HITS_SHOWN]:
        text = _say_hit(hit)
        found[hit.field].setdefault(text.casefold(), text)
    phrases = [_PHRASES[field].format(listed(list(texts.values()))) for field, texts in found.items() if texts]
    left = len(match.evidence) - _HITS_SHOWN
    return ", ".join([*phrases, f"{left} more"] if left > 0 else phrases)


def say_score(score: Score) -> str:
    """The sum: ``9.4 = words 6 + author 5 + trend 0.8 + recent 0.6 − less 3``; empty if no part counts.

    The total is rounded to a tenth, and the parts up or down so that they add up to it.
    """
    parts = {
        "words": score.match,
        "author": score.follow,
        "relevance": score.relevance,
        "trend": score.trend,
        "recent": score.recency,
        "less": score.less,
    }
    tenths = {name: math.floor(10 * value) for name, value in parts.items()}
    total = round(10 * sum(parts.values()))
    by_remainder = sorted(parts, key=lambda name: tenths[name] - 10 * parts[name])
    for name in by_remainder[: total - sum(tenths.values())]:
        tenths[name] += 1
    said = [(_sign(number), nowrap(f"{name} {_amount(number)}")) for name, number in tenths.items() if number]
    if not said:
        return ""
    first = said[0][0].removeprefix("+") + said[0][1]
    return " ".join([f"{_sign(total).removeprefix('+')}{_amount(total)} = {first}", *map(" ".join, said[1:])])


def say_labels(labels: Sequence[Label], day: date) -> tuple[str, ...]:
    """What is worth a word about a matched paper, in the edition of this day."""
    return tuple(_say_label(label, day) for label in labels[:_LABELS_SHOWN])


def say_growth(rise: Rise, zone: ZoneInfo) -> str:
    """How an older paper took off: ``12 → 87 upvotes since Mon 16 Nov``, where the reader lives."""
    since = rise.since.astimezone(zone).date()
    grown = plural(rise.now, plain(rise.signal, 20).removesuffix("s"))
    return f"{rise.before:,} → {grown} since {weekday(since)[:3]} {short_date(since)}"


def say_missing(near: NearMiss) -> str:
    """What kept a paper out: ``Retrieval, without “reranking”``."""
    phrase = re.fullmatch(r'"([^"]*)"', near.missing)
    return f"{plain(near.topic, 80)}, without “{plain(phrase[1] if phrase else near.missing, 80)}”"


def _say_hit(hit: Evidence) -> str:
    if hit.field is Field.MEANING:
        subject = plain(hit.term, 60)
        return (f"“{subject}”" if subject else "the examples") + (f" ({plain(hit.found, 60)})" if hit.found else "")
    text = plain(hit.found or hit.term, 60)
    return f"“{text}”" if hit.field in _QUOTED else text


def _sign(tenths: int) -> str:
    return "−" if tenths < 0 else "+"


def _amount(tenths: int) -> str:
    return f"{abs(tenths) / 10:,.1f}".removesuffix(".0")


def _say_label(label: Label, day: date) -> str:
    name = plain(label.name, 80)
    match label.kind:
        case LabelKind.FIRST_BY:
            return f"first paper here by {name}"
        case LabelKind.NTH_ON:
            return f"{ordinal(label.number)} on {name} this month"
        case LabelKind.CARRIED:
            return _say_carried(label.name, day)
        case _:
            assert_never(label.kind)


def _say_carried(iso_date: str, day: date) -> str:
    try:
        listed_on = date.fromisoformat(iso_date)
    except ValueError:
        # Labels come back from the database.
        return "from an earlier list"
    return f"from {weekday(listed_on)}’s list" if (day - listed_on).days in _WEEK else f"from {short_date(listed_on)}"
