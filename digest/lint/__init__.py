"""Judges mails before anyone gets them: what clients, screen readers and spam filters would make of them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from quopri import decodestring
from typing import Final

from digest.lint.access import check_access
from digest.lint.clients import CLIENTS, check_clients
from digest.lint.contrast import check_contrast
from digest.lint.finding import Finding, Severity
from digest.lint.links import check_links
from digest.lint.markup import check_markup
from digest.lint.page import Page
from digest.lint.parity import check_parity
from digest.lint.sample import ANSWERS, SENDER, empty_edition, full_edition, sample_letter
from digest.lint.size import check_size
from digest.lint.sources import Sources, read_sources
from digest.lint.spam import check_spam
from digest.model import Edition, Message
from digest.render.compile import Template
from digest.render.compose import Composer
from digest.render.letters import LETTERS
from digest.render.parts import HTML_SIDE
from digest.render.plan import Plan, unsubscribe_address
from digest.render.press import Press

RULES: Final = (
    "markup",
    "client-support",
    "lang",
    "dir",
    "title",
    "headings",
    "tables",
    "images",
    "link-text",
    "landmarks",
    "ids",
    "contrast",
    "links",
    "parity",
    "size",
    "spam",
)

__all__ = ["RULES", "Finding", "Severity", "compose_samples", "lint_message", "lint_template"]


def lint_message(
    message: Message, template: Template, *, clients: Sequence[str] = CLIENTS, spam: bool = True
) -> tuple[Finding, ...]:
    """What is wrong with a mail, errors first.

    The HTML of a long edition leaves out what the plain text has, so their order is judged by `lint_template` alone.

    Args:
        message: Made with the template.
        template: Its files are read again, to find the lines that are meant.
        clients: Families or single clients of ``clients.json``.
        spam: Whether SpamAssassin is asked, which takes a second; it must be installed.

    Raises:
        ConfigError: A client is not known.
        OSError: A file of the template cannot be read any more.
    """
    sources = read_sources(template.files)
    found = [*_check(Page(message.html), message.html_bytes, message.text, sources, clients, whole=False)]
    if spam:
        found += check_spam(message, sources)
    return _ordered(found)


def lint_template(
    template: Template,
    now: datetime,
    *,
    language: str = "",
    clients: Sequence[str] = CLIENTS,
    spam: bool = True,
) -> tuple[Finding, ...]:
    """What is wrong with the mails that a template makes of invented papers, errors first.

    Their HTML is judged as it is before anything gives way to its size.

    Raises:
        RenderError: It fails on what is invented.
        ConfigError: A client is not known.
        OSError: A file of the template cannot be read any more.
    """
    sources = read_sources(template.files)
    found: list[Finding] = []
    for number, (message, edition) in enumerate(_samples(template, now, language)):
        html, size = _whole_html(edition, template) if edition else (message.html, message.html_bytes)
        found += _check(Page(html), size, message.text, sources, clients, whole=True)
        if spam and not number:
            found += check_spam(message, sources)
    return _ordered(found)


def compose_samples(template: Template, now: datetime, *, language: str = "") -> tuple[Message, ...]:
    """A mail that shows everything, and one that has nothing to show; of a letter, only the first.

    Raises:
        RenderError: The template fails.
    """
    return tuple(message for message, _ in _samples(template, now, language))


def _samples(template: Template, now: datetime, language: str) -> Iterator[tuple[Message, Edition | None]]:
    """Mails, and what they say; letters have no edition."""
    if template.name in LETTERS:
        yield sample_letter(template, language=language, now=now), None
        return
    composer = Composer(template, sender=SENDER, answers=ANSWERS)
    for make in (full_edition, empty_edition):
        edition = make(now, template=template.name, theme=template.theme.name, language=language)
        yield composer.compose(edition, now), edition


def _whole_html(edition: Edition, template: Template) -> tuple[str, int]:
    """The HTML of a mail with everything in it, however long, and the bytes of it as it is sent."""
    unsubscribe = unsubscribe_address("", ANSWERS.mailbox, ANSWERS)
    plan = Plan(edition, template.theme, unsubscribe=unsubscribe, answers=ANSWERS)
    encoded = Press(template, plan.language).join(plan.tree(plan.most), HTML_SIDE)
    return decodestring(encoded).decode("utf-8"), len(encoded)


def _check(
    page: Page, html_bytes: int, text: str, sources: Sources, clients: Sequence[str], *, whole: bool
) -> Iterator[Finding]:
    yield from check_markup(page, sources)
    yield from check_clients(page, sources, clients)
    yield from check_access(page, sources)
    yield from check_contrast(page, sources)
    yield from check_links(page, sources)
    yield from check_parity(page, text, sources, whole=whole)
    yield from check_size(page, html_bytes, sources)


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(
        sorted(
            dict.fromkeys(findings),
            key=lambda each: (each.severity is not Severity.ERROR, RULES.index(each.rule), each.place, each.message),
        )
    )
