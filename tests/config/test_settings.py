import logging
import os
from pathlib import Path

import pytest

from digest.app import build_answers
from digest.config.problems import ConfigProblems
from digest.config.settings import Keys, Settings, environment, load_settings, unknown_variables
from digest.errors import ConfigError
from digest.model import Security
from digest.render.plan import Answers
from digest.tokens import Keyring

CANARY = "canary-password-1"

KEYRING = Keyring(b"a secret for tests only")


@pytest.fixture(autouse=True)
def _a_clean_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("DIGEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def told(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigProblems) as caught:
        load_settings()
    return str(caught.value)


def test_nothing_need_be_set() -> None:
    settings = load_settings()

    assert settings.smtp.host is None
    assert settings.smtp.security is Security.STARTTLS
    assert settings.database_url == "sqlite:///var/digest.sqlite3"
    assert settings.subscribers == Path("subscribers.yaml")
    assert settings.catch_up_days == 3
    assert "@" not in settings.contact


def test_variables_and_the_env_file_are_read_and_variables_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(
        "DIGEST_SMTP__HOST=smtp.example.org\nDIGEST_SMTP__USERNAME=u\nDIGEST_SMTP__PASSWORD='a b'\n"
        "DIGEST_CATCH_UP_DAYS=2\n"
    )
    monkeypatch.setenv("DIGEST_CATCH_UP_DAYS", "5")
    monkeypatch.setenv("DIGEST_SENDER", "Paperround <digest@example.org>")

    settings = load_settings()

    assert settings.smtp.host == "smtp.example.org"
    assert settings.smtp.password is not None
    assert settings.smtp.password.get_secret_value() == "a b"
    assert settings.catch_up_days == 5
    assert settings.sender == "Paperround <digest@example.org>"
    assert environment()["DIGEST_SMTP__HOST"] == "smtp.example.org"
    assert environment()["DIGEST_CATCH_UP_DAYS"] == "5"


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_the_security(monkeypatch: pytest.MonkeyPatch, security: str, port: int) -> None:
    monkeypatch.setenv("DIGEST_SMTP__HOST", "127.0.0.1")
    monkeypatch.setenv("DIGEST_SMTP__SECURITY", security)

    assert load_settings().smtp.effective_port == port


def test_empty_variables_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SMTP__PORT", "")
    monkeypatch.setenv("DIGEST_SMTP__PASSWORD", "")

    assert load_settings().smtp.password is None


def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{CANARY} \r\n")
    monkeypatch.setenv("DIGEST_SMTP__HOST", "smtp.example.org")
    monkeypatch.setenv("DIGEST_SMTP__USERNAME", "u")
    monkeypatch.setenv("DIGEST_SMTP__PASSWORD_FILE", str(tmp_path / "password"))

    settings = load_settings()

    assert settings.smtp.password is not None
    assert settings.smtp.password.get_secret_value() == f"{CANARY} "
    assert settings.smtp.host == "smtp.example.org"
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings.model_dump())


@pytest.mark.parametrize("from_file", [False, True])
def test_every_key_may_be_set_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, from_file: bool
) -> None:
    secrets = {f"DIGEST_KEYS__{name.upper()}": f"{CANARY}-{name}" for name in Keys.model_fields}
    secrets |= {"DIGEST_PROXY": f"http://user:{CANARY}@proxy.example:3128", "DIGEST_LLM__KEY": f"{CANARY}-llm"}
    for name, value in secrets.items():
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setenv(f"{name}_FILE" if from_file else name, str(tmp_path / name) if from_file else value)
    monkeypatch.setenv("DIGEST_LLM__URL", "http://127.0.0.1:11434/v1")
    monkeypatch.setenv("DIGEST_LLM__MODEL", "small")

    settings = load_settings()

    keys = {name: key.get_secret_value() for name, key in settings.keys if key}
    assert keys == {name: f"{CANARY}-{name}" for name in Keys.model_fields}
    assert settings.proxy is not None
    assert settings.proxy.get_secret_value() == f"http://user:{CANARY}@proxy.example:3128"
    assert settings.llm.key is not None
    assert settings.llm.key.get_secret_value() == f"{CANARY}-llm"
    assert (settings.llm.papers, settings.llm.seconds) == (30, 60)
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings.model_dump())
    assert unknown_variables(dict(os.environ)) == ()


def test_where_answers_and_notices_go_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    feedback = "https://forms.example.org/f?r={reader}&p={paper}&v={verdict}"
    monkeypatch.setenv("DIGEST_MAILBOX", " papers@example.org ")
    monkeypatch.setenv("DIGEST_OPERATOR", "ops@example.org")
    monkeypatch.setenv("DIGEST_FEEDBACK_URL", feedback)
    monkeypatch.setenv("DIGEST_UNSUBSCRIBE_URL", "http://localhost:8080/{reader}/off")
    monkeypatch.setenv("DIGEST_BROKEN_TEMPLATE", "builtin")

    settings = load_settings()

    assert (settings.mailbox, settings.operator) == ("papers@example.org", "ops@example.org")
    assert "@" not in repr(settings)
    assert settings.broken_template == "builtin"
    answers = build_answers(settings, KEYRING)
    assert answers == Answers(
        "papers@example.org", feedback, "http://localhost:8080/{reader}/off", keyring=KEYRING, bounces=""
    )
    assert build_answers(Settings.model_construct(), KEYRING) == Answers(keyring=KEYRING)


