from collections.abc import Callable
from dataclasses import replace

import pytest

from digest.model import Edition
from digest.render.compile import Template
from digest.render.compose import HTML_BYTES, compose_message
from digest.render.plan import Answers, Plan, unsubscribe_address
from digest.render.theme import Theme
from digest.tokens import Keyring
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_edition
from tests.render.conftest import SENDER

KEYRING = Keyring(b"a secret for tests only")
TOKENS = {purpose: KEYRING.token(a_subscriber(), purpose) for purpose in ("unsubscribe", "feedback")}
ABSTRACT = "A sentence that is about as long as the sentences of abstracts usually are, and ends here. " * 18


def an_edition_of(matched: int, rest: int = 0, trending: int = 0, abstract: int = 5_000) -> Edition:
    subscriber = replace(a_subscriber(), abstract=abstract, limit=500)
    papers = [a_paper(number, title=f"Paper number {number}", abstract=ABSTRACT) for number in range(1, 3_000)]
    return an_edition(
        subscriber,
        matched=tuple(a_match(paper) for paper in papers[:matched]),
        trending=tuple(papers[matched : matched + trending]),
        rest=tuple(papers[matched + trending : matched + trending + rest]),
    )


def rooms(edition: Edition) -> list[tuple[int, int, int]]:
    plan = Plan(edition, Theme(), unsubscribe="mailto:x@example.org", answers=Answers())
    return [tuple(room) for room in plan.rooms()]  # type: ignore[misc]


def test_abstracts_give_way_before_lines_and_lines_before_cards() -> None:
    assert rooms(an_edition_of(2)) == [
        (2, 2, 100),
        (1, 2, 100),
        (0, 2, 100),
        (0, 2, 30),
        (0, 1, 30),
        (0, 0, 30),
        (0, 0, 10),
        (0, 0, 3),
        (0, 0, 0),
    ]


def test_the_last_abstracts_are_cut_first_and_only_as_many_as_need_be(daily: Template) -> None:
    message = compose_message(an_edition_of(40), daily, sender=SENDER, now=NOW)

    lengths = [message.html.count(ABSTRACT[:900]), message.html.count(ABSTRACT[:80])]
    assert 0 < lengths[0] < 40
    first_cut = message.html.rindex(ABSTRACT[:900])
    assert message.html[first_cut:].count("<h3") == 40 - lengths[0], "those in full are the first"
    assert HTML_BYTES - 2_500 < message.html_bytes <= HTML_BYTES
    assert message.text.replace("\n     ", " ").count(ABSTRACT[:900]) == 40, "the text has room for all"


@pytest.mark.parametrize(("matched", "rest"), [(20, 480), (500, 0), (0, 2_500), (100, 100)])
def test_the_html_never_gets_too_long_and_the_text_names_all(daily: Template, matched: int, rest: int) -> None:
    edition = an_edition_of(matched, rest, trending=5)

    message = compose_message(edition, daily, sender=SENDER, now=NOW)

    assert message.html_bytes <= HTML_BYTES
    assert all(f"{paper.title}\n" in message.text for paper in edition.papers)
    assert "all named in the plain-text part of this mail" in message.html


def test_what_is_left_out_is_on_the_web_if_it_is_published_there(daily: Template) -> None:
    edition = an_edition_of(0, 300)
    edition = replace(edition, subscriber=replace(edition.subscriber, archive="https://papers.example.org/lab/"))

    message = compose_message(edition, daily, sender=SENDER, now=NOW)

    assert 'href="https://papers.example.org/lab/2026-11-20.html"' in message.html
    assert "200 more on the web" in message.html
    assert b"\r\nList-Archive: <https://papers.example.org/lab/>\r\n" in message.raw


@pytest.mark.parametrize(
    ("answers", "more", "stop"),
    [
        pytest.param(
            Answers(mailbox="in@example.org", keyring=KEYRING),
            f"mailto:in@example.org?subject=more%20{TOKENS['feedback']}%20arxiv%3A2611.00001",
            f"mailto:in@example.org?subject=unsubscribe%20{TOKENS['unsubscribe']}",
            id="a mailbox",
        ),
        pytest.param(
            Answers(
                feedback_url="https://f.example.org/?r={reader}&p={paper}&v={verdict}",
                unsubscribe_url="https://f.example.org/stop/{reader}",
                keyring=KEYRING,
            ),
            f"https://f.example.org/?r={TOKENS['feedback']}&amp;p=arxiv%3A2611.00001&amp;v=more",
            f"https://f.example.org/stop/{TOKENS['unsubscribe']}",
            id="pages",
        ),
        pytest.param(Answers(), None, "mailto:digest@example.org?subject=unsubscribe", id="nothing"),
    ],
)
def test_answers_go_where_the_operator_says(daily: Template, answers: Answers, more: str | None, stop: str) -> None:
    message = compose_message(an_edition(), daily, sender=SENDER, now=NOW, answers=answers)

    assert (f'href="{more}"' in message.html) == bool(more)
    assert ("ore like this" in message.html) == bool(more)
    assert f'href="{stop}"' in message.html
    assert f"\r\nList-Unsubscribe: <{stop}>".encode() in message.raw
    assert unsubscribe_address(answers.token(a_subscriber(), "unsubscribe"), "digest@example.org", answers) == stop
    assert ("Pause for two weeks" in message.text) == bool(answers.mailbox)


def test_a_reader_who_wants_no_abstracts_gets_none(compose: Callable[[Edition], object], daily: Template) -> None:
    html = compose_message(an_edition_of(3, abstract=0), daily, sender=SENDER, now=NOW).html

    assert ABSTRACT[:60] not in html
    assert "Paper number 3" in html
