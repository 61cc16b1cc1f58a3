"""What mails ask for, in the shapes that mail programs give their subjects."""

from email import message_from_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.inbox.answers import MOST_DAYS, Answer, Verb, find_answer, is_automatic, subject_of, wants_out
from tests.inbox.mails import a_mail, wire

T = "-aB3_d5FgH7iJ9kLmN1pQr"
OUT = Answer(verb=Verb.UNSUBSCRIBE, token=T)
REPLY = Answer(verb=Verb.UNSUBSCRIBE, token=T, is_first=False)


def pause(days: int) -> Answer:
    return Answer(verb=Verb.PAUSE, token=T, days=days)


def more(*papers: str, verb: Verb = Verb.MORE) -> Answer:
    return Answer(verb=verb, token=T, papers=papers)


SUBJECTS: dict[str, tuple[str, Answer | None]] = {
    "as linked": (f"unsubscribe {T}", OUT),
    "capitals": (f"UNSUBSCRIBE {T}", OUT),
    "a reply": (f"Re: unsubscribe {T}", REPLY),
    "a reply in German": (f"AW: unsubscribe {T}", REPLY),
    "a reply in Swedish": (f"SV: SV: unsubscribe {T}", REPLY),
    "a reply in Polish": (f"Odp: Unsubscribe {T}", REPLY),
    "a reply in Chinese": (f"回复：unsubscribe {T}", REPLY),
    "a reply in Japanese": (f"転送: Re: unsubscribe {T}", REPLY),
    "marked as from outside": (f"[EXTERNAL] unsubscribe {T}", REPLY),
    "marked as spam": (f"***SPAM*** unsubscribe {T}", REPLY),
    "percent signs left": (f"unsubscribe%20{T}", OUT),
    "plus signs for blanks": (f"unsubscribe+{T}", OUT),
    "several blanks": (f"  unsubscribe \t {T}  ", OUT),
    "in angle brackets": (f"unsubscribe <{T}>", OUT),
    "with a signature": (f"unsubscribe {T} sent from my phone", OUT),
    "encoded, base64": ("=?utf-8?B?dW5zdWJzY3JpYmUgLWFCM19kNUZnSDdpSjlrTG1OMXBRcg==?=", OUT),
    "encoded, quoted-printable": (f"=?iso-8859-1?Q?unsubscribe_{T.replace('_', '=5F')}?=", OUT),
    "encoded in two words, cut in the token": (
        f"=?utf-8?Q?unsubscribe_{T[:9].replace('_', '=5F')}?=\n =?utf-8?Q?{T[9:].replace('_', '=5F')}?=",
        OUT,
    ),
    "folded before the token": (f"unsubscribe\n {T}", OUT),
    "an unknown charset": (f"=?x-none?Q?unsubscribe_{T.replace('_', '=5F')}?=", OUT),
    "pause as linked": (f"pause 2 weeks {T}", pause(14)),
    "pause for a day": (f"Pause 1 day {T}", pause(1)),
    "pause for months": (f"pause 3 months {T}", pause(90)),
    "pause for ever": (f"pause 999 weeks {T}", pause(MOST_DAYS)),
    "pause for nothing": (f"pause 0 days {T}", pause(1)),
    "pause without a length": (f"pause {T}", pause(14)),
    "resume": (f"resume {T}", Answer(verb=Verb.RESUME, token=T)),
    "more": (f"more {T} arxiv:2611.00001", more("arxiv:2611.00001")),
    "less, percent signs left": (
        f"less%20{T}%20doi%3A10.1000%2Fx",
        more("doi%3A10.1000%2Fx", "doi:10.1000/x", verb=Verb.LESS),
    ),
    "more of a key with a blank": (f"more {T} guid:a b", more("guid:a b")),
    "more of nothing": (f"more {T}", None),
    "without a token": ("unsubscribe", None),
    "a token too short": (f"unsubscribe {T[:-1]}", None),
    "a token too long": (f"unsubscribe {T}x", None),
    "a verb within a word": (f"myunsubscribe {T}", None),
    "a title that says so": ("Re: 3 papers: Pause and Resume, More or Less", None),
    "empty": ("", None),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_subjects(name: str) -> None:
    subject, expected = SUBJECTS[name]
    mail = message_from_bytes(a_mail(subject))

    assert find_answer(subject_of(mail)) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param("", False, id="a person"),
        pytest.param("Auto-Submitted: no\n", False, id="says that it is none"),
        pytest.param("Auto-Submitted: auto-replied; x\n", True, id="RFC 3834"),
        pytest.param("Auto-Submitted: auto-generated\n", True, id="generated"),
        pytest.param("Precedence: bulk\n", True, id="bulk"),
        pytest.param("Precedence: first-class\n", False, id="first-class"),
        pytest.param("X-Autoreply: yes\n", True, id="X-Autoreply"),
        pytest.param("Return-Path: <>\n", True, id="nobody to answer to"),
    ],
)
def test_programs_are_told_from_people(head: str, expected: bool) -> None:
    assert is_automatic(message_from_bytes(a_mail("Out of office", head=head))) is expected


@pytest.mark.parametrize(
    "subject", ["please UNSUBSCRIBE me", "Abmelden", "Me désabonner", "darme de baja", "退订", "配信停止", "STOP"]
)
def test_wishes_in_other_words_are_noticed(subject: str) -> None:
    assert wants_out(subject)
    assert not wants_out("Re: 3 papers: Stopping rules for subscribers")


@given(st.binary(max_size=300))
@example(b"Subject: =?utf-8?B?x?=\r\n\r\n")
@example(b"Subject: \xff\xfe =?utf-8?Q?=ED=A0=80?=\r\n\r\n")
@example(b"Subject: =?idna?Q?=ff?= =?utf-7?Q?+2AA?= =?rot13?Q?x?=\r\n\r\n")
def test_no_subject_is_too_much(raw: bytes) -> None:
    for data in (raw, b"Subject: " + raw, wire("Subject: =?utf-8?Q?") + raw + b"?=\r\n\r\n"):
        mail = message_from_bytes(data)
        subject = subject_of(mail)
        assert "\n" not in subject
        find_answer(subject)
        wants_out(subject)
        is_automatic(mail)


@given(st.text(st.sampled_from("pause unsubrimolTV%20+-_1 ")))
def test_what_is_found_has_the_shape_of_a_token(text: str) -> None:
    answer = find_answer(text)

    assert answer is None or len(answer.token) == 22