def test_an_address_that_is_put_into_headers_is_written_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_UNSUBSCRIBE_URL", "https://fórms.example.org/ü?r={reader}&y=[z]")

    answers = build_answers(load_settings(), KEYRING)

    assert answers.unsubscribe_url == "https://xn--frms-qqa.example.org/%C3%BC?r={reader}&y=%5Bz%5D"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DIGEST_SMTP__PORT": "abc"}, ["DIGEST_SMTP__PORT: ", "whole number, got 'abc'"]),
        ({"DIGEST_SMTP__PORT": "0"}, ["DIGEST_SMTP__PORT: ", "1 or more"]),
        ({"DIGEST_SMTP__PORT": "65536"}, ["65535 or less"]),
        ({"DIGEST_SMTP__SECURITY": "startls"}, ["DIGEST_SMTP__SECURITY: ", "'startls'", "did you mean 'starttls'?"]),
        (
            {"DIGEST_SMTP__SECURITY": "none", "DIGEST_SMTP__HOST": "smtp.example.org"},
            ["DIGEST_SMTP__SECURITY: ", "this machine"],
        ),
        ({"DIGEST_SMTP__HOST": "smtp://x"}, ["DIGEST_SMTP__HOST: ", "'smtp://x'"]),
        ({"DIGEST_SMTP__HOST": "x", "DIGEST_SMTP__PASSWORD": CANARY}, ["DIGEST_SMTP__USERNAME is not"]),
        ({"DIGEST_SMTP__HOST": "x", "DIGEST_SMTP__USERNAME": "u"}, ["DIGEST_SMTP__PASSWORD is not"]),
        ({"DIGEST_SMTP__PASSWORD_FILE": "/nowhere/x"}, ["DIGEST_SMTP__PASSWORD_FILE: ", "'/nowhere/x' cannot be read"]),
        ({"DIGEST_SENDER": "Paperround"}, ["DIGEST_SENDER: ", "is not an address"]),
        ({"DIGEST_SENDER": "A <a@example.org>\r\nBcc: b@example.org"}, ["DIGEST_SENDER: ", "is not one line"]),
        ({"DIGEST_SENDER": "a@b.org, c@d.org"}, ["DIGEST_SENDER: "]),
        ({"DIGEST_SENDER": "x@y.org <a@example.org>"}, ["the sender's name"]),
        ({"DIGEST_SENDER": "A <a@localhost>"}, ["'a***@***'"]),
        ({"DIGEST_DATABASE_URL": f"{CANARY}"}, ["DIGEST_DATABASE_URL: ", "not a database URL"]),
        ({"DIGEST_TEMPLATES": "/nowhere"}, ["DIGEST_TEMPLATES: ", "'/nowhere' is not a folder"]),
        ({"DIGEST_MAILBOX": "Papers <papers@example.org>"}, ["DIGEST_MAILBOX: ", "bare address"]),
        ({"DIGEST_OPERATOR": "canary"}, ["DIGEST_OPERATOR: ", "is not an address", "'@'"]),
        ({"DIGEST_BROKEN_TEMPLATE": "bultin"}, ["DIGEST_BROKEN_TEMPLATE: ", "did you mean 'builtin'?"]),
        ({"DIGEST_FEEDBACK_URL": "https://f.example/{reader}"}, ["DIGEST_FEEDBACK_URL: ", "lacks {paper}, {verdict}"]),
        (
            {"DIGEST_FEEDBACK_URL": "https://f.example/{reader}/{papr}/{verdict}"},
            ["DIGEST_FEEDBACK_URL: ", "holds '{papr}'", "did you mean '{paper}'?"],
        ),
        ({"DIGEST_UNSUBSCRIBE_URL": "http://f.example/{reader}"}, ["DIGEST_UNSUBSCRIBE_URL: ", "not an https address"]),
        (
            {"DIGEST_UNSUBSCRIBE_URL": "https://f.example/<b>/{reader}"},
            ["DIGEST_UNSUBSCRIBE_URL: ", "not a web address"],
        ),
        (
            {"DIGEST_UNSUBSCRIBE_URL": f"https://f.example/{'a' * 800}/{{reader}}"},
            ["DIGEST_UNSUBSCRIBE_URL: ", "more than 800"],
        ),
        (
            {"DIGEST_UNSUBSCRIBE_URL": "https://{reader}.example/{reader}"},
            ["DIGEST_UNSUBSCRIBE_URL: ", "not a web address"],
        ),
        ({"DIGEST_UNSUBSCRIBE_URL": "https://{reader}.example/"}, ["lacks {reader} after the host"]),
        ({"DIGEST_UNSUBSCRIBE_URL": "https://f.example/{reader"}, ["holds '{'", "known: {reader}"]),
        ({"DIGEST_UNSUBSCRIBE_URL": "mailto:a@f.example?{reader}"}, ["DIGEST_UNSUBSCRIBE_URL: ", "not a web address"]),
        ({"DIGEST_UNSUBSCRIBE_URL": "https://f.example/{reader}\r\nX: y"}, ["DIGEST_UNSUBSCRIBE_URL: "]),
        ({"DIGEST_CONTACT": "me\r\nX: y"}, ["DIGEST_CONTACT: ", "User-Agent"]),
        ({"DIGEST_CATCH_UP_DAYS": "0"}, ["DIGEST_CATCH_UP_DAYS: ", "1 or more"]),
        ({"DIGEST_SMTP": "x"}, ["DIGEST_SMTP: ", "set DIGEST_SMTP__HOST"]),
        ({"DIGEST_KEYS": CANARY}, ["DIGEST_KEYS: ", "set DIGEST_KEYS__HUGGINGFACE"]),
        ({"DIGEST_PROXY": f"{CANARY}@proxy:3128"}, ["DIGEST_PROXY: ", "not the address of a proxy", "http://proxy"]),
        ({"DIGEST_PROXY": f"http://user:{CANARY}@proxy"}, ["DIGEST_PROXY: ", "http://proxy.example.org:3128"]),
        ({"DIGEST_PROXY": f"socks5://user:{CANARY}@proxy:1080"}, ["DIGEST_PROXY: "]),
        ({"DIGEST_PROXY": f"http://proxy:99999/{CANARY}"}, ["DIGEST_PROXY: "]),
        ({"DIGEST_LLM__URL": "https://l.example/v1"}, ["DIGEST_LLM__MODEL is not"]),
        ({"DIGEST_LLM__MODEL": "small"}, ["DIGEST_LLM__URL is not"]),
        ({"DIGEST_LLM__URL": "l.example", "DIGEST_LLM__MODEL": "small"}, ["DIGEST_LLM__URL: ", "not a web address"]),
        (
            {"DIGEST_LLM__URL": "http://l.example/v1", "DIGEST_LLM__MODEL": "small", "DIGEST_LLM__KEY": CANARY},
            ["DIGEST_LLM__KEY would go over an open line", "https"],
        ),
        ({"DIGEST_LLM__PAPERS": "0"}, ["DIGEST_LLM__PAPERS: ", "1 or more"]),
        ({"DIGEST_LLM__SECONDS": "1.5"}, ["DIGEST_LLM__SECONDS: ", "whole number"]),
    ],
)
def test_a_wrong_setting_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], words: list[str]
) -> None:
    text = told(monkeypatch, **variables)

    assert all(word in text for word in words), text
    assert CANARY not in text


