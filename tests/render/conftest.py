"""The shipped template, compiled once for all tests; it is never changed by rendering."""

from collections.abc import Callable
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from digest.model import Edition, Message
from digest.paths import shipped
from digest.render.compile import SUBJECT, Template, load_template
from digest.render.compose import compose_message
from digest.render.source import HTML, TEXT
from tests.builders import NOW
from tests.render.samples import WORDINGS

SENDER = "Paperround <digest@example.org>"


@pytest.fixture(scope="session")
def daily() -> Template:
    return load_template("daily", [shipped("templates")])


@pytest.fixture(scope="session")
def weekly() -> Template:
    return load_template("weekly", [shipped("templates")])


@pytest.fixture(scope="session")
def compose(daily: Template) -> Callable[[Edition], Message]:
    """As for a reader for whom a language model wrote what `WORDINGS` has, if it is about these papers at all."""
    return lambda edition: compose_message(replace(edition, wordings=WORDINGS), daily, sender=SENDER, now=NOW)


@pytest.fixture
def write_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Template]:
    """Compile a template ``mine`` in ``templates/`` of a fresh working folder; other files of it by their names, with
    ``_`` for each dot: ``card_mjml``.
    """
    monkeypatch.chdir(tmp_path)

    def write(html: str = "", subject: str = "S", text: str = "T", wrap: bool = True, **files: str) -> Template:
        folder = tmp_path / "templates" / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        if wrap:
            html = f"<mjml><mj-body><mj-section>\n<mj-column>{html}</mj-column></mj-section></mj-body></mjml>"
        own = {f"layout{HTML}": html, SUBJECT: subject, f"layout{TEXT}": text}
        for name, source in (own | {f"{name.replace('_', '.')}.j2": source for name, source in files.items()}).items():
            (folder / name).write_text(source, encoding="utf-8")
        return load_template("mine", [tmp_path / "templates"])

    return write


def read_back(raw: bytes) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    return message


def bodies(raw: bytes) -> tuple[str, str]:
    text, html = read_back(raw).iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")
