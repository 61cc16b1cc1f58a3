"""The doctor on a whole installation: one bad part is told and hides no other."""

import json
from typing import Any

from tests.cli.home import FRIDAY, PASSWORD, USERNAME, Done, Home
from tests.collect.evil_http import Answer, EvilHttp
from tests.deliver.evil_smtp import EvilSmtp


def findings(done: Done) -> list[dict[str, Any]]:
    view = json.loads(done.out)
    assert view["exit_code"] == done.code
    return list(view["checks"])


def levels(done: Done) -> dict[str, str]:
    """The worst level of each check."""
    order = ["ok", "warning", "error"]
    worst: dict[str, str] = {}
    for each in findings(done):
        worst[each["check"]] = max(worst.get(each["check"], "ok"), each["level"], key=order.index)
    return worst


def test_all_is_well(readers: Home) -> None:
    readers.env["DIGEST_SMTP__PORT"] = "0"
    with EvilSmtp(credentials=(USERNAME, PASSWORD)) as smtp:
        readers.mail_to(smtp, sign_in=True)
        done = readers.digest("doctor", now=FRIDAY)
        tried = smtp.said("AUTH")
        accepted = smtp.accepted

    assert (done.code, done.err) == (0, ""), done.out
    assert "ok      configuration: 1 source, 2 subscribers, 1 look compiled" in done.out
    assert "ok      source: arxiv:cs.CL is fresh: 2 listed" in done.out
    assert "ok      sign-in: signed in" in done.out
    assert "ok      domain: paperround.test is a name for tests" in done.out
    assert done.last_line.endswith("findings: no errors, no warnings")
    assert (tried, accepted) == (1, [])
    assert not (readers.folder / "var").exists()


def test_every_part_that_fails_is_named_and_none_hides_another(readers: Home, http: EvilHttp) -> None:
    http.answers("/rss/cs.CL", Answer(b"", 404))
    (readers.folder / "notes.sqlite3").write_text("no database at all " * 400)
    readers.env |= {
        "DIGEST_DATABASE_URL": "sqlite:///notes.sqlite3",
        "DIGEST_SECRET": "canary-canary-canary",
        "DIGEST_UNSUBSCRIBE_URL": "https://papers.digest-test.org/{reader}",
        "DIGEST_IMAP__HOST": "127.0.0.1",
        "DIGEST_IMAP__PORT": "1",
        "DIGEST_IMAP__USERNAME": "canary-imap",
        "DIGEST_IMAP__PASSWORD": "canary-imap",
        "DIGEST_SMPT__HOST": "mistyped",
    }
    with EvilSmtp(credentials=(USERNAME, "another password")) as smtp:
        readers.mail_to(smtp, sign_in=True)
        done = readers.digest("doctor", "--json", now=FRIDAY)
        tried = smtp.said("AUTH")

    assert done.code == 2
    assert levels(done) == {
        "configuration": "warning", "time zones": "ok", "database": "error", "disk": "ok", "secret": "warning",
        "one-click": "warning", "source": "error", "mail server": "ok", "sign-in": "error", "domain": "ok",
        "mailbox": "error", "files": "ok",
    }  # fmt: skip
    assert all(each["hint"] for each in findings(done) if each["level"] == "error")
    # More would lock the account.
    assert tried == 1


def test_offline_asks_nobody(readers: Home, http: EvilHttp) -> None:
    with EvilSmtp() as smtp:
        readers.mail_to(smtp)
        done = readers.digest("doctor", "--offline", "--json")
        assert smtp.commands == []

    assert done.code == 0, done.out
    assert http.requests == []
    assert set(levels(done)) == {"configuration", "time zones", "database", "disk", "secret", "one-click", "files"}


def test_a_configuration_that_cannot_be_read_is_told(readers: Home) -> None:
    readers.env["DIGEST_SMTP__PORT"] = "many"

    done = readers.digest("doctor", "--json")

    assert done.code == 2
    assert findings(done) == [
        {
            "check": "configuration",
            "level": "error",
            "found": "DIGEST_SMTP__PORT: the value must be a whole number, got 'many'",
            "hint": "write it in digits",
        }
    ]