def test_a_secret_given_twice_or_empty_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")

    text = told(
        monkeypatch,
        DIGEST_SMTP__PASSWORD=CANARY,
        DIGEST_SMTP__PASSWORD_FILE=str(tmp_path / "empty"),
        DIGEST_SMTP__HOST="x",
    )

    assert "DIGEST_SMTP__PASSWORD is set as well" in text
    assert "is empty" in text
    assert CANARY not in text


def test_all_wrong_settings_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(
        monkeypatch,
        DIGEST_SMTP__PORT="abc",
        DIGEST_SENDER="x",
        DIGEST_CATCH_UP_DAYS="many",
        DIGEST_SMTP__PASSWORD=CANARY,
        DIGEST_SMTP__USERNAME_FILE="/nowhere",
    )

    assert all(name in text for name in ("SMTP__PORT", "SENDER", "CATCH_UP_DAYS", "USERNAME_FILE"))
    assert CANARY not in text


def test_a_variable_that_nothing_reads_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Path(".env").write_text(f"DIGEST_SENDR={CANARY}\nOTHER=1\n")
    monkeypatch.setenv("DIGEST_SMTP_HOST", CANARY)

    with caplog.at_level(logging.WARNING):
        load_settings()

    assert "DIGEST_SMTP_HOST is not a setting; did you mean DIGEST_SMTP__HOST?" in caplog.text
    assert "DIGEST_SENDR is not a setting; did you mean DIGEST_SENDER?" in caplog.text
    assert "OTHER" not in caplog.text
    assert CANARY not in caplog.text


def test_small_letters_are_known() -> None:
    assert unknown_variables({"digest_sender": "x", "DIGEST_SMTP__PASSWORD_FILE": "y"}) == ()


def test_an_env_file_that_is_not_text_is_told() -> None:
    Path(".env").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings()
