"""Mail that no reader is owed: what is sent to be looked at, and what tells the operator of trouble."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from digest.cli import app
from digest.cli.notice import Notices
from digest.cli.send_test import mark_as_test, send_test
from digest.cli.watch import Watch
from digest.config.settings import Settings, Smtp
from digest.errors import ConfigError, RenderError, SmtpRefusedError, StoreError, UnreachableError
from digest.model import Security
from digest.paths import shipped
from digest.pipeline import Report
from digest.render.compile import load_template
from digest.render.compose import compose_message
from tests.builders import NOW, a_match, a_paper, an_edition
from tests.cli.home import FRIDAY, Home, address, arxiv, papers_in, parsed, reader
from tests.collect.evil_http import EvilHttp
from tests.deliver.evil_smtp import EvilSmtp

OPERATOR = "operator.canary@readers.test"


def settings_in(folder: Path, **changes: Any) -> Settings:
    url = f"sqlite:///{folder / 'digest.sqlite3'}"
    return Settings(**{"operator": "operator@example.org", "database_url": url, **changes})


def test_a_preview_can_be_mailed_and_is_no_edition(home: Home, http: EvilHttp) -> None:
    home.subscribe(reader("Ada"), sources=[arxiv(http)])
    with EvilSmtp() as smtp:
        home.mail_to(smtp)
        look = ("--template", "weekly", "--theme", "ink", "--language", "de")
        sent = home.digest("send-test", address("Tester"), "ada", *look, now=FRIDAY)
        ran = home.run()

    assert (sent.code, ran.code) == (0, 0)
    assert "sent to t***@***: " in sent.out
    assert " kB of HTML, " in sent.out
    assert "250 " in sent.last_line
    assert smtp.recipients == [address("Tester"), address("Ada")]
    test, real = map(parsed, smtp.accepted)
    assert str(test["Subject"]).startswith("[test] ")
    assert test["Message-ID"] != real["Message-ID"]
    assert test["List-Unsubscribe"] == real["List-Unsubscribe"]
    assert 'lang="de"' in test.get_body(("html",)).get_content()  # type: ignore[union-attr]
    # Nothing was recorded: the reader gets their edition as if there had been none.
    assert papers_in(smtp.accepted, "Ada") == ["2611.00001", "2611.00002"]


def test_the_help_says_how_the_subject_begins() -> None:
    assert "The subject begins with [test]" in CliRunner().invoke(app, ["send-test", "--help"]).output


def test_a_letter_needs_no_subscriber(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    for _ in range(2):
        send_test("tester@example.org", template="confirm", to_folder=tmp_path / "out")

    first, second = (file.read_bytes() for file in (tmp_path / "out").glob("*.eml"))
    assert b"Subject: [test] Please confirm your subscription\r\n" in first
    assert first != second


@pytest.mark.parametrize(
    ("to", "name", "template", "theme", "said"),
    [
        pytest.param("tester", "ada", None, None, "ADDRESS: 't***' is not an address", id="address"),
        pytest.param("t@example.org", None, None, None, "NAME: whose digest is not said", id="no name"),
        pytest.param("t@example.org", "ida", None, None, "no subscriber is called 'ida'", id="name"),
        pytest.param("t@example.org", "ada", "dialy", None, "unknown template 'dialy'", id="template"),
        pytest.param("t@example.org", None, "notice", "inc", "unknown theme 'inc'", id="theme"),
    ],
)
def test_what_cannot_be_sent_is_said(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    to: str,
    name: str | None,
    template: str | None,
    theme: str | None,
    said: str,
) -> None:
    home.subscribe(reader("Ada"), sources=[])
    monkeypatch.chdir(home.folder)
    monkeypatch.setenv("ADA_EMAIL", address("Ada"))

    with pytest.raises((ConfigError, RenderError)) as caught:
        send_test(to, name, template=template, theme=theme)

    assert said in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("title", ["An Invented Paper", "鹊桥" * 60, "word " * 60], ids=["short", "encoded", "folded"])
def test_only_subject_and_identity_of_a_test_differ(title: str) -> None:
    daily = load_template("daily", [shipped("templates")])
    edition = an_edition(matched=(a_match(a_paper(title=title)),))
    message = compose_message(edition, daily, sender="P <digest@example.org>", now=NOW)

    test = mark_as_test(message, "abc")

    def others(raw: bytes) -> list[bytes]:
        head, _, body = raw.partition(b"\r\n\r\n")
        fields = head.replace(b"\r\n ", b" ").split(b"\r\n")
        return [*(field for field in fields if not field.startswith((b"Subject:", b"Message-ID:"))), body]

    assert others(test.raw) == others(message.raw)
    assert b"\r\nMessage-ID: <test.abc@example.org>\r\n" in test.raw
    assert test.subject == f"[test] {message.subject}"
    assert max(map(len, test.raw.split(b"\r\n"))) <= 998


def test_the_operator_is_told_of_a_run_that_failed(home: Home, http: EvilHttp) -> None:
    home.subscribe(reader("Ada"), reader("Ben"), sources=[arxiv(http)])
    home.env["DIGEST_OPERATOR"] = OPERATOR
    with EvilSmtp({f"rcpt:{address('Ada')}": f"550 5.1.1 no such user <{address('Ada')}>"}) as smtp:
        home.mail_to(smtp)
        dry = home.run("--dry-run")
        assert smtp.recipients == []
        failed = home.run()

    assert (dry.code, failed.code) == (0, 1)
    assert smtp.recipients == [address("Ben"), OPERATOR]
    notice = parsed(smtp.accepted[1])
    assert notice["Subject"] == "digest run needs your attention"
    text = notice.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "failed ada 2026-11-20: recipient refused" in " ".join(text.split())
    assert "a***@***" in text
    assert address("Ada") not in text


def test_a_notice_that_cannot_be_sent_is_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EvilSmtp() as dead:
        pass
    smtp = Smtp(host="127.0.0.1", port=dead.port, security=Security.NONE)
    settings = settings_in(tmp_path, sender="digest@example.org", smtp=smtp)

    Notices(settings, None, "digest run").tell(StoreError("the disk is full"), NOW)

    assert "the operator was not told: 127.0.0.1" in caplog.text


def test_a_part_of_ones_own_that_fails_when_it_is_filled_in_costs_no_notice(tmp_path: Path) -> None:
    closing = tmp_path / "mine/parts/closing.mjml.j2"
    closing.parent.mkdir(parents=True)
    closing.write_text("<mj-text>{{ letter.nope }}</mj-text>\n")
    settings = settings_in(tmp_path, templates=tmp_path / "mine")

    Notices(settings, tmp_path, "digest run").tell(StoreError("the disk is full"), NOW)

    (notice,) = tmp_path.glob("*.eml")
    assert b"the disk is full" in notice.read_bytes()


def test_of_each_kind_of_trouble_there_is_one_notice_a_day(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    full, broken = StoreError("the disk is full"), ConfigError("a template is broken")

    told = []
    for trouble, hours in ((full, 0), (full, 1), (broken, 2), (broken, 3), (full, 24)):
        # As each run does, in a process of its own.
        Notices(settings, tmp_path, "digest run").tell(trouble, NOW + timedelta(hours=hours))
        told.append(len([*tmp_path.glob("*.eml")]))

    assert told == [1, 1, 2, 2, 3]


def test_a_server_that_refuses_us_is_not_asked_to_take_a_notice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same password once more brings the account nearer to being locked."""
    report = Report(stopped_by=SmtpRefusedError("535 sign-in refused"))

    Notices(settings_in(tmp_path), tmp_path, "digest run").tell(report, NOW)

    assert not [*tmp_path.glob("*.eml")]
    assert "the operator was not told: the mail server refuses us" in caplog.text


