"""An invented edition that has everything a mail can show, and one that has nothing, to try templates with."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from digest.model import (
    DayCount,
    Edition,
    Evidence,
    Field,
    FollowUp,
    FollowUpKind,
    Gap,
    Growth,
    Label,
    LabelKind,
    Link,
    LinkKind,
    Match,
    Message,
    NearMiss,
    Paper,
    PaperKey,
    Rise,
    Schedule,
    Score,
    Signals,
    Subscriber,
    SubscriberId,
    Topic,
    TopicMatch,
    Verdict,
    Week,
    Wording,
)
from digest.render.compile import Template
from digest.render.compose import compose_letter
from digest.render.language import find_language
from digest.render.letters import sample_letters
from digest.render.plan import Answers

SENDER = "Paperround <digest@example.org>"
RECIPIENT = "reader@example.org"
ANSWERS = Answers(mailbox="answers@example.org")
_TOPIC = "Vision-language pre-training"


def full_edition(now: datetime, *, template: str = "daily", theme: str = "paper", language: str = "") -> Edition:
    """Everything at once: every part, label, signal and link, and scripts that run the other way or are wide.

    Args:
        now: When it is made.
        template: The reader's.
        theme: The reader's.
        language: The reader's; English if empty.
    """
    reader = _reader(template, theme, language)
    matched, rising = _matched(now), _paper(7, "Reviewer Two, Simulated: Disagreement Without a Cause", now)
    sent = tuple(_paper(20 + number, f"What Was Sent on Day {number}", now) for number in range(1, 4))
    return Edition(
        subscriber=reader,
        date=now.astimezone(reader.zone).date(),
        matched=matched,
        trending=(
            _paper(5, "The Robot That Asked for Directions", now, signals=Signals(upvotes=207, comments=9, points=1)),
            _paper(6, "الترجمة الآلية للغات قليلة الموارد", now, abstract="نقترح طريقة جديدة. وهي مخترعة."),
        ),
        rising=(Rise(paper=rising, signal="upvotes", before=12, now=87, since=now - timedelta(days=4)),),
        rest=(
            _paper(8, "Pixels, Patches and Patience", now),
            _paper(9, "對比學習的虛構綜述：從圖像到文字", now, links=()),
        ),
        updated=(_paper(10, "On the Patience of Reviewers", now),),
        near_misses=(
            NearMiss(paper=_paper(11, "Forty-Two Words for Snow", now), topic=_TOPIC, missing='"low resource"'),
        ),
        follow_ups=(
            FollowUp(
                paper=_paper(12, "Prompts Before Pictures", now, venue="ICLR 2027"),
                kinds=(FollowUpKind.CODE, FollowUpKind.ACCEPTED),
            ),
            FollowUp(paper=_paper(13, "A Proof Too Good", now), kinds=(FollowUpKind.WITHDRAWN,)),
        ),
        gaps=(
            Gap(source="arxiv:cs.CL", verdict=Verdict.STALE, fresh_on=now.date() - timedelta(days=1)),
            Gap(source="biorxiv:neuroscience", verdict=Verdict.FAILED, fresh_on=None),
        ),
        growth={
            matched[0].paper.key: Growth(signal="upvotes", counts=(5, 20, 60, 128), since=now - timedelta(days=4)),
            rising.key: Growth(signal="upvotes", counts=(12, 30, 87), since=now - timedelta(days=4)),
        },
        week=Week(
            days=tuple(
                DayCount(
                    now.date() - timedelta(days=6 - day), announced=0 if day in (1, 2) else 1_200 + day, matched=found
                )
                for day, found in enumerate((3, 0, 0, 5, 2, 7, 1))
            ),
            discussed=(matched[0].paper, _paper(14, "A Paper That Many Discuss", now)),
            sent=sent,
        ),
        wordings={
            matched[0].paper.key: Wording("Laternen im Nebel", "Zweimal zu fragen hilft gegen Nebel.", "invented-7b")
        },
    )


def empty_edition(now: datetime, *, template: str = "daily", theme: str = "paper", language: str = "") -> Edition:
    """Nothing to say at all."""
    reader = _reader(template, theme, language)
    return Edition(subscriber=replace(reader, archive=""), date=now.astimezone(reader.zone).date())


def sample_letter(
    template: Template,
    *,
    language: str,
    now: datetime,
    recipient: str = RECIPIENT,
    sender: str = SENDER,
) -> Message:
    """An invented letter in one of the templates for letters.

    Args:
        template: One of `digest.render.letters.LETTERS`.
        language: A language tag.
        now: When it is made.
        recipient: A bare address.
        sender: The From header as text.
    """
    return compose_letter(
        sample_letters(find_language(language), brand=template.theme.brand)[template.name],
        template,
        identity=f"sample.{template.name}",
        recipient=recipient,
        sender=sender,
        language=language,
        zone=ZoneInfo("UTC"),
        now=now,
    )


def _reader(template: str, theme: str, language: str) -> Subscriber:
    return Subscriber(
        id=SubscriberId("ada-example"),
        name="Ada Example",
        email=RECIPIENT,
        zone=ZoneInfo("Europe/Berlin"),
        schedule=Schedule("weekdays at 07:30", "30 7 * * 1-5"),
        topics=(Topic(name=_TOPIC, any=("CLIP", "benchmark*")),),
        template=template,
        theme=theme,
        language=language,
        archive="https://papers.example.org/ada",
    )


def _matched(now: datetime) -> tuple[Match, ...]:
    first = _paper(
        1,
        "Lanterns in the Fog: CLIP Features Survive Heavy Corruption When Prompts Are Asked Twice",
        now,
        authors=(*(f"Coauthor Invented {number}" for number in range(1, 12)), "Kwame Invented"),
        categories=("cs.CV", "cs.CL", "cs.LG"),
        signals=Signals(upvotes=128, comments=14, stars=2310, points=87, citations=3),
        venue="NeurIPS 2026",
        summary="Asking an encoder the same question twice undoes most of the harm of fog.",
        origins=(("summary", "huggingface:daily"),),
        links=(
            *_links(1),
            Link(LinkKind.CODE, "https://github.com/example/lanterns"),
            Link(LinkKind.PROJECT, "https://lanterns.example.org/"),
            Link(LinkKind.DISCUSSION, "https://huggingface.co/papers/2611.00001"),
            Link(LinkKind.DISCUSSION, "https://news.ycombinator.com/item?id=1"),
            Link(LinkKind.DATASET, "https://huggingface.co/datasets/example/lanterns"),
            Link(LinkKind.MODEL, "https://huggingface.co/example/lanterns"),
        ),
    )
    why = (Evidence(Field.TITLE, "CLIP", "CLIP"), Evidence(Field.ABSTRACT, "benchmark*", "benchmark"))
    by = TopicMatch("Followed authors", (Evidence(Field.AUTHOR, "Kwame Invented", "Kwame Invented"),))
    return (
        Match(
            paper=first,
            score=Score(match=4, follow=5, trend=0.83, recency=0.62, less=-1),
            labels=(Label(LabelKind.FIRST_BY, "Kwame Invented"), Label(LabelKind.NTH_ON, _TOPIC, 3)),
            topics=(TopicMatch(_TOPIC, why), by),
        ),
        Match(
            paper=_paper(2, "鹊桥：面向低资源语言的视觉-语言预训练基准", now, abstract="我们提出鹊桥。它是虚构的。"),
            score=Score(match=3, relevance=2.5),
            labels=(Label(LabelKind.CARRIED, (now - timedelta(days=1)).date().isoformat()),),
            topics=(TopicMatch(_TOPIC, (Evidence(Field.SOURCE, "arxiv", "arxiv:cs.CL"),)),),
        ),
        Match(
            paper=_paper(3, "Exact Softmax for x < y & z > 0 in “O(n log n)”", now),
            topics=(TopicMatch(_TOPIC, (Evidence(Field.MEANING, "fast attention", "0.83"),)),),
        ),
        Match(
            paper=_paper(4, "A Paper Without Anything", now, abstract="", authors=(), categories=(), links=()),
            topics=(),
        ),
    )


def _paper(number: int, title: str, now: datetime, **changes: Any) -> Paper:
    paper = Paper(
        key=PaperKey(f"arxiv:2611.{number:05d}"),
        title=title,
        abstract=(
            "Encoders of images and text are said to break under corruption. We show that most of the loss comes from"
            " the prompt: asking the same question twice recovers 7.4 of 9.1 points on a new benchmark of fog, smoke"
            " and rain. The method needs no training and adds 0.6 ms per image."
        ),
        authors=("Ada Example", "Ben Sample", "Zoë Imagined"),
        categories=("cs.CL",),
        links=_links(number),
        published=now - timedelta(hours=number),
        first_seen=now,
        signals=Signals(upvotes=3 * number),
        sources=("arxiv:cs.CL",),
    )
    # arXiv's have links that are derived from their keys.
    key = PaperKey(f"guid:invented:{number}") if changes.get("links") == () else paper.key
    return replace(paper, key=key, **changes)


def _links(number: int) -> tuple[Link, ...]:
    at = "https://arxiv.org"
    return (
        Link(LinkKind.ABSTRACT, f"{at}/abs/2611.{number:05d}"),
        Link(LinkKind.PDF, f"{at}/pdf/2611.{number:05d}"),
    )
