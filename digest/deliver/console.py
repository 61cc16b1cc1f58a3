"""Shows messages on the terminal in place of sending them."""

import sys
from collections.abc import Awaitable, Callable
from email import policy
from email.parser import BytesHeaderParser
from typing import TextIO

from digest.errors import UnreachableError
from digest.model import Message, Receipt
from digest.text.masking import mask

_SHOWN = ("From", "Subject", "Date", "Message-ID")
_RULE = "-" * 72


class ConsoleBackend:
    """A ``Backend`` that writes what people read of each message: some headers and the text.

    The recipient's address is masked.
    """

    room = 1

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    async def deliver(self, message: Message, before_dot: Callable[[], Awaitable[None]]) -> Receipt:
        """Show one message."""
        shown = _show(message)
        await before_dot()
        encoding = self._out.encoding or "utf-8"
        try:
            self._out.write(shown.encode(encoding, "replace").decode(encoding))
            self._out.flush()
        except OSError as exc:
            raise UnreachableError(f"cannot be written ({exc.strerror})", where="the terminal") from exc
        return Receipt(250, "shown")

    async def close(self) -> None:
        """Nothing is held open."""


def _show(message: Message) -> str:
    parsed = BytesHeaderParser(policy=policy.default).parsebytes(message.raw)
    headers = [f"{name}: {parsed[name]}" for name in _SHOWN if parsed[name]]
    headers.insert(1, f"To: {mask(message.recipient)}")
    lines = [*headers, "", *message.text.replace(message.recipient, mask(message.recipient)).split("\n"), _RULE]
    # A title may not steer the terminal.
    return "".join(f"{''.join(char for char in line if char.isprintable())}\n" for line in lines)