def test_a_mistake_of_the_programs_is_told_by_its_kind_alone(tmp_path: Path) -> None:
    figures = tmp_path / "paperround.prom"
    settings = settings_in(tmp_path, metrics_file=figures)

    Watch(settings, tmp_path, "digest serve").ended(KeyError("ada@example.org"), NOW)

    (notice,) = tmp_path.glob("*.eml")
    assert b"a mistake of this program's: KeyError" in notice.read_bytes()
    assert b"ada@example.org" not in notice.read_bytes()
    assert 'paperround_runs_total{exit_code="1"} 1.0' in figures.read_text()


def test_what_was_not_sent_is_not_said_to_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with EvilSmtp() as dead:
        pass
    monkeypatch.setenv("DIGEST_SENDER", "digest@example.org")
    monkeypatch.setenv("DIGEST_SMTP__HOST", "127.0.0.1")
    monkeypatch.setenv("DIGEST_SMTP__PORT", str(dead.port))

    with pytest.raises(UnreachableError) as caught:
        send_test("tester@example.org", template="confirm")

    assert caught.value.hint == "nothing was sent, and nothing waits"


def test_without_an_operator_nobody_is_told(tmp_path: Path) -> None:
    Notices(Settings(), tmp_path, "digest run").tell(StoreError("the disk is full"), NOW)

    assert not [*tmp_path.iterdir()]
