"""Mail servers that refuse, defer, are dead or unsafe; and titles that would like to be headers."""

import json
from datetime import date
from operator import itemgetter

import pytest

from digest.cli.report import Watcher
from tests.builders import NOW, an_edition
from tests.cli.home import SATURDAY, Home, a_listing, address, arxiv, papers_in, parsed, reader, text_of
from tests.collect.evil_http import EvilHttp
from tests.collect.pages import hf, hf_item
from tests.deliver.evil_smtp import EvilSmtp

BOTH = sorted([address("Ada"), address("Ben")])


def test_recipients_who_are_refused_or_deferred_cost_nobody_else_and_no_paper(home: Home, http: EvilHttp) -> None:
    home.subscribe(*map(reader, ("Ada", "Ben", "Cleo")), sources=[arxiv(http)])
    rules = {
        f"rcpt:{address('Ada')}": ["550 5.1.1 no such user <ada.canary@readers.test>"],
        f"rcpt:{address('Ben')}": ["450 4.2.0 greylisted, try again"],
    }
    with EvilSmtp(rules) as smtp:
        home.mail_to(smtp)
        friday = home.run()
        again = home.run()
        assert smtp.recipients == [address("Cleo")]
        saturday = home.run(now=SATURDAY)

    assert (friday.code, again.code, saturday.code) == (1, 0, 0)
    assert "failed ada 2026-11-20 (recipient refused (550 5.1.1 no such user <a***@***>))" in friday.out
    assert "deferred ben 2026-11-20 (recipient refused (450 4.2.0 greylisted, try again)), next try 20" in friday.out
    assert friday.last_line.endswith("; 1 accepted, 1 deferred, 1 failed; 1 message waiting")
    for name in ("Ada", "Ben", "Cleo"):
        assert papers_in(smtp.accepted, name) == ["2611.00001", "2611.00002"]


def test_a_dead_server_leaves_everything_waiting(readers: Home) -> None:
    with EvilSmtp() as dead:
        pass
    readers.mail_to(dead)

    refused = readers.run()

    assert refused.code == 1
    assert f"127.0.0.1:{dead.port}: cannot connect (Connection refused)" in refused.err
    assert "hint: every message waits for the next run" in refused.err
    assert refused.last_line.endswith("waiting, sending stopped")
    with EvilSmtp() as smtp:
        readers.mail_to(smtp)
        sent = json.loads(readers.run("--json").out)
    assert sorted(smtp.recipients) == BOTH
    assert sorted(sent["deliveries"], key=itemgetter("subscriber")) == [
        {"subscriber": name, "date": "2026-11-20", "state": "accepted"} for name in ("ada", "ben")
    ]


@pytest.mark.parametrize(("day", "said"), [(20, "due Ada: 1 matched\n"), (19, "due Ada 2026-11-19: 1 matched\n")])
def test_what_is_due_has_its_date_unless_it_is_todays(day: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Watcher(sources=0, now=NOW).opened(an_edition(date=date(2026, 11, day)))

    assert capsys.readouterr().out == said


def test_a_refused_password_is_tried_once_and_shown_nowhere(readers: Home) -> None:
    with EvilSmtp(credentials=("digest-login", "another")) as smtp:
        readers.mail_to(smtp, sign_in=True)

        refused = readers.run()
        checked = readers.digest("check", "--smtp")

        assert (refused.code, checked.code) == (3, 3)
        assert checked.last_line == "1 source, 2 subscribers, 1 problem"
        assert smtp.said("AUTH") == 2
        assert smtp.said("MAIL") == 0
    for said in (refused.err, checked.err):
        assert "sign-in refused for 'digest-login' (535 5.7.8 bad credentials)" in said
        assert "hint: check DIGEST_SMTP__USERNAME and DIGEST_SMTP__PASSWORD" in said
    with EvilSmtp(credentials=("digest-login", readers.env["DIGEST_SMTP__PASSWORD"])) as smtp:
        readers.mail_to(smtp, sign_in=True)
        assert readers.run().code == 0
    assert sorted(smtp.recipients) == BOTH


def test_a_server_without_starttls_learns_no_password(readers: Home) -> None:
    with EvilSmtp(credentials=("digest-login", "another")) as smtp:
        readers.mail_to(smtp, "starttls", sign_in=True)

        refused = readers.run()

    assert refused.code == 3
    assert "the server does not offer STARTTLS" in refused.err
    assert "hint: the password was not sent" in refused.err
    assert {line.split()[0].upper() for _, line in smtp.commands} == {"EHLO"}


TITLES = {
    "Script": ("Alpha <script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    "Jinja": ("Beta {{ 7*7 }} {% raw %}", "{{ 7*7 }} {% raw %}"),
    "Lines": ("Gamma\r\nBcc: victim@victim.test\r\n\r\nA body", "Bcc: victim@victim.test A body"),
    "Encoded": ("Delta =?utf-8?q?=0D=0ABcc:_victim@victim.test?=", "=?utf-8?q?=0D=0ABcc:_victim@victim.test?="),
}
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Help", "List-Unsubscribe", "List-Post",
    "Feedback-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
]  # fmt: skip


def test_a_title_is_text_whatever_it_looks_like(home: Home) -> None:
    words = {name: title.split()[0] for name, (title, _) in TITLES.items()}
    items = [hf_item(number, title=title) for number, (title, _) in enumerate(TITLES.values(), 1)]
    with a_listing() as http, EvilSmtp() as smtp:
        http.answers("/hf", hf(*items))
        home.subscribe(
            *(reader(name, topics=[{"name": "One", "any": [word]}]) for name, word in words.items()),
            sources=[{"huggingface": "daily", "url": f"{http.url}/hf", "allow_private": True}],
        )
        home.mail_to(smtp)
        done = home.run()

    assert done.code == 0
    assert sorted(smtp.recipients) == sorted(address(name) for name in TITLES)
    assert smtp.said("RCPT") == len(TITLES)
    for name, (title, in_html) in TITLES.items():
        [mail] = [mail for mail in smtp.accepted if mail.recipient == address(name)]
        message = parsed(mail)
        assert message.keys() == HEADERS
        assert str(message["To"]) == address(name)
        assert words[name] in str(message["Subject"])
        assert " ".join(title.split()) in " ".join(text_of(mail).split())
        page = message.get_body(("html",))
        assert page
        assert in_html in " ".join(page.get_content().split())
        assert "<script" not in page.get_content()
        assert "49" not in str(message["Subject"])
