"""Why a paper is in the mail, in the reader's words: what hit, what its score is made of, what became of it since."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import assert_never
from zoneinfo import ZoneInfo

from digest.model import (
    Evidence,
    Field,
    FollowUpKind,
    Growth,
    Label,
    LabelKind,
    NearMiss,
    Paper,
    Rise,
    Schedule,
    Score,
    TopicMatch,
)
from digest.rank.sparkline import draw_sparkline
from digest.render.language import Language
from digest.render.words import nowrap, plain

_HITS_SHOWN = 6
_LABELS_SHOWN = 3
_WEEK = range(1, 7)
"""So many days back, the name of a weekday says which is meant."""
_QUOTED = (Field.TITLE, Field.ABSTRACT, Field.VENUE)
_BARS_SHOWN = 14
_SIMPLE = re.compile(
    r"(?P<minute>\d{1,2}) (?P<hour>\d{1,2}) (?P<of_month>\*|L|\d{1,2}) \* (?P<of_week>\*|1-5|[0-7](?:,[0-7])*)"
)
"""A cron expression of a time, and either days of the week or a day of the month."""
_A_MONDAY = date(2026, 11, 23)


def _phrase(field: Field, what: str, language: Language) -> str:
    match field:
        case Field.TITLE:
            return language.say("%(what)s in the title", what=what)
        case Field.ABSTRACT:
            return language.say("%(what)s in the abstract", what=what)
        case Field.AUTHOR:
            return language.say("by %(what)s", what=what)
        case Field.CATEGORY:
            return language.say("listed in %(what)s", what=what)
        case Field.VENUE:
            return language.say("%(what)s in the venue", what=what)
        case Field.SOURCE:
            return language.say("listed by %(what)s", what=what)
        case Field.MEANING:
            return language.say("near to %(what)s", what=what)
        case _:
            assert_never(field)


def say_evidence(match: TopicMatch, language: Language) -> str:
    """What hit: ``“CLIP” in the title, by Ada Lovelace``; the first few, and how many more."""
    found: dict[Field, dict[str, str]] = {field: {} for field in Field}
    for hit in match.evidence[:_HITS_SHOWN]:
        text = _say_hit(hit, language)
        found[hit.field].setdefault(text.casefold(), text)
    phrases = [_phrase(field, language.listed([*texts.values()]), language) for field, texts in found.items() if texts]
    left = len(match.evidence) - _HITS_SHOWN
    if left > 0:
        phrases.append(language.count("%(num)s more", "%(num)s more", left))
    return language.say(", ").join(phrases)


def say_score(score: Score, language: Language) -> str:
    """The sum: ``9.4 = words 4 + author 5 + trend 0.8 + recent 0.6 − less 1``; empty if no part counts.

    Each part is rounded to a tenth, and the total is the sum of what is said.
    """
    parts = (score.match, score.follow, score.relevance, score.trend, score.recency, score.less)
    tenths = [round(10 * part) for part in parts]
    said = [_say_part(place, number, language) for place, number in enumerate(tenths) if number]
    if not said:
        return ""
    total = sum(tenths)
    first = said[0].removeprefix("+ ").replace("− ", "−")
    return " ".join([f"{'−' if total < 0 else ''}{language.number(abs(total) / 10)} = {first}", *said[1:]])


@lru_cache(maxsize=4_096)
def _say_part(place: int, tenths: int, language: Language) -> str:
    """``− less 3``."""
    name = _score_words(language)[place]
    return f"{'−' if tenths < 0 else '+'} " + nowrap(f"{name} {language.number(abs(tenths) / 10)}")


@lru_cache(maxsize=64)
def _score_words(language: Language) -> tuple[str, ...]:
    say = language.say
    return say("words"), say("author"), say("relevance"), say("trend"), say("recent"), say("less")


def say_labels(labels: Sequence[Label], day: date, language: Language) -> tuple[str, ...]:
    """What is worth a word about a matched paper, in the edition of this day."""
    return tuple(_say_label(label, day, language) for label in labels[:_LABELS_SHOWN])


def say_growth(rise: Rise, zone: ZoneInfo, language: Language) -> str:
    """How an older paper took off: ``12 → 87 upvotes since Fri 16 Nov``, where the reader lives."""
    return language.say(
        "%(before)s → %(now)s since %(date)s",
        before=language.number(rise.before),
        now=say_signal(rise.signal, rise.now, language),
        date=language.weekday_date(rise.since.astimezone(zone).date()),
    )


def say_signal(name: str, number: int, language: Language) -> str:
    """``1 upvote``, ``1,234 stars``, ``87 points on Hacker News``."""
    match name:
        case "upvotes":
            return language.count("%(num)s upvote", "%(num)s upvotes", number)
        case "comments":
            return language.count("%(num)s comment", "%(num)s comments", number)
        case "stars":
            return language.count("%(num)s star", "%(num)s stars", number)
        case "points":
            return language.count("%(num)s point on Hacker News", "%(num)s points on Hacker News", number)
        case "citations":
            return language.count("%(num)s citation", "%(num)s citations", number)
        case _:
            return f"{language.number(number)} {plain(name, 20)}"


def say_discussed(paper: Paper, language: Language) -> str:
    """``14 comments, 87 points on Hacker News``; empty if neither is known."""
    counts = {"comments": paper.signals.comments, "points": paper.signals.points}
    return language.say(", ").join(say_signal(name, number, language) for name, number in counts.items() if number)


def say_grown(growth: Growth, zone: ZoneInfo, language: Language) -> str:
    """How a signal grew, with its line: ``▁▂▄█ +93 since Mon 16 Nov``; empty if it did not."""
    more = growth.counts[-1] - growth.counts[0]
    if more <= 0:
        return ""
    day = language.weekday_date(growth.since.astimezone(zone).date())
    line = draw_sparkline(growth.counts[-_BARS_SHOWN:])
    return nowrap(f"{line} " + language.say("+%(more)s since %(date)s", more=language.number(more), date=day))


def say_follow_up(kinds: Sequence[FollowUpKind], paper: Paper, language: Language) -> str:
    """What became of a paper: ``code appeared, accepted at ICLR 2027``."""
    return language.say(", ").join(_say_news(kind, paper, language) for kind in kinds)


def _say_news(kind: FollowUpKind, paper: Paper, language: Language) -> str:
    match kind:
        case FollowUpKind.CODE:
            return language.say("code appeared")
        case FollowUpKind.ACCEPTED:
            return language.say("accepted at %(venue)s", venue=plain(paper.venue, 80))
        case FollowUpKind.WITHDRAWN:
            return language.say("withdrawn")
        case _:
            assert_never(kind)


def say_missing(near: NearMiss, language: Language) -> str:
    """What kept a paper out: ``Retrieval, without “reranking”``; of several words that would do, all."""
    words = re.sub(r"\s+OR\s+", " / ", near.missing).replace('"', "").removeprefix("(").removesuffix(")")
    return language.say("%(topic)s, without “%(missing)s”", topic=plain(near.topic, 80), missing=plain(words, 80))


@lru_cache(maxsize=1_024)
def say_schedule(schedule: Schedule, language: Language) -> str:
    """``weekdays at 07:30``; a cron expression that says more than days and a time as it is."""
    simple = _SIMPLE.fullmatch(schedule.cron)
    if simple is None:
        return plain(schedule.text, 120)
    time = f"{int(simple['hour']):02}:{int(simple['minute']):02}"
    of_month, of_week = simple["of_month"], simple["of_week"]
    if of_month != "*":
        if of_month == "L":
            return language.say("on the last day of every month at %(time)s", time=time)
        return language.say("monthly on day %(day)s at %(time)s", day=of_month, time=time)
    if of_week == "*":
        return language.say("daily at %(time)s", time=time)
    if of_week == "1-5":
        return language.say("weekdays at %(time)s", time=time)
    # 0 and 7 are Sunday; any Monday tells what the days are called.
    days = [_A_MONDAY + timedelta(days=(int(day) - 1) % 7) for day in of_week.split(",")]
    return language.say("%(days)s at %(time)s", days=language.listed([*map(language.weekday, days)]), time=time)


def _say_hit(hit: Evidence, language: Language) -> str:
    if hit.field is Field.MEANING:
        subject = plain(hit.term, 60)
        nearness = f" ({_say_nearness(hit.found, language)})" if hit.found else ""
        return (_quote(subject, language) if subject else language.say("the examples")) + nearness
    text = plain(hit.found or hit.term, 60)
    return _quote(text, language) if hit.field in _QUOTED else text


def _say_nearness(found: str, language: Language) -> str:
    # It comes back from the database, where it is text.
    return language.number(float(found)) if re.fullmatch(r"[01]\.\d{1,3}", found) else plain(found, 60)


def _quote(text: str, language: Language) -> str:
    return language.say("“%(text)s”", text=text)


def _say_label(label: Label, day: date, language: Language) -> str:
    name = plain(label.name, 80)
    match label.kind:
        case LabelKind.FIRST_BY:
            return language.say("first paper here by %(author)s", author=name)
        case LabelKind.NTH_ON:
            return _say_place(label.number, name, language)
        case LabelKind.CARRIED:
            return _say_carried(label.name, day, language)
        case _:
            assert_never(label.kind)


def _say_place(number: int, topic: str, language: Language) -> str:
    if ordinal := _ordinals(language).get(number):
        return language.say("%(third)s on %(topic)s this month", third=ordinal, topic=topic)
    return language.say("no. %(number)s on %(topic)s this month", number=language.number(number), topic=topic)


@lru_cache(maxsize=64)
def _ordinals(language: Language) -> Mapping[int, str]:
    say = language.say
    return {
        3: say("third"),
        4: say("fourth"),
        5: say("fifth"),
        6: say("sixth"),
        7: say("seventh"),
        8: say("eighth"),
        9: say("ninth"),
        10: say("tenth"),
    }


def _say_carried(iso_date: str, day: date, language: Language) -> str:
    try:
        listed_on = date.fromisoformat(iso_date)
    except ValueError:
        # Labels come back from the database.
        return language.say("from an earlier list")
    if (day - listed_on).days in _WEEK:
        return language.say("from %(weekday)s’s list", weekday=language.weekday(listed_on))
    return language.say("from the list of %(date)s", date=language.short_date(listed_on))
