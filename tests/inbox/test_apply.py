"""What readers' answers change: only what their token is for, and only for whom it was made."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.config.edit import RosterFile
from digest.errors import ConfigError
from digest.inbox.answers import Verb
from digest.inbox.mailbox import Arrival
from digest.inbox.outcome import Done
from digest.model import DateSpan, Feedback, PaperKey
from digest.tokens import Keyring
from tests.builders import NOW, a_paper, a_subscriber
from tests.inbox.conftest import ADA, BEN, CLEO, PEOPLE, Office
from tests.inbox.mails import a_mail

EVERYBODY = (ADA, BEN, CLEO)


def test_unsubscribing_holds_at_once_and_stands_in_the_file(office: Office) -> None:
    (outcome,) = office.take(a_mail(f"Re: UNSUBSCRIBE {office.token('unsubscribe')}"))

    assert (outcome.done, outcome.subscriber, outcome.is_settled) == (Done.UNSUBSCRIBED, ADA, True)
    assert office.active == {BEN}
    line = "    paused: true  # unsubscribed by mail on 2026-11-20\n"
    assert office.path.read_text() == PEOPLE.replace("# first\n", f"# first\n{line}")
    assert office.suppressed == {ADA: "unsubscribed by mail on 2026-11-20"}
    assert [each.address for each in office.suppressions.suppressions()] == [office.keyring.know("ADA@example.org")]


def test_doing_it_twice_is_doing_it_once(office: Office) -> None:
    mails = [
        a_mail(f"{words} {office.token(purpose)} {rest}")
        for words, purpose, rest in (
            ("pause 2 weeks", "pause", ""),
            ("more", "feedback", "arxiv:2611.00001"),
            ("unsubscribe", "unsubscribe", ""),
        )
    ]
    first = office.take(*mails)
    text, facts = office.path.read_text(), office.facts(ADA)

    again = office.take(*mails)

    assert [each.done for each in again] == [each.done for each in first]
    assert (office.path.read_text(), office.facts(ADA)) == (text, facts)


def test_a_pause_begins_on_the_day_the_mail_came_where_the_reader_is(office: Office) -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)

    (outcome,) = office.take(a_mail(f"pause 2 weeks {office.token('pause')}"), at=late, now=late + timedelta(days=2))

    assert (outcome.done, outcome.text) == (Done.PAUSED, "no mail from 2026-11-21 to 2026-12-05")
    assert office.reader.quiet == (DateSpan(date(2026, 11, 21), date(2026, 12, 5)),)
    assert not office.suppressed


def test_a_pause_that_is_over_by_now_changes_nothing(office: Office) -> None:
    (outcome,) = office.take(a_mail(f"pause 1 day {office.token('pause')}"), now=NOW + timedelta(days=9))

    assert outcome.done is Done.PAUSED
    assert office.path.read_text() == PEOPLE


def test_a_pause_is_ended_by_its_own_token(office: Office) -> None:
    office.take(a_mail(f"pause 2 weeks {office.token('pause')}"))
    later = NOW + timedelta(days=3)

    (outcome,) = office.take(a_mail(f"resume {office.token('pause')}"), at=later, now=later)

    assert outcome.done is Done.RESUMED
    assert office.reader.quiet == (DateSpan(date(2026, 11, 20), date(2026, 11, 22)),)
    (again,) = office.take(a_mail(f"resume {office.token('pause')}"), at=later, now=later)
    assert again.text == "no pause holds today"


def test_nobody_who_unsubscribed_is_written_to_again_on_a_mails_word(office: Office) -> None:
    office.take(a_mail(f"unsubscribe {office.token('unsubscribe')}"))

    for reader in ("Ada", "Cleo"):
        (outcome,) = office.take(a_mail(f"resume {office.token('pause', reader)}"))
        assert (outcome.done, outcome.subscriber) == (Done.OPEN, reader.lower())
    assert office.active == {BEN}
    assert ADA in office.suppressed


@pytest.mark.parametrize("verb", ["more", "less"])
def test_feedback_is_kept_with_the_time_the_mail_came(office: Office, verb: str) -> None:
    at = NOW - timedelta(hours=3)

    (outcome,) = office.take(a_mail(f"{verb}%20{office.token('feedback')}%20arxiv%3A2611.00002"), at=at)

    assert (outcome.done, outcome.text) == (Done.FEEDBACK, f"{verb} like arxiv:2611.00002")
    assert office.feedback.of(ADA) == [Feedback(a_paper(2).key, more=verb == "more", at=at)]


def test_feedback_on_a_paper_that_nobody_stored_is_told(office: Office) -> None:
    (outcome,) = office.take(a_mail(f"more {office.token('feedback')} arxiv:9999.99999"))

    assert (outcome.done, outcome.text) == (Done.NOTED, "more of a paper that is not stored")
    assert not office.feedback.of(ADA)


def test_who_is_paused_may_still_unsubscribe(office: Office) -> None:
    (outcome,) = office.take(a_mail(f"unsubscribe {office.token('unsubscribe', 'Cleo')}"))

    assert (outcome.done, outcome.subscriber) == (Done.UNSUBSCRIBED, CLEO)
    assert office.path.read_text() == PEOPLE


def test_a_broken_entry_can_be_unsubscribed(office: Office) -> None:
    office.path.write_text(PEOPLE.replace("any: [fog]", "anny: [fog]", 1).replace("Europe/Berlin", "Nowhere"))

    (outcome,) = office.take(a_mail(f"unsubscribe {office.token('unsubscribe')}"))

    assert outcome.done is Done.UNSUBSCRIBED
    assert RosterFile(office.path).written[ADA].is_paused


VOID: dict[str, Callable[[Office], str]] = {
    "another purpose": lambda office: office.token("feedback"),
    "another place": lambda _: Keyring(b"another secret than ours").token(a_subscriber(), "unsubscribe"),
    "links were raised since": lambda office: office.token("unsubscribe", links=2),
    "nobody's": lambda office: office.token("unsubscribe", "Dora"),
    "other letters": lambda office: office.token("unsubscribe").swapcase(),
}


@pytest.mark.parametrize("name", VOID)
def test_a_token_that_is_not_right_is_one_line_and_no_more(office: Office, name: str) -> None:
    before = [office.facts(each) for each in EVERYBODY]

    (outcome,) = office.take(a_mail(f"unsubscribe {VOID[name](office)}"))

    assert (outcome.done, outcome.subscriber) == (Done.OPEN, None)
    assert [office.facts(each) for each in EVERYBODY] == before
    assert office.path.read_text() == PEOPLE


@given(st.integers(0, 22 * 6 - 1), st.sampled_from(["unsubscribe", "pause 2 weeks", "resume", "more"]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flipped_bit_of_a_token_does(office: Office, bit: int, words: str) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = office.token("feedback" if words == "more" else words.split(maxsplit=1)[0].replace("resume", "pause"))
    place, flip = divmod(bit, 6)
    forged = token[:place] + alphabet[alphabet.index(token[place]) ^ (1 << flip)] + token[place + 1 :]

    outcome = office.desk(is_trial=True).take(Arrival("1", NOW, a_mail(f"{words} {forged} arxiv:2611.00001")))

    assert outcome.done is Done.OPEN


@given(
    st.sampled_from(list(Verb)),
    st.sampled_from(["Ada", "Ben", "Cleo"]),
    st.sampled_from(["", "Auto-Submitted: auto-replied\n", "Auto-Submitted: auto-generated\n"]),
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_who_is_named_by_the_token_changes(office: Office, verb: Verb, reader: str, head: str) -> None:
    others = [each for each in EVERYBODY if each != reader.lower()]
    before = {each: office.facts(each) for each in EVERYBODY}
    subject = f"{verb} {office.token(verb.purpose, reader)} arxiv:2611.00001"

    # Whoever From names.
    (outcome,) = office.take(a_mail(subject, head=head, sender="Ben <ben@example.org>"))

    assert outcome.subscriber in (reader.lower(), None)
    assert all(office.facts(each) == before[each] for each in others)
    if "auto-replied" in head or (head and verb is not Verb.UNSUBSCRIBE):
        assert office.facts(outcome.subscriber or ADA) == before[outcome.subscriber or ADA]


def test_a_mail_program_may_unsubscribe_for_its_reader_and_a_vacation_may_not(office: Office) -> None:
    subject = f"unsubscribe {office.token('unsubscribe')}"
    for words, head in (
        (f"Automatic reply: {subject}", "Auto-Submitted: auto-generated\n"),
        (subject, "Auto-Submitted: auto-replied\n"),
    ):
        (outcome,) = office.take(a_mail(words, head=head))
        assert outcome.done is Done.NOTED
    assert office.active == {ADA, BEN}

    office.take(a_mail(subject, head="Auto-Submitted: auto-generated\nPrecedence: bulk\n"))

    assert office.active == {BEN}


@pytest.mark.parametrize(
    ("sender", "subscriber"),
    [pytest.param("BEN@example.org", BEN, id="known"), pytest.param("eve@example.net", None, id="unknown")],
)
def test_without_a_token_the_operator_decides(office: Office, sender: str, subscriber: str | None) -> None:
    (outcome,) = office.take(a_mail("Please unsubscribe me", sender=sender))

    assert (outcome.done, outcome.subscriber, outcome.is_settled) == (Done.OPEN, subscriber, False)
    assert "@" not in outcome.text
    assert office.path.read_text() == PEOPLE
    assert not office.suppressed


def test_other_mail_is_left_alone(office: Office) -> None:
    said = office.take(a_mail("Lunch?"), a_mail("help"), a_mail("Newsletter: unsubscribe", head="Precedence: bulk\n"))

    assert {each.done for each in said} == {Done.OTHER}


def test_a_trial_changes_nothing_and_shows_what_it_would(office: Office) -> None:
    desk = office.desk(is_trial=True)
    mails = [
        a_mail(f"unsubscribe {office.token('unsubscribe')}"),
        a_mail(f"more {office.token('feedback', 'Ben')} arxiv:2611.00001"),
    ]

    said = desk.finish([desk.take(Arrival("1", NOW, mail)) for mail in mails])

    assert [each.done for each in said] == [Done.UNSUBSCRIBED, Done.FEEDBACK]
    assert office.path.read_text() == PEOPLE
    assert not office.suppressed
    assert not office.feedback.of(BEN)


@pytest.mark.parametrize("why", ["the checkout of a job", "no one line to change"])
def test_where_the_file_cannot_be_changed_it_is_told_and_unsubscribing_holds_all_the_same(
    office: Office, why: str
) -> None:
    keeps = why != "the checkout of a job"
    if keeps:
        office.path.write_text(PEOPLE.replace("Europe/Berlin", "Europe/Berlin\n    paused: &no false"))
    text = office.path.read_text()

    said = office.take(
        a_mail(f"unsubscribe {office.token('unsubscribe')}"),
        a_mail(f"pause 1 week {office.token('pause', 'Ben')}"),
        keeps_file=keeps,
    )

    assert said[0].done is Done.UNSUBSCRIBED
    assert "write 'paused: true' for them (line " in said[0].text
    assert set(office.suppressed) == {ADA}
    if not keeps:
        assert (said[1].done, said[1].text) == (
            Done.OPEN,
            "wants no mail from 2026-11-20 to 2026-11-27: write 'quiet: 2026-11-20..2026-11-27'",
        )
        assert office.path.read_text() == text


def test_a_file_changed_meanwhile_stops_it_with_nothing_lost(office: Office) -> None:
    desk = office.desk()
    outcome = desk.take(Arrival("1", NOW, a_mail(f"unsubscribe {office.token('unsubscribe')}")))
    office.path.write_text(PEOPLE + "# edited\n")

    with pytest.raises(ConfigError, match="changed by somebody else"):
        desk.finish([outcome])

    assert office.path.read_text() == PEOPLE + "# edited\n"
    # The mail was not marked; next time it is done.
    assert office.take(a_mail(f"unsubscribe {office.token('unsubscribe')}"))[0].done is Done.UNSUBSCRIBED
    assert office.active == {BEN}


def test_a_subject_may_come_from_a_web_page(office: Office) -> None:
    desk = office.desk()
    (outcome,) = desk.finish([desk.take_subject(f"less {office.token('feedback')} arxiv:2611.00001")])

    assert outcome.done is Done.FEEDBACK
    assert office.feedback.of(ADA) == [Feedback(PaperKey("arxiv:2611.00001"), more=False, at=NOW)]
    assert office.desk().take_subject("unsubscribe").done is Done.OPEN
