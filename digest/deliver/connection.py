"""One connection to a mail server that is ready for messages: its replies, read with care, and its commands."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from digest.deliver.replies import Reply, Step, show

_REPLY_BYTES = 65_536
_LINE_STARTS = frozenset(b"2345")
_SEPARATORS = (b" ", b"-", b"")


class ConversationError(ConnectionError):
    """The connection cannot be used any more: the server hung up, or what it says is no reply."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply that says no."""

    step: Step
    reply: Reply


class Connection(asyncio.Protocol):
    """An SMTP conversation, from the sign-in on.

    It limits the time of a whole reply, so that a server that drips single bytes cannot stretch it, and it notices
    bytes that no command asked for, so that no reply is taken for the next one's. Its methods raise ``OSError``
    (`ConversationError`, ``TimeoutError``) when the connection cannot be used any more; the caller then drops it.

    Args:
        transport: Connected; it is given this protocol, and sends small writes at once (asyncio sets TCP_NODELAY).
        pipelining: Whether the server takes commands in groups (RFC 2920).
        size_limit: The largest message it takes, in bytes; ``None`` without a limit, or if it does not say.
        knows_size: Whether it takes the size with MAIL (RFC 1870).
        protection: What guards the connection, for people.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        pipelining: bool = False,
        size_limit: int | None = None,
        knows_size: bool = False,
        protection: str = "",
    ) -> None:
        self.pipelining = pipelining
        self.size_limit = size_limit
        self.knows_size = knows_size
        self.protection = protection
        self.is_used = False
        """Whether it has carried an envelope: from then on, a loss is what servers do after some time or messages."""
        self.announced: object = None
        """The message whose envelope has been written with the end of the one before."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._replies: deque[Reply] = deque()
        self._unread = b""
        self._lines: list[bytes] = []
        self._broken: OSError | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._is_paused = False
        self._in_transaction = False
        self._closed: asyncio.Future[None] = self._loop.create_future()
        transport.set_protocol(self)
        # So that the end of a message is not sent before the message itself has left. At high=0 the transport for TLS
        # pauses when nothing is left to be written (Python 3.11, sslproto.py).
        transport.set_write_buffer_limits(high=1, low=0)

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        """Take replies out of what arrived."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            line = line.rstrip(b"\r")
            if not line[:3].isdigit() or line[0] not in _LINE_STARTS or line[3:4] not in _SEPARATORS:
                self._break(ConversationError(f"this is no SMTP reply: {show(line)!r}"))
                return
            if len(line) > _REPLY_BYTES:
                self._break(ConversationError("the reply does not end"))
                return
            self._lines.append(line[4:])
            if line[3:4] != b"-":
                self._replies.append(Reply(int(line[:3]), b"\n".join(self._lines)))
                self._lines = []
        if self._lines or self._unread:
            if len(self._unread) + sum(map(len, self._lines)) > _REPLY_BYTES:
                self._break(ConversationError("the reply does not end"))
                return
            if not self._replies:
                return
        self._wake()

    def eof_received(self) -> None:
        """The server said that it is done; the transport closes itself."""
        self._break(ConversationError("the server hung up"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing can be read or written any more."""
        self._break(exc if isinstance(exc, OSError) else ConversationError("the server hung up"))
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """What was written has not all left."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It has."""
        self._is_paused = False
        self._wake()

    # What the sender calls.

    @property
    def is_quiet(self) -> bool:
        """Whether the connection is open, and nothing has arrived that was not read."""
        return not (self._broken or self._replies or self._unread or self._lines)

    def write(self, data: bytes) -> None:
        """Send as soon as possible."""
        if self._broken:
            raise self._broken
        self._transport.write(data)

    async def reply(self, timeout_s: float) -> Reply:
        """The next reply, whole within this time."""
        if not self._replies:
            deadline = self._loop.time() + timeout_s
            while not self._replies:
                if self._broken:
                    raise self._broken
                if not await self._wait(deadline - self._loop.time()):
                    raise TimeoutError("no answer in time")
        return self._replies.popleft()

    async def flush(self, timeout_s: float) -> None:
        """Wait until everything has left, or the server says something; a slow line may take its time, while it moves.

        Args:
            timeout_s: So long nothing at all may leave.
        """
        left = self._transport.get_write_buffer_size()
        while self._is_paused and self.is_quiet:
            if not await self._wait(timeout_s):
                now = self._transport.get_write_buffer_size()
                if now >= left:
                    raise TimeoutError("no answer in time")
                left = now

    def commands(self, sender: str, recipient: str, size_bytes: int) -> Sequence[bytes]:
        """What to say before a message."""
        size = f" SIZE={size_bytes}" if self.knows_size else ""
        return (
            f"MAIL FROM:<{sender}>{size}\r\n".encode("ascii"),
            f"RCPT TO:<{recipient}>\r\n".encode("ascii"),
            b"DATA\r\n",
        )

    async def announce(self, commands: Sequence[bytes], timeout_s: float, *, is_said: bool = False) -> Refusal | None:
        """Say for whom a message is, up to the server's go-ahead for its content.

        Args:
            commands: From `commands`.
            timeout_s: For each reply.
            is_said: They have been written already, with the end of the message before, and only wait for replies.

        Returns:
            The first no, if there was one.

        Raises:
            OSError: The connection is lost; the server has nothing of the message.
        """
        if not is_said:
            await self._begin(commands, timeout_s)
        refusal: Refusal | None = None
        for step, command, wanted in zip(_STEPS, commands, _WANTED, strict=True):
            if refusal and not self.pipelining:
                return refusal
            try:
                reply = await self._answer(step, command, timeout_s)
            except OSError:
                if refusal:
                    return refusal
                raise
            if reply.code not in wanted:
                refusal = _refuse(step, reply, refusal)
                if reply.code == 421:
                    return refusal
        if refusal and reply.code == 354:
            await self._send_nothing(refusal, timeout_s)
        if refusal and self._replies:
            self._check_quiet()
        return refusal

    def end_transaction(self) -> None:
        """The end of a message was answered: nothing is open any more."""
        self._in_transaction = False

    async def quit(self, timeout_s: float) -> None:
        """Say good-bye and hang up; what the server answers to that changes nothing."""
        with suppress(OSError):
            self.write(b"QUIT\r\n")
            await self.reply(timeout_s)
        self.abort()
        await self._closed

    def abort(self) -> None:
        """Hang up without a word; a message without its final dot is thrown away by the server."""
        self._break(ConversationError("we hung up"))
        self._transport.abort()

    async def _begin(self, commands: Sequence[bytes], timeout_s: float) -> None:
        """Say MAIL, or all of it in one go, after the end of a transaction that is still open."""
        self._check_quiet()
        first = b"".join(commands) if self.pipelining else commands[0]
        if not self._in_transaction:
            self.write(first)
            return
        self.write(b"RSET\r\n" + first if self.pipelining else b"RSET\r\n")
        reply = await self.reply(timeout_s)
        if reply.code != 250:
            raise ConversationError(f"the server does not begin anew: {reply}")
        self._in_transaction = False
        if not self.pipelining:
            self.write(first)

    async def _answer(self, step: Step, command: bytes, timeout_s: float) -> Reply:
        """The reply to one of the commands, which is said now if they go one by one."""
        if step != "sender" and not self.pipelining:
            self._check_quiet()
            self.write(command)
        reply = await self.reply(timeout_s)
        if step == "sender":
            self._in_transaction = reply.code == 250
        return reply

    async def _send_nothing(self, refusal: Refusal, timeout_s: float) -> None:
        """End a message that nobody is to get: RFC 2920 section 3.1, of servers that go ahead without a recipient."""
        if refusal.step != "recipient":
            self.abort()  # Somebody might get it.
            return
        self.write(b".\r\n")
        await self.reply(timeout_s)
        self._in_transaction = False

    def _check_quiet(self) -> None:
        if not self.is_quiet:
            said = str(self._replies[0]) if self._replies else show(self._unread) or str(self._broken)
            raise ConversationError(f"the server spoke out of turn: {said}")

    async def _wait(self, seconds: float) -> bool:
        """Wait for whatever comes next; false if nothing does in time."""
        if seconds <= 0:
            return False
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiter = waiter
        timer = self._loop.call_later(seconds, self._wake, False)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self, happened: bool = True) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(happened)

    def _break(self, exc: OSError) -> None:
        self._broken = self._broken or exc
        self._wake()


def _refuse(step: Step, reply: Reply, before: Refusal | None) -> Refusal:
    """The first no; a yes where none was to come is a reply to something else."""
    if reply.code < 400:
        raise ConversationError(f"the reply makes no sense: {reply}")
    return before or Refusal(step, reply)


_STEPS: tuple[Step, ...] = ("sender", "recipient", "message")
_WANTED = ((250,), (250, 251, 252), (354,))
