"""What the page tells of a mail besides showing it, ready for JSON."""

import hashlib
from collections import Counter
from dataclasses import asdict
from email import message_from_bytes, policy
from email.message import EmailMessage

from digest.lint import lint_message
from digest.lint.spam import has_spamassassin
from digest.preview.links import list_links
from digest.preview.studio import Shown
from digest.render.compose import HTML_BYTES
from digest.render.parts import HTML_SIDE
from digest.render.plan import Plan
from digest.render.press import Press

_CLIPPED_AT = 102_000
"""Gmail hides what follows so many bytes of HTML, the footer included."""


def tell_details(shown: Shown) -> dict[str, object]:
    """Subject, text, source, headers, sizes and links of a mail."""
    message = shown.message
    parsed = message_from_bytes(message.raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    html = message.html
    return {
        "made": hashlib.blake2b(message.raw, digest_size=8).hexdigest(),
        "subject": message.subject,
        "template": shown.template.name,
        "theme": shown.template.theme.name,
        "papers": shown.papers,
        "problems": shown.problems,
        "text": message.text,
        "source": html,
        "headers": [(name, str(value)) for name, value in parsed.items()],
        "html_bytes": message.html_bytes,
        "html_bytes_kept": HTML_BYTES,
        "clipped_at": _CLIPPED_AT,
        "sizes": list_sizes(message.raw),
        "links": [asdict(link) for link in list_links(html)],
        "parts": list_parts(shown),
    }


def list_sizes(raw: bytes) -> list[tuple[str, int]]:
    """The bytes of each part of a message as they go over the wire; together they are the message."""
    head, _, _ = raw.partition(b"\r\n\r\n")
    sizes = [("headers", len(head) + 4)]
    for part in message_from_bytes(raw, policy=policy.SMTP).walk():
        if not part.is_multipart():
            payload = part.get_payload()
            assert isinstance(payload, str)
            sizes.append((part.get_content_type(), len(payload.replace("\r\n", "\n").replace("\n", "\r\n"))))
    return [*sizes, ("between the parts", len(raw) - sum(size for _, size in sizes))]


def list_parts(shown: Shown) -> list[tuple[str, int, int]]:
    """How often each part of the template stands in the HTML, and the encoded bytes of all of these together.

    Of a mail that had to be cut to size these are the bytes before.
    """
    if shown.edition is None:
        return []
    unsubscribe = str(message_from_bytes(shown.message.raw)["List-Unsubscribe"]).partition(">")[0].lstrip("< ")
    plan = Plan(shown.edition, shown.template.theme, unsubscribe=unsubscribe, answers=shown.answers)
    press = Press(shown.template, plan.language)
    root = plan.tree(plan.most)
    times: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        # A template has those parts only that its holes ask for.
        waiting += [
            inner for nodes in node.inside.values() for inner in nodes if inner.sheet.part in shown.template.html
        ]
        alone = node._replace(inside={}, slots={**root.slots, **node.slots})
        times[node.sheet.part] += 1
        sizes[node.sheet.part] += len(press.join(alone, HTML_SIDE))
    return [(part, times[part], size) for part, size in sizes.most_common()]


def tell_findings(shown: Shown, *, spam: bool) -> dict[str, object]:
    """What ``digest lint`` would say of a mail.

    Args:
        shown: The mail.
        spam: Whether SpamAssassin is asked, where it is installed; takes seconds.
    """
    can_ask = has_spamassassin()
    findings = lint_message(shown.message, shown.template, spam=spam and can_ask)
    return {
        "spam": can_ask,
        "findings": [
            {
                "rule": each.rule,
                "severity": str(each.severity),
                "message": each.message,
                "hint": each.hint,
                "where": str(each.place),
            }
            for each in findings
        ],
    }
