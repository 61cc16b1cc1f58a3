"""``digest send-test``: what a preview shows, sent for real to one address."""

import re
import uuid
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from digest.cli.common import NowOption, console, examples, find_subscriber, read_clock, reference_time
from digest.errors import ConfigError, DeliverError
from digest.model import Message
from digest.text.masking import mask

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.render.compile import Template

PREFIX = "[test] "

EPILOG = examples(
    'digest send-test me@example.org "Vision group"',
    'digest send-test me@example.org "Vision group" --template weekly --theme ink --language de',
    "digest send-test me@example.org --template confirm",
)


def send_test(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who gets it.")],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A subscriber's name or id; letters need none.")
    ] = None,
    template: Annotated[str | None, typer.Option(metavar="NAME", help="In place of the subscriber's template.")] = None,
    theme: Annotated[str | None, typer.Option(metavar="NAME", help="In place of the subscriber's theme.")] = None,
    language: Annotated[str | None, typer.Option(metavar="TAG", help="In place of the subscriber's language.")] = None,
    to_folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write .eml files into DIR instead of SMTP.")
    ] = None,
    now: NowOption = None,
) -> None:
    r"""Send what `digest preview NAME` shows to ADDRESS, so that it can be seen in a mail program.

    The subject begins with \[test] and nothing is recorded: the subscriber's next digest is as if there had been none.
    With the templates confirm and notice a sample letter is sent. Links in it act for the subscriber.

    Exit codes: 0 sent, 1 the server did not take it, 2 configuration, 3 the SMTP server refuses us, 4 storage.
    """
    from digest.app import build_backend
    from digest.config.settings import load_settings
    from digest.deliver.outbox import send_alone
    from digest.render.language import note_language
    from digest.render.letters import LETTERS

    moment = reference_time(now)
    recipient = _checked(address)
    settings = load_settings()
    if template and template in LETTERS:
        message, what = _letter(settings, template, theme, language, recipient, moment), "a sample letter"
    elif name is None:
        raise ConfigError("whose digest is not said", where="NAME", hint=f"letters need no name: {', '.join(LETTERS)}")
    else:
        message, what = _edition(settings, name, (template, theme, language), recipient, moment)
    message = mark_as_test(message, uuid.uuid4().hex)
    if note := note_language(language or ""):
        console.print(f"note: {escape(note)}")
    try:
        receipt = send_alone(build_backend(settings, to_folder), message)
    except DeliverError as error:
        # Hints speak of a run, for which messages wait.
        error.hint = error.hint.replace("every message waits for the next run", "nothing was sent, and nothing waits")
        raise
    console.print(
        f"sent to {mask(recipient)}: {escape(what)}, {message.html_bytes / 1000:.1f} kB of HTML,"
        f" {len(message.raw) / 1000:.1f} kB in all"
    )
    console.print(f"  {escape(f'{receipt.code} {receipt.text}'.rstrip())}")


def mark_as_test(message: Message, token: str) -> Message:
    """The message with ``[test]`` before its subject, and an identity of its own.

    Without that, a mail program that has seen one of them would take the other for the same.
    """
    from digest.render.headers import encode_text

    subject = f"{PREFIX}{message.subject}"
    message_id = f"<test.{token}@{message.message_id.strip('<>').partition('@')[2]}>"
    head, end, rest = message.raw.partition(b"\r\n\r\n")
    for header, value in (("Subject", encode_text(subject, "Subject")), ("Message-ID", message_id)):
        # With the lines that go on with it.
        found = re.search(rb"^" + header.encode() + rb":[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", head, re.MULTILINE)
        assert found
        head = head[: found.start()] + f"{header}: {value}".encode("ascii") + head[found.end() :]
    return replace(message, subject=subject, message_id=message_id, raw=head + end + rest)


def _edition(
    settings: "Settings",
    name: str,
    look: tuple[str | None, str | None, str | None],
    recipient: str,
    now: datetime,
) -> tuple[Message, str]:
    """What the subscriber would see with this template, theme and language, and where its papers are from."""
    from digest.app import build_world, load_config
    from digest.cli.report import contents
    from digest.preview.editions import edition_to_show
    from digest.render.compose import compose_message

    config = load_config(settings)
    known = find_subscriber(config.roster.subscribers, name)
    template, theme, language = look
    subscriber = replace(
        known,
        email=recipient,
        template=template or known.template,
        theme=theme or known.theme,
        language=known.language if language is None else language,
    )
    # Only this one's, and as it is: what stands in for a broken template is not what is to be seen.
    compiled = _compile(settings, subscriber.template, subscriber.theme)
    world = build_world(replace(config, templates={subscriber.look: compiled}), read_clock)
    edition, what = edition_to_show(world, subscriber, now)
    message = compose_message(edition, compiled, sender=world.sender, now=now, answers=world.answers)
    return message, f"{contents(edition)} ({what})"


def _letter(
    settings: "Settings", name: str, theme: str | None, language: str | None, recipient: str, now: datetime
) -> Message:
    from digest.lint.sample import sample_letter
    from digest.render.theme import Theme

    compiled = _compile(settings, name, theme or Theme().name)
    sender = settings.sender or recipient
    return sample_letter(compiled, language=language or "", now=now, recipient=recipient, sender=sender)


def _compile(settings: "Settings", template: str, theme: str) -> "Template":
    from digest.looks import load_look, template_folders

    return load_look((template, theme), template_folders(settings.templates))


def _checked(address: str) -> str:
    from digest.config.checks import check_address
    from digest.config.problems import ComplaintError

    try:
        return check_address(address)
    except ComplaintError as error:
        raise ConfigError(error.problem, where="ADDRESS", hint=error.hint) from error
