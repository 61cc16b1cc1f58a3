"""``digest inbox`` as an operator and a web page call it, from the mail that was sent to the one that is never sent."""

import json
import re
from collections.abc import Iterator

import pytest

from digest.tokens import Keyring
from tests.builders import a_subscriber
from tests.cli.home import FRIDAY, PASSWORD, SATURDAY, Home, address, parsed, text_of
from tests.deliver.evil_smtp import Accepted, EvilSmtp
from tests.inbox.imap_server import ImapServer
from tests.inbox.mails import a_dsn, a_mail

SECRET = "a secret that is canary-long"


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer().running() as server:
        yield server


@pytest.fixture
def smtp() -> Iterator[EvilSmtp]:
    with EvilSmtp() as server:
        yield server


@pytest.fixture
def office(readers: Home, smtp: EvilSmtp, imap: ImapServer) -> Home:
    home = readers
    home.mail_to(smtp)
    home.env |= {
        "DIGEST_MAILBOX": "answers@paperround.test",
        "DIGEST_BOUNCES": "bounces@paperround.test",
        "DIGEST_IMAP__HOST": "127.0.0.1",
        "DIGEST_IMAP__PORT": str(imap.port),
        "DIGEST_IMAP__SECURITY": "none",
        "DIGEST_IMAP__USERNAME": "answers",
        "DIGEST_IMAP__PASSWORD": PASSWORD,
        "DIGEST_SECRET": SECRET,
    }
    return home


def token(purpose: str) -> str:
    """Ada's."""
    return Keyring(SECRET.encode()).token(a_subscriber(), purpose)


def to(name: str, smtp: EvilSmtp) -> Accepted:
    return next(mail for mail in smtp.accepted if mail.recipient == address(name))


def subject_in(mail: Accepted, word: str) -> str:
    """Of the link in a mail that begins with this word."""
    found = re.search(rf"subject=({word}[^\s>]*)", text_of(mail))
    assert found
    return found[1]


def test_a_reader_who_answers_is_written_to_no_more(office: Home, smtp: EvilSmtp, imap: ImapServer) -> None:
    assert office.run().code == 0
    mail = to("Ada", smtp)
    assert re.fullmatch(r"bounces\+[\w-]{22}@paperround\.test", mail.sender)
    unsubscribe = str(parsed(mail)["List-Unsubscribe"])
    assert unsubscribe == f"<mailto:answers@paperround.test?subject={subject_in(mail, 'unsubscribe')}>"
    imap.add(a_mail(f"Re: {subject_in(mail, 'unsubscribe')}", sender="x <someone.else.canary@readers.test>"))
    imap.add(a_mail(subject_in(to("Ben", smtp), "more").upper().replace("MORE", "more") + " "))
    imap.add(a_mail(subject_in(to("Ben", smtp), "less")))

    done = office.digest("inbox", now=FRIDAY)
    assert (done.code, "warning -: 'more' with a token that is void" in done.err) == (1, True)
    assert done.last_line == "2 mails dealt with, 1 for you to decide, 0 of other matters"
    assert "ben: less like arxiv:" in done.out
    assert len(imap.unseen) == 1
    assert json.loads((office.folder / "subscribers.yaml").read_text())["subscribers"][0]["paused"] is True

    smtp.accepted.clear()
    assert office.run("--all", now=SATURDAY).code == 0
    assert {mail.recipient for mail in smtp.accepted} <= {address("Ben")}


def test_a_web_page_hands_on_what_its_reader_clicked(office: Home) -> None:
    done = office.digest("inbox", "--subject", f"pause 2 weeks {token('pause')}", "--json", now=FRIDAY)
    forged = office.digest("inbox", "--subject", "unsubscribe " + "x" * 22, now=FRIDAY)

    assert json.loads(done.out)["outcomes"] == [
        {"done": "paused", "subscriber": "ada", "text": "no mail from 2026-11-20 to 2026-12-04"}
    ]
    assert (forged.code, "token that is void" in forged.err) == (1, True)


def test_what_comes_back_on_two_days_ends_it(office: Home, imap: ImapServer) -> None:
    for day in (20, 21):
        imap.add(a_dsn(token("bounce"), to=address("Ada")), arrived=f"{day}-Nov-2026 08:00:00 +0000")

    done = office.digest("inbox", now=SATURDAY)

    assert "bounced ada: the address does not exist" in done.out
    assert "suppressed ada: mail came back on 2 days, last on 2026-11-21" in done.out


def test_who_is_paused_is_lifted_by_name_and_told_to_be_paused(office: Home) -> None:
    office.digest("inbox", "--subject", f"unsubscribe {token('unsubscribe')}", now=FRIDAY)

    lifted = office.digest("inbox", "--lift", "Ada")

    assert lifted.code == 0
    assert lifted.out.startswith("ada: is not suppressed any more, but paused: delete 'paused: true' (line ")
    assert "nobody is suppressed" in office.digest("inbox", "--suppressed").out


def test_on_github_the_file_is_shown_and_not_changed(office: Home, imap: ImapServer) -> None:
    before = (office.folder / "subscribers.yaml").read_bytes()
    imap.add(a_mail(f"unsubscribe {token('unsubscribe')}"))
    office.env["GITHUB_ACTIONS"] = "true"

    trial = office.digest("inbox", "--dry-run", now=FRIDAY)
    assert "ada: unsubscribed by mail on 2026-11-20" in trial.out
    assert '"paused": true' in trial.out
    assert imap.unseen

    done = office.digest("inbox", now=FRIDAY)

    assert "write 'paused: true' for them (line " in done.out
    assert (office.folder / "subscribers.yaml").read_bytes() == before
    assert not imap.unseen
    listed = json.loads(office.digest("inbox", "--suppressed", "--json").out)
    assert [each["subscriber"] for each in listed["suppressed"]] == ["ada"]
    assert "is written to again" in office.digest("inbox", "--lift", "ada").out


def test_without_a_mailbox_it_says_what_to_set(office: Home) -> None:
    del office.env["DIGEST_IMAP__HOST"]

    done = office.digest("inbox", now=FRIDAY)

    assert (done.code, "set DIGEST_IMAP__HOST" in done.err) == (2, True)
