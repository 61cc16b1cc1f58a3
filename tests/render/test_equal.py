"""What is joined from fragments is the mail that would have been made for one reader alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from email.headerregistry import Address
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

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
    Score,
    TopicMatch,
    Verdict,
    Week,
)
from digest.paths import shipped
from digest.render.compile import load_template
from digest.render.compose import Composer
from digest.render.plan import Answers
from digest.render.theme import Logo, Theme
from digest.tokens import Keyring
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition
from tests.render.samples import WORDINGS, a_full_edition
from tests.render.straightforward import Straightforward, differences

SENDER = Address("Paperround", "digest", "example.org")
PAGES = Answers(
    feedback_url="https://forms.example.org/f?r={reader}&p={paper}&v={verdict}",
    unsubscribe_url="https://forms.example.org/end?r={reader}&x='<\">",
    keyring=Keyring(b"a secret for tests only"),
)
PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b")
DARING = Theme(
    name="daring",
    brand="Paper & <b>Round</b> \"daily\" 'x'",
    footer="100 % <i>invented</i> & {{ 7*7 }} %s",
    postal="1 O'Example St. & Co",
    logo=Logo(PIXEL, "gif", 1, 1),
)


def readers() -> list[Edition]:
    """Editions of one morning that have papers in common, with what became of them and what was written of them."""
    full = a_full_edition()
    papers = full.shown
    week = Week(
        days=tuple(DayCount(date(2026, 11, day), day * 100, day % 7) for day in range(14, 21)),
        discussed=papers[:3],
        sent=papers[2:],
    )
    growth = {papers[0].key: Growth(signal="upvotes", counts=(1, 5, 128), since=NOW)}
    full = replace(
        full,
        growth=growth,
        wordings=WORDINGS,
        week=week,
        gaps=(Gap("arxiv:cs.CL", Verdict.STALE, date(2026, 11, 19)), Gap("<b>", Verdict.FAILED, None)),
        follow_ups=(FollowUp(paper=a_paper(60, title="Followed & <Up>"), kinds=(FollowUpKind.CODE,)),),
    )
    evidence = (Evidence(Field.TITLE, "CLIP", "CLIP"), Evidence(Field.AUTHOR, "Ben Sample", "Ben Sample"))
    others = [
        (
            replace(
                a_subscriber(f"Reader {number}"), language=language, zone=ZoneInfo(zone), **{"name": NAME} | changes
            ),
            tuple(
                a_match(
                    paper,
                    topics=(TopicMatch(f"T{number} & <i>", evidence[: number % 3]),),
                    score=Score(match=number, trend=number / 7),
                    labels=(Label(LabelKind.NTH_ON, "T & <i>", 3),) if number % 2 else (),
                )
                for paper in papers[number % 3 :]
            ),
        )
        for number, (language, zone, changes) in enumerate(
            cast(
                list[tuple[str, str, dict[str, Any]]],
                [
                    ("", "UTC", {}),
                    ("", "America/Los_Angeles", {"archive": "https://archive.example.org/~ada/"}),
                    ("de", "Europe/Berlin", {"abstract": 0}),
                    ("de", "Europe/Berlin", {"abstract": 5000, "by_topic": True}),
                    ("fr", "Europe/Paris", {"name": "Zoë O’Neill"}),
                    ("es", "Asia/Tokyo", {"name": "قارئة الأوراق"}),
                    ("ja", "Asia/Tokyo", {"name": "鵲橋 " * 4}),
                    ("zh", "Asia/Shanghai", {"name": "{{ reader.name }} %s %(x)s"}),
                    ("pt-BR", "UTC", {"archive": "https://archive.example.org"}),
                    ("ar", "UTC", {}),
                ],
            )
        )
    ]
    return [
        full,
        *(replace(full, subscriber=subscriber, matched=matched, gaps=()) for subscriber, matched in others),
        *(
            an_edition(subscriber, matched=matched[:1], week=week, growth=growth, wordings=WORDINGS)
            for subscriber, matched in others[:4]
        ),
        an_edition(a_subscriber("Nobody"), matched=()),
    ]


NAME = "Ada <b>&\"' Example"

# Each part says everything that it can: whatever a part is shared by must be the same for all who share it.
_ALL = (
    "{{ mail.date|long_date }} {{ mail.title }} {{ mail.language }} {{ mail.dir }} {{ mail.has_contents }}"
    " {{ mail.has_archive }} {{ mail.has_feedback }} {{ reader.name }}, {{ reader.heading }}, {{ theme.brand }}"
    "{% if theme.logo %} logo{% endif %}"
)
_LISTS = ("rest", "near", "updated", "follow_ups", "discussed", "sent")
_LINKS = '<a href="{{ reader.unsubscribe }}">end</a> <a href="{{ reader.archive }}">web</a>'
_CARD = (
    "{{ paper.number }}. {{ paper.title }} {{ paper.translation }} {{ paper.summary }} {{ paper.abstract }}"
    " {{ paper.authors }} {{ paper.authors_left }} {{ paper.categories|listed }} {{ paper.date|short_date }}"
    " {{ paper.signals }} {{ paper.links }} {{ paper.found }} {{ paper.labels }} {{ paper.reasons }}"
    "{% if paper.has_score %} {{ paper.score }}{% endif %}"
)
_TEXTS = {
    "section": "{{ section.name }} {{ section.heading }} {{ section.topic }}",
    "card": _CARD,
    "line": "{{ item.title }} {{ item.url }} {{ item.note }}",
    "more": "{{ more.text }} {{ more.url }}",
    "week": "{{ week.heading }} {{ week.line }} {{ week.days }}",
    "health": "{{ health.lines }}",
    "head": "{{ _('%(num)s for you', num=3) }} {{ ngettext('%(num)s x', '%(num)s xs', 1) }} {{ reader.contents }}",
    "empty": "nothing",
    "footer": "{{ reader.standing }} {{ theme.footer }} {{ theme.postal }}",
    **dict.fromkeys(_LISTS, "{{ list.name }} {{ list.heading }}"),
}
_INNER = {"section": "cards", **dict.fromkeys(_LISTS, "lines")}
_ROOT = ("head", "week", "empty", "sections", *_LISTS, "health", "footer")
_FEEDBACK = '{% if paper.has_feedback %}<a href="{{ paper.more }}">+</a> <a href="{{ paper.less }}">-</a>{% endif %}'


def write_nosy(folder: Path) -> Path:
    """A template whose every part tells all it knows."""
    parts = folder / "nosy"
    parts.mkdir()
    holes = "".join(f"{{{{ part.{hole} }}}}\n" for hole in _ROOT)
    layout = (
        '<mjml lang="{{ mail.language }}" dir="{{ mail.dir }}"><mj-head><mj-title>{{ mail.title }}</mj-title>'
        "<mj-preview>{{ reader.preheader }}</mj-preview>"
        '<mj-attributes><mj-all font-family="{{ theme.font }}" /></mj-attributes><mj-style>'
        "p, .muted { color: {{ theme.light.muted }}; font-family: {{ theme.small_font }} }"
        " @media (prefers-color-scheme: dark) { p { color: {{ theme.dark.muted }} !important } }"
        "</mj-style></mj-head><mj-body>" + holes + "</mj-body></mjml>"
    )
    files = {"subject.txt.j2": "{{ mail.date|short_date }} {{ count }} {{ title }} {{ theme.brand }}"}
    files |= {"layout.mjml.j2": layout, "layout.txt.j2": f"{_ALL}\n{{{{ reader.preheader }}}}\n{holes}"}
    for part, text in _TEXTS.items():
        hole = f"{{{{ part.{_INNER[part]} }}}}\n" if part in _INNER else ""
        html = f'<p>{_ALL}</p>\n<p class="muted">{text}</p>{_LINKS}\n{_FEEDBACK if part == "card" else ""}'
        if part not in ("card", "line", "more"):
            html = f"<mj-section><mj-column><mj-text>{html}\n{hole}</mj-text></mj-column></mj-section>"
        links = "{% if paper.has_feedback %}{{ paper.more }} {{ paper.less }}{% endif %}" if part == "card" else ""
        files |= {f"{part}.mjml.j2": html, f"{part}.txt.j2": f"{_ALL}\n{text}\n{links}\n{hole}"}
    for name, source in files.items():
        (parts / name).write_text(source, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("theme", "answers"),
    [
        pytest.param(Theme(), Answers(), id="plain"),
        pytest.param(DARING, PAGES, id="daring"),
    ],
)
def test_a_part_is_shared_only_by_readers_for_whom_it_is_the_same(
    tmp_path: Path, theme: Theme, answers: Answers
) -> None:
    same("nosy", [write_nosy(tmp_path), shipped("templates")], theme, answers, readers())


@pytest.mark.parametrize(
    ("template", "some"),
    [
        pytest.param("daily", slice(None), id="daily"),
        pytest.param("weekly", slice(0, None, 4), id="weekly"),
        pytest.param("compact", slice(1, None, 4), id="compact"),
    ],
)
def test_a_mail_from_fragments_is_the_mail_for_one_reader(template: str, some: slice) -> None:
    same(
        template,
        [shipped("templates")],
        DARING,
        Answers("answers+digest@example.org", keyring=PAGES.keyring),
        readers()[some],
    )


def same(name: str, folders: Sequence[Path], theme: Theme, answers: Answers, editions: Sequence[Edition]) -> None:
    composer = Composer(load_template(name, folders, theme), sender=str(SENDER), answers=answers)
    twin = Straightforward(name, folders, theme, sender=SENDER, answers=answers)
    for edition in editions:
        assert differences(composer.compose(edition, NOW).raw, twin.compose(edition, NOW)) == []
