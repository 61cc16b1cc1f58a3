"""An edition and a template become a message."""

import hashlib
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from digest.errors import ConfigError, PermanentDeliverError
from digest.model import Edition, Message
from digest.render import headers
from digest.render.compile import Template
from digest.render.view import EditionView, PaperView, Sizes, view_edition

PRODUCT = "Paperround"

HTML_BYTES = 90_000
"""Gmail hides what follows about 102 kB of HTML, the footer included."""

_SIZES = (
    Sizes(abstract_chars=600, matched=100, trending=50, rest=200),
    Sizes(abstract_chars=400, matched=60, trending=30, rest=100),
    Sizes(abstract_chars=250, matched=45, trending=20, rest=60, summary_chars=200),
    Sizes(abstract_chars=120, matched=30, trending=10, rest=40, summary_chars=160),
    Sizes(abstract_chars=0, matched=26, trending=7, rest=30, summary_chars=160),
    Sizes(abstract_chars=0, matched=20, trending=5, rest=20, summary_chars=160),
    Sizes(abstract_chars=0, matched=20, trending=3, rest=12, summary_chars=0),
    Sizes(abstract_chars=0, matched=12, trending=3, rest=12, summary_chars=0),
    Sizes(abstract_chars=0, matched=5, trending=2, rest=10, summary_chars=0),
    Sizes(abstract_chars=0, matched=0, trending=0, rest=0, summary_chars=0),
)


def compose_message(
    edition: Edition,
    template: Template,
    *,
    sender: str,
    now: datetime,
) -> Message:
    """Render an edition for its subscriber.

    The same edition, template and ``now`` give the same bytes; the Message-ID does not even depend on ``now``.
    A long edition gets shorter abstracts and fewer papers in full until the HTML fits; of papers named by title, the
    HTML counts those it has no room for, and the text names every one. Where nothing
    else helps, the HTML holds no paper.

    Args:
        edition: What to say, and to whom.
        template: What :func:`digest.render.compile.load_template` gave.
        sender: The From header as text: ``Paperround <digest@example.org>``.
        now: For the Date header; aware.

    Raises:
        RenderError: The template fails.
        PermanentDeliverError: The subscriber's address cannot be written in ASCII.
        ConfigError: The sender's cannot.
    """
    try:
        sender_name, sender_address = headers.split_address(sender)
    except ValueError as exc:
        hint = "write it as 'Paperround <digest@example.org>'"
        raise ConfigError(f"the sender cannot be used: {exc}", where="sender", hint=hint) from exc
    try:
        recipient = headers.ascii_address(edition.subscriber.email)
    except ValueError as exc:
        # The address itself stays out of logs.
        raise PermanentDeliverError(f"cannot be mailed: {exc}", where=edition.subscriber.id) from exc

    unsubscribe = f"mailto:{quote(sender_address, safe='@')}?subject=unsubscribe%20{quote(edition.subscriber.id)}"
    for sizes in _SIZES:
        context = build_context(view_edition(edition, sizes), unsubscribe)
        html = template.html.render_within(context, HTML_BYTES)
        if html is not None:
            break
    else:
        # A template that is too long with nothing in it.
        html = template.html.render(context)
    text = template.text.render(context)
    subject = headers.header_text(template.subject.render(context))

    domain = sender_address.rpartition("@")[2]
    identity = hashlib.sha256(f"{edition.subscriber.id}\n{edition.date}".encode()).hexdigest()[:16]
    message_id = f"<{edition.date}.{identity}@{domain}>"
    raw = headers.write_message(
        (
            ("From", headers.encode_mailbox(sender_name, sender_address)),
            ("To", recipient),
            ("Subject", headers.encode_text(subject, "Subject")),
            ("Date", format_datetime(now.astimezone(edition.subscriber.zone))),
            ("Message-ID", message_id),
            ("List-Id", f"{PRODUCT} <{PRODUCT.lower()}.{domain}>"),
            ("List-Unsubscribe", f"<{unsubscribe}>"),
            ("List-Post", "NO"),
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
        ),
        text=text,
        html=html,
        boundary=f"=_{identity}",
    )
    return Message(
        message_id=message_id,
        sender=sender_address,
        recipient=recipient,
        subject=subject,
        text=text,
        html=html,
        raw=raw,
    )


def build_context(edition: EditionView, unsubscribe: str) -> dict[str, object]:
    """What every template receives."""
    papers: tuple[PaperView, ...] = tuple(paper for section in edition.sections for paper in section.papers)
    return {
        "edition": edition,
        "papers": papers,
        "links": {"unsubscribe": unsubscribe},
        "product": PRODUCT,
    }
