from zoneinfo import ZoneInfo

import pytest

from digest.errors import ConfigError, SmtpRefusedError
from digest.model import DeliveryState, Message, Poll, Verdict
from digest.paths import shipped
from digest.render.compile import load_template
from digest.render.compose import compose_letter
from digest.render.language import LANGUAGES, find_language
from digest.render.letters import LETTERS, confirm_letter, notice_letter, sample_letters
from digest.render.view import LetterView
from tests.builders import NOW
from tests.render.conftest import SENDER, read_back

ENGLISH = find_language("en")
CONFIRM = "https://paperround.example.org/confirm?t=0123456789abcdef"


def a_mail(letter: LetterView, template: str, language: str = "") -> Message:
    return compose_letter(
        letter,
        load_template(template, [shipped("templates")]),
        identity="letter.1",
        recipient="ada@example.org",
        sender=SENDER,
        language=language,
        zone=ZoneInfo("UTC"),
        now=NOW,
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
def test_everything_that_a_letter_says_is_in_both_parts(name: str, language: str) -> None:
    letter = sample_letters(find_language(language), brand="Paper & Round")[name]

    message = a_mail(letter, name, language)

    said = [letter.heading, *letter.paragraphs, *letter.closing, letter.button if letter.url else ""]
    said += [word for fact in letter.facts for word in (fact.label, fact.text)]
    for part in (message.text, read_back(message.raw).get_body(("html",)).get_content()):  # type: ignore[union-attr]
        shown = "".join(as_text(part).split())
        for text in filter(None, said):
            assert "".join(text.split()) in shown, text
        assert not letter.url or letter.url in part.replace("&amp;", "&")
    assert f'lang="{find_language(language).tag}"' in message.html


def as_text(part: str) -> str:
    from lxml import html

    return str(html.document_fromstring(part.encode()).text_content()) if "<html" in part else part


def test_a_letter_is_no_list_mail_and_answers_nobody() -> None:
    message = read_back(a_mail(confirm_letter(ENGLISH, brand="P", url=CONFIRM, valid_hours=1), "confirm").raw)

    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] is None
    assert message["To"] == "ada@example.org"
    assert message["Message-ID"] == "<letter.1@example.org>"


def test_the_time_that_a_link_works_is_said() -> None:
    one, many = (confirm_letter(ENGLISH, brand="P", url=CONFIRM, valid_hours=hours) for hours in (1, 48))

    assert one.closing[0] == "The link works for 1 hour."
    assert many.closing[0] == "The link works for 48 hours."


def a_notice() -> LetterView:
    return notice_letter(
        ENGLISH,
        brand="Paperround",
        command="digest run",
        exit_code=3,
        problems=(
            SmtpRefusedError("sender refused (550 <digest@example.org> unknown)", where="smtp:587", hint="check SPF"),
            ConfigError("unknown template 'dialy'", where="subscribers.yaml:3"),
        ),
        polls=(
            Poll(source="arxiv:cs.CL", verdict=Verdict.STALE, problems=("nothing new; ask ben@example.org", "again")),
            Poll(source="huggingface", verdict=Verdict.FRESH),
            Poll(source="stars", verdict=Verdict.FAILED, is_extra=True),
        ),
        failed=("failed ada 2026-11-20: recipient refused (550 no such user <ada@example.org>)",),
        counts={DeliveryState.FAILED: 1, DeliveryState.ACCEPTED: 1234},
        waiting=7,
    )


def test_a_notice_says_what_failed_how_often_and_what_to_do() -> None:
    letter = a_notice()

    assert letter.heading == "digest run needs your attention"
    assert letter.paragraphs[1:] == (
        "smtp:587: sender refused (550 <d***@***> unknown) (check SPF)",
        "subscribers.yaml:3: unknown template 'dialy'",
        "failed ada 2026-11-20: recipient refused (550 no such user <a***@***>)",
    )
    assert [(fact.label, fact.text) for fact in letter.facts] == [
        ("Exit code", "3"),
        ("accepted", "1,234"),
        ("failed", "1"),
        ("Waiting to be sent", "7"),
        ("Sources read well", "2 of 3"),
        ("arxiv:cs.CL", "stale: nothing new; ask b***@***"),
    ]


def test_no_address_is_in_a_notice() -> None:
    message = a_mail(a_notice(), "notice")

    bodies = message.text + message.html
    assert "@example.org" not in bodies
    assert "a***@***" in bodies


def test_a_notice_of_much_trouble_stays_short() -> None:
    problems = [ConfigError(f"problem {number} " + "x" * 10_000) for number in range(1_000)]
    polls = [Poll(source=f"source {number}", verdict=Verdict.FAILED) for number in range(1_000)]

    letter = notice_letter(
        ENGLISH,
        brand="P",
        command="digest serve",
        exit_code=2,
        problems=problems,
        polls=polls,
        failed=["failed ada"] * 1_000,
    )

    assert letter.paragraphs.count("980 more") == 2
    assert letter.facts[-1].label == "980 more"
    assert a_mail(letter, "notice").html_bytes < 95_000
