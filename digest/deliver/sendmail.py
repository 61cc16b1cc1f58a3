"""Hands messages to the ``sendmail`` command of this machine's mail system."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from digest.deliver.replies import show
from digest.errors import (
    BadAddressError,
    DeliverError,
    PermanentDeliverError,
    SmtpRefusedError,
    TemporaryDeliverError,
    UncertainDeliverError,
    UnreachableError,
)
from digest.model import Message, Receipt
from digest.threads import run_aside

SENDMAIL: Final = Path("/usr/sbin/sendmail")

_TIMEOUT_S = 600.0
_MEANINGS: Final[Mapping[int, tuple[str, type[DeliverError]]]] = {
    64: ("EX_USAGE", SmtpRefusedError),
    65: ("EX_DATAERR", PermanentDeliverError),
    66: ("EX_NOINPUT", PermanentDeliverError),
    67: ("EX_NOUSER", BadAddressError),
    # Of the recipient's domain by Sendmail, but by msmtp of its own server, when the DNS is away.
    68: ("EX_NOHOST", TemporaryDeliverError),
    69: ("EX_UNAVAILABLE", TemporaryDeliverError),
    70: ("EX_SOFTWARE", TemporaryDeliverError),
    71: ("EX_OSERR", TemporaryDeliverError),
    72: ("EX_OSFILE", UnreachableError),
    73: ("EX_CANTCREAT", UnreachableError),
    74: ("EX_IOERR", TemporaryDeliverError),
    75: ("EX_TEMPFAIL", TemporaryDeliverError),
    76: ("EX_PROTOCOL", TemporaryDeliverError),
    77: ("EX_NOPERM", SmtpRefusedError),
    78: ("EX_CONFIG", SmtpRefusedError),
}
"""Exit codes by ``sysexits.h``; after any other the message was not taken, and is tried again."""


class SendmailBackend:
    """A ``Backend`` that runs ``sendmail -i -odb -f SENDER -- RECIPIENT`` for each message.

    The command is started once the whole message is in a file without a name, and reads it from there. Through a pipe,
    our death would look like the end of the message, and half a mail would go out.
    """

    room = 4

    def __init__(self, program: Path = SENDMAIL, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._program = str(program)
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(self.room)

    async def deliver(self, message: Message, before_dot: Callable[[], Awaitable[None]]) -> Receipt:
        """Hand over one message; `before_dot` is awaited before the command is started."""
        await before_dot()
        async with self._turns:
            try:
                return await run_aside("sendmail", partial(self._run, message))
            except asyncio.CancelledError:
                raise self._error(UncertainDeliverError, "was still running when the run gave it up") from None

    async def close(self) -> None:
        """Nothing is held open; commands that still run are left to finish."""
        # The old one belongs to the event loop that ends.
        self._turns = asyncio.Semaphore(self.room)

    def _run(self, message: Message) -> Receipt:
        # Sendmail's own 75 would mean that it queued the message: with -odb it answers 0 then. Others ignore it.
        command = [self._program, "-i", "-odb", "-f", message.sender, "--", message.recipient]
        ours = {name: value for name, value in os.environ.items() if not name.upper().startswith("DIGEST_")}
        try:
            with tempfile.TemporaryFile() as file:
                # What local commands read has the machine's line ends.
                file.write(message.raw.replace(b"\r\n", b"\n"))
                file.seek(0)
                ended = subprocess.run(  # noqa: S603 - the operator names the program, and no shell is involved
                    command,
                    stdin=file,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=self._timeout_s,
                    env=ours,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise self._error(UncertainDeliverError, "did not end in time, and was killed") from None
        except OSError as exc:
            raise self._error(
                UnreachableError, f"cannot be run ({exc.strerror})", hint="check DIGEST_BACKEND; every message waits"
            ) from exc
        shown = show(ended.stdout)
        if ended.returncode == 0:
            return Receipt(250, "handed to sendmail")
        if ended.returncode < 0:
            problem = f"was killed by signal {-ended.returncode} while it had the message"
            raise self._error(UncertainDeliverError, problem)
        name, kind = _MEANINGS.get(ended.returncode, ("", TemporaryDeliverError))
        problem = f"the command ended with {' '.join(filter(None, (str(ended.returncode), name)))}"
        raise self._error(kind, f"{problem} ({shown})" if shown else problem)

    def _error(self, kind: type[DeliverError], problem: str, *, hint: str = "") -> DeliverError:
        return kind(problem, where=self._program, hint=hint)
