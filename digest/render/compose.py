"""An edition and a template become a message."""

import hashlib
from base64 import encodebytes
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from email.utils import format_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from digest.errors import ConfigError, PermanentDeliverError
from digest.model import Edition, Message, Subscriber
from digest.render import headers
from digest.render.compile import LAYOUT, Template
from digest.render.language import Language, find_language
from digest.render.parts import HTML_SIDE, SLOTS, TEXT_SIDE, Node, Sheet, Slot
from digest.render.plan import READER, Answers, Plan, unsubscribe_address, unsubscribe_mail
from digest.render.press import Press
from digest.render.theme import Logo
from digest.render.view import LetterView, MailView

PRODUCT = "Paperround"

HTML_BYTES = 95_000
"""Of the encoded HTML. Gmail hides what follows about 102 kB, the footer included."""

_LOGO_ID = "logo"
_LONGEST_BOUNCES = 64 - len("+") - 22
"""A local part has at most 64 characters (RFC 5321 section 4.5.3.1.1), a token 22."""


class Composer:
    """Makes the mails of one pass with one template: whatever is equal in them is made once.

    A paper must not change while a composer is in use.
    """

    def __init__(self, template: Template, *, sender: str, answers: Answers | None = None) -> None:
        """Get ready.

        Args:
            template: What :func:`digest.render.compile.load_template` gave.
            sender: The From header as text: ``Paperround <digest@example.org>``.
            answers: Where readers' answers go.

        Raises:
            ConfigError: The sender cannot be written in ASCII, or a token does not fit into where bounces go.
        """
        try:
            name, self._address = headers.split_address(sender)
        except ValueError as exc:
            hint = "write it as 'Paperround <digest@example.org>'"
            raise ConfigError(f"the sender cannot be used: {exc}", where="sender", hint=hint) from exc
        self._template = template
        self._presses: dict[str, Press] = {}
        self._answers = answers or Answers()
        local = self._answers.bounces.rpartition("@")[0]
        if len(local) > _LONGEST_BOUNCES:
            raise ConfigError(
                f"{len(local)} characters before the @ leave no room for a token",
                where="DIGEST_BOUNCES",
                hint=f"use an address with at most {_LONGEST_BOUNCES}",
            )
        self._from = headers.encode_mailbox(name, self._address)
        self._domain = self._address.rpartition("@")[2]
        self._subjects: dict[tuple[str, date, int, str], tuple[str, str]] = {}

    def compose(self, edition: Edition, now: datetime) -> Message:
        """Render an edition for its subscriber.

        The same edition, template and ``now`` give the same bytes; the Message-ID does not even depend on ``now``.
        What the HTML has no room for gives way in the order of `Plan.rooms`; the text names every paper.

        Args:
            edition: What to say, and to whom.
            now: For the Date header; aware.

        Raises:
            RenderError: The template fails.
            PermanentDeliverError: The subscriber's address cannot be written in ASCII.
        """
        subscriber = edition.subscriber
        try:
            recipient = headers.ascii_address(subscriber.email)
        except ValueError as exc:
            # The address itself stays out of logs.
            raise PermanentDeliverError(f"cannot be mailed: {exc}", where=subscriber.id) from exc
        token = self._answers.token(subscriber, "unsubscribe")
        unsubscribe = unsubscribe_address(token, self._address, self._answers)
        press = self._press(find_language(subscriber.language))
        theme, answers = self._template.theme, self._answers
        plan = Plan(edition, theme, unsubscribe=unsubscribe, answers=answers, stock=press.stock)
        rich, plain = plan.join(press.join, HTML_BYTES)
        subject = self._subject(plan, edition.date)
        identity = hashlib.sha256(f"{subscriber.id}\n{edition.date}".encode()).hexdigest()[:16]
        when = _date(now, subscriber.zone)
        of_list = list(self._list_headers(edition, token))
        return self._write(f"{edition.date}.{identity}", recipient, subject, when, of_list, plain, rich, subscriber)

    def _list_headers(self, edition: Edition, token: str) -> Iterator[tuple[str, str]]:
        """What makes it mail of a list (RFC 2369, RFC 2919), and one that a click ends (RFC 8058)."""
        answers, archive = self._answers, edition.subscriber.archive
        page = unsubscribe_address(token, self._address, answers)
        mail = unsubscribe_mail(token, self._address, answers)
        mailbox = mail.partition("?")[0]
        yield "List-Id", f"{PRODUCT} <{PRODUCT.lower()}.{self._domain}>"
        yield "List-Help", f"<{mailbox}?subject=help>"
        # A line for each address: no header line has room for two long ones.
        yield "List-Unsubscribe", ",\r\n ".join(f"<{address}>" for address in dict.fromkeys((page, mail)))
        if page.startswith("https:") and token:
            yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"
        if archive:
            yield "List-Archive", f"<{archive}>"
        yield "List-Post", "NO"
        # By which Gmail sums up complaints: nothing in it tells readers apart
        # (https://support.google.com/mail/answer/6254652, read 2026-11-22).
        yield "Feedback-ID", f"{edition.date}:{self._template.name}:{PRODUCT.lower()}"

    def _envelope_sender(self, subscriber: Subscriber) -> str:
        """Where what cannot be delivered comes back to; says whose mail it was."""
        local, _, domain = self._answers.bounces.rpartition("@")
        token = self._answers.token(subscriber, "bounce")
        return f"{local}+{token}@{domain}" if local and token else self._answers.bounces or self._address

    def letter(
        self, letter: LetterView, identity: str, recipient: str, language: Language, zone: ZoneInfo, now: datetime
    ) -> Message:
        """Render a mail without papers; see `compose_letter`."""
        mail = MailView(date=now.astimezone(zone).date(), title=letter.heading, language=language.tag, dir=language.dir)
        slots = {name: Slot("") for name in SLOTS} | {"reader.preheader": Slot(" ".join(letter.paragraphs[:1]))}
        root = Node(Sheet(LAYOUT, lambda: {"mail": mail, "reader": READER, "letter": letter}), slots)
        press = self._press(language)
        context = {"mail": mail, "count": 0, "title": "", "letter": letter}
        subject = write_subject(self._template, language, context)
        text, html = press.join(root, TEXT_SIDE), press.join(root, HTML_SIDE)
        return self._write(identity, recipient, subject, _date(now, zone), [], text, html)

    def _write(
        self,
        identity: str,
        recipient: str,
        subject: tuple[str, str],
        when: str,
        of_list: Sequence[tuple[str, str]],
        text: bytes,
        html: bytes,
        subscriber: Subscriber | None = None,
    ) -> Message:
        """Put headers and bodies together; the first of the subjects is for people, the other encoded."""
        message_id = f"<{identity}@{self._domain}>"
        written = headers.write_headers(
            [
                ("From", self._from),
                ("To", recipient),
                ("Subject", subject[1]),
                ("Date", when),
                ("Message-ID", message_id),
                *of_list,
                ("Auto-Submitted", "auto-generated"),
                ("X-Auto-Response-Suppress", "All"),
                ("MIME-Version", "1.0"),
                ("Content-Type", f'multipart/alternative; boundary="{_BOUNDARY}"'),
            ]
        )
        logo = self._template.theme.logo
        rich = _related(html, logo) if logo else _HTML_HEAD + html
        return Message(
            message_id=message_id,
            sender=self._envelope_sender(subscriber) if subscriber else self._address,
            recipient=recipient,
            subject=subject[0],
            raw=b"".join([written, _MARK, _TEXT_HEAD, text, _MARK, rich, _LAST]),
            html_bytes=len(html),
        )

    def _press(self, language: Language) -> Press:
        if language.tag not in self._presses:
            self._presses[language.tag] = Press(self._template, language)
        return self._presses[language.tag]

    def _subject(self, plan: Plan, day: date) -> tuple[str, str]:
        """As people read it, and as it is written."""
        key = plan.language.tag, day, plan.count, plan.lead
        if key not in self._subjects:
            if len(self._subjects) > 10_000:
                self._subjects.clear()
            context = {"mail": plan.mail(), "count": plan.count, "title": plan.lead}
            self._subjects[key] = write_subject(self._template, plan.language, context)
        return self._subjects[key]


