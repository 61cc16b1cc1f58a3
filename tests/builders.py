"""Builders give a valid value; a test names only what matters to it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from digest.match.topics import Judgement, Reading
from digest.model import (
    Edition,
    Entry,
    Link,
    LinkKind,
    Match,
    Paper,
    PaperKey,
    Schedule,
    Signals,
    Subscriber,
    SubscriberId,
    Topic,
    TopicMatch,
)
from digest.rank.score import Candidate

NOW = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)  # a Friday


def an_entry(number: int = 1, **changes: Any) -> Entry:
    arxiv_id = f"2611.{number:05d}"
    entry = Entry(
        key=PaperKey(f"arxiv:{arxiv_id}"),
        title=f"Invented Paper {number}",
        abstract="We invent a paper. It has two sentences.",
        authors=("Ada Example", "Ben Sample"),
        categories=("cs.CL",),
        links=(
            Link(LinkKind.ABSTRACT, f"https://arxiv.org/abs/{arxiv_id}"),
            Link(LinkKind.PDF, f"https://arxiv.org/pdf/{arxiv_id}"),
        ),
        published=NOW,
    )
    return replace(entry, **changes)


def a_paper(number: int = 1, **changes: Any) -> Paper:
    entry = an_entry(number)
    paper = Paper(
        key=entry.key,
        title=entry.title,
        abstract=entry.abstract,
        authors=entry.authors,
        categories=entry.categories,
        links=entry.links,
        published=NOW,
        first_seen=NOW,
        signals=Signals(),
        sources=("arxiv:cs.CL",),
    )
    return replace(paper, **changes)


def a_topic(**changes: Any) -> Topic:
    return replace(Topic(name="A topic"), **changes)


def a_subscriber(name: str = "Ada", **changes: Any) -> Subscriber:
    slug = name.lower().replace(" ", "-")
    subscriber = Subscriber(
        id=SubscriberId(slug),
        name=name,
        email=f"{slug}@example.org",
        zone=ZoneInfo("UTC"),
        schedule=Schedule("daily at 07:30", "30 7 * * *"),
        topics=(Topic(name="Everything", categories=("cs.CL",)),),
    )
    return replace(subscriber, **changes)


def a_match(paper: Paper | None = None, **changes: Any) -> Match:
    match = Match(paper=paper or a_paper(), topics=(TopicMatch("Everything", ()),))
    return replace(match, **changes)


def a_judgement(topic: str = "Everything", **changes: Any) -> Judgement:
    """Of a topic that wants a paper."""
    judgement = Judgement(topic=topic, evidence=(), strength=3.0, follow=0.0, lowered_by=(), objections=(), missing="")
    return replace(judgement, **changes)


def a_candidate(paper: Paper | None = None, **changes: Any) -> Candidate:
    return replace(Candidate(Reading(paper or a_paper()), (a_judgement(),)), **changes)


def an_edition(subscriber: Subscriber | None = None, **changes: Any) -> Edition:
    edition = Edition(
        subscriber=subscriber or a_subscriber(),
        date=date(2026, 11, 20),
        matched=(a_match(),),
    )
    return replace(edition, **changes)
