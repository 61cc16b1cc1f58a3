"""Archives to export: one of them of a reader whose every word is a canary."""

from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from digest.export.archive import Archive, public
from digest.model import (
    Edition,
    Evidence,
    Field,
    FollowUp,
    FollowUpKind,
    Growth,
    Label,
    LabelKind,
    NearMiss,
    Paper,
    Rise,
    Schedule,
    Score,
    Topic,
    TopicMatch,
)
from digest.paths import shipped
from digest.render.theme import Theme
from tests.builders import NOW, a_match, a_paper, a_subscriber

FRIDAY = date(2026, 11, 20)
FOLDERS = (shipped("templates"),)


def an_archive(*papers: Paper, **changes: Any) -> Archive:
    """One edition of these papers."""
    edition = Edition(subscriber=a_subscriber(), date=FRIDAY, matched=tuple(map(a_match, papers)))
    return replace(Archive(title="Example papers", editions=(edition,)), **changes)


def private_edition(day: date = FRIDAY) -> Edition:
    """Has something in every place that only its reader may see; papers 1 to 7 are shown."""
    hits = (
        Evidence(Field.AUTHOR, "canary author", "Ada Example"),
        Evidence(Field.MEANING, "canary description", "0.83"),
    )
    match = a_match(
        a_paper(1),
        topics=(TopicMatch("Canary topic", hits),),
        score=Score(match=31.25, less=-17.5),
        labels=(Label(LabelKind.FIRST_BY, "Canary author"), Label(LabelKind.NTH_ON, "Canary topic", 3)),
    )
    return Edition(
        subscriber=a_subscriber(
            "Canary name",
            email="canary@readers.test",
            zone=ZoneInfo("Pacific/Chatham"),
            schedule=Schedule("canary at 07:31", "31 7 * * *"),
            topics=(Topic(name="Canary topic", query="canary"),),
        ),
        date=day,
        matched=(match,),
        trending=(a_paper(2),),
        rising=(Rise(paper=a_paper(3), signal="stars", before=3, now=90, since=NOW),),
        rest=(a_paper(4), a_paper(5)),
        updated=(a_paper(6),),
        near_misses=(NearMiss(paper=a_paper(8, title="Near Canary"), topic="Canary topic", missing="canary"),),
        follow_ups=(FollowUp(paper=a_paper(7), kinds=(FollowUpKind.CODE,)),),
        growth={a_paper(1).key: Growth(signal="stars", counts=(1, 77), since=NOW)},
    )


def a_private_archive(**changes: Any) -> Archive:
    theme = Theme(postal="Canary Street 1", footer="canary footer")
    return replace(Archive(title="Example", editions=(public(private_edition()),), theme=theme), **changes)