def compose_message(
    edition: Edition, template: Template, *, sender: str, now: datetime, answers: Answers | None = None
) -> Message:
    """Render a single edition; see `Composer`."""
    return Composer(template, sender=sender, answers=answers).compose(edition, now)


def compose_letter(
    letter: LetterView,
    template: Template,
    *,
    identity: str,
    recipient: str,
    sender: str,
    language: str = "",
    zone: ZoneInfo,
    now: datetime,
) -> Message:
    """Render a mail without papers.

    Args:
        letter: What it says.
        template: One of letters: ``confirm`` or ``notice``.
        identity: Becomes the Message-ID: the same for a resend, ASCII letters, digits, dots and hyphens.
        recipient: A bare address.
        sender: The From header as text.
        language: A language tag.
        zone: Of its date.
        now: For the Date header; aware.

    Raises:
        RenderError: The template fails.
        PermanentDeliverError: The recipient cannot be written in ASCII.
        ConfigError: The sender cannot.
    """
    composer = Composer(template, sender=sender)
    try:
        recipient = headers.ascii_address(recipient)
    except ValueError as exc:
        raise PermanentDeliverError(f"cannot be mailed: {exc}", where=identity) from exc
    return composer.letter(letter, identity, recipient, find_language(language), zone, now)


def write_subject(template: Template, language: Language, context: Mapping[str, object]) -> tuple[str, str]:
    """The subject as people read it, and as it is written; for all the same what it is about."""
    common = {"theme": template.theme, "language": language}
    subject = headers.header_text(template.subject.render({**common, **context}))
    return subject, headers.encode_text(subject, "Subject")


# Quoted-printable cannot hold either.
_BOUNDARY = "=_paperround"
_INNER = "=_paperround_html"
_MARK = f"\r\n--{_BOUNDARY}\r\n".encode("ascii")
_LAST = f"\r\n--{_BOUNDARY}--\r\n".encode("ascii")
_HEAD = "Content-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_TEXT_HEAD, _HTML_HEAD = (_HEAD.format(kind).encode("ascii") for kind in ("plain", "html"))


def _related(html: bytes, logo: Logo) -> bytes:
    """The HTML with its picture, which belongs to it alone (RFC 2387)."""
    mark = f"--{_INNER}".encode("ascii")
    head = f'Content-Type: multipart/related; type="text/html"; boundary="{_INNER}"\r\n\r\n'.encode("ascii")
    return b"".join([head, mark, b"\r\n", _HTML_HEAD, html, b"\r\n", mark, b"\r\n", _picture(logo), mark, b"--\r\n"])


@lru_cache(maxsize=16)
def _picture(logo: Logo) -> bytes:
    head = (
        f"Content-Type: image/{logo.subtype}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{_LOGO_ID}>\r\nContent-Disposition: inline\r\n\r\n"
    )
    return head.encode("ascii") + encodebytes(logo.content).replace(b"\n", b"\r\n")


@lru_cache(maxsize=1_024)
def _date(now: datetime, zone: ZoneInfo) -> str:
    return format_datetime(now.astimezone(zone))
