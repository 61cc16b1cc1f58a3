"""Sends over SMTP: a few connections for many messages, one round trip for each, and every reply turned into who must
act.

With PIPELINING (RFC 2920) the end of one message goes out together with the envelope of the next, so a connection is
kept busy by two messages at a time.
"""

import asyncio
import math
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from copy import copy
from typing import cast

import numpy as np

from digest.deliver.account import SmtpSettings
from digest.deliver.connection import Connection
from digest.deliver.replies import Reply, Step, judge
from digest.deliver.sign_in import make_tls_context, open_connection
from digest.errors import (
    DeliverError,
    PermanentDeliverError,
    SmtpRefusedError,
    TemporaryDeliverError,
    UncertainDeliverError,
    UnreachableError,
)
from digest.failpoints import pass_by
from digest.model import Message, Receipt, Security
from digest.text.masking import mask_addresses

__all__ = ["SmtpBackend", "SmtpSettings"]

_ENVELOPE = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
_WAITING = 3
"""Messages for each connection: one whose end is on its way, one whose envelope is, one that is being made."""
_PATIENCE = 100
"""After a connection too many was refused, so many messages go out before another one is tried."""
_QUIT_S = 5
_CR, _LF, _DOT = b"\r\n."


class _Job:
    """One message on its way."""

    __slots__ = ("before_dot", "body", "is_sent", "recipient", "sender", "verdict")

    def __init__(self, sender: str, recipient: str, body: bytes, before_dot: Callable[[], Awaitable[None]]) -> None:
        self.sender = sender
        self.recipient = recipient
        self.body = body
        self.before_dot = before_dot
        self.is_sent = False
        """Whether the final dot has gone out."""
        self.verdict: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    def fail(self, exc: BaseException) -> None:
        if not self.verdict.done():
            self.verdict.set_exception(exc)


class SmtpBackend:
    """A ``Backend`` that talks to one SMTP or LMTP server."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._pool: _Pool | None = None

    @property
    def room(self) -> int:
        """See ``Backend.room``."""
        return _WAITING * self._settings.connections

    async def deliver(self, message: Message, before_dot: Callable[[], Awaitable[None]]) -> Receipt:
        """Hand over one message; see ``Backend.deliver``."""
        sender = _envelope(message.sender, SmtpRefusedError)
        recipient = _envelope(message.recipient, PermanentDeliverError)
        job = _Job(sender, recipient, _on_the_wire(message.raw), before_dot)
        if self._pool is None or self._pool.loop is not asyncio.get_running_loop():
            self._pool = _Pool(self._settings)
        self._pool.put(job)
        try:
            return await job.verdict
        except asyncio.CancelledError:
            # Cancelled before the dot, the message is not completed any more.
            if job.is_sent:
                problem = "given up before the server replied to the whole message"
                raise UncertainDeliverError(problem, where=self._settings.where) from None
            raise

    async def check(self) -> str:
        """Connect, encrypt and sign in, but send nothing.

        Returns:
            How the connection is secured, for people.

        Raises:
            DeliverError: One of these steps failed.
        """
        settings = self._settings
        connection = await open_connection(settings, _tls_context(settings))
        try:
            connection.write(b"NOOP\r\n")
            reply = await connection.reply(settings.timeout_s)
            if reply.code != 250:
                raise UnreachableError(
                    f"the server does not work ({reply})",
                    where=settings.where,
                    code=reply.code,
                    enhanced=reply.enhanced,
                )
        except OSError as exc:
            raise UnreachableError(f"the connection broke ({_said(exc)})", where=settings.where) from exc
        finally:
            await connection.quit(min(_QUIT_S, settings.timeout_s))
        return connection.protection

    async def close(self) -> None:
        """Say good-bye and hang up; what the server answers to that changes nothing."""
        pool, self._pool = self._pool, None
        if pool and pool.loop is asyncio.get_running_loop():
            await pool.close()


class _Pool:
    """The connections of one event loop, and the messages that wait for them.

    A lane is a task that has at most one connection and delivers one message after the other over it; without a message
    to deliver it ends, and its connection is kept for the next one.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self.loop = asyncio.get_running_loop()
        self._settings = settings
        self._tls = _tls_context(settings)
        self._waiting: deque[_Job] = deque()
        self._idle: list[Connection] = []
        self._lanes: set[asyncio.Task[None]] = set()
        self._starting = 0
        """Lanes that have not yet taken a message."""
        self._allowed = 1
        self._accepted = 0
        self._grows_from: float = 0
        self._refused: DeliverError | None = None
        """Why we cannot sign in; it is not tried again, as that could lock the account."""

    def put(self, job: _Job) -> None:
        """Deliver it as soon as there is room."""
        if self._refused:
            job.fail(copy(self._refused))
            return
        self._waiting.append(job)
        self._staff()

    async def close(self) -> None:
        """Hang up everywhere; messages that are still under way are not completed."""
        lanes = tuple(self._lanes)
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        pass_by("before_quit")
        limit_s = min(_QUIT_S, self._settings.timeout_s)
        await asyncio.gather(*(connection.quit(limit_s) for connection in self._idle), return_exceptions=True)
        self._idle = []

    def _staff(self) -> None:
        """Open a lane if something waits for one."""
        if len(self._waiting) > self._starting and len(self._lanes) < self._allowed:
            self._starting += 1
            lane = self.loop.create_task(self._work())
            self._lanes.add(lane)
            lane.add_done_callback(self._end)

    def _end(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        if lane.cancelled():
            self._give_up(TemporaryDeliverError("delivery was stopped", where=self._settings.where))
        else:
            self._staff()

    async def _work(self) -> None:
        """Deliver what waits until nothing does."""
        job: _Job | None = None
        connection: Connection | None = None
        try:
            connection = await self._kept()
            self._starting -= 1
            job = self._next(connection)
            while job:
                if connection is None:
                    connection = await open_connection(self._settings, self._tls)
                    pass_by("after_connect")
                if self._fits(connection, job):
                    job, connection = await self._transact(connection, job)
                else:
                    job = self._next(connection)
        except DeliverError as exc:
            assert job
            self._lose_lane(job, exc)
        except BaseException as exc:
            self._stop_lane(job, connection, exc)
            if not isinstance(exc, Exception):
                raise
        else:
            if connection:
                self._idle.append(connection)

    async def _transact(self, connection: Connection, job: _Job) -> tuple[_Job | None, Connection | None]:
        """Deliver one message, whose envelope may have gone out already.

        Returns:
            The next message, and the connection unless it is lost.
        """
        settings = self._settings
        is_said, connection.announced = connection.announced is job, None
        try:
            commands = connection.commands(job.sender, job.recipient, len(job.body))
            refusal = await connection.announce(commands, settings.timeout_s, is_said=is_said)
        except OSError as exc:
            connection.abort()
            if connection.is_used:
                # Servers close connections after some time or some messages; nothing was handed over yet.
                return job, None
            job.fail(self._broken(job, f"the connection broke ({_said(exc)})"))
            return self._next(None), None
        was_used, connection.is_used = connection.is_used, True
        if refusal:
            if refusal.reply.code != 421:
                job.fail(self._refusal(refusal.step, refusal.reply))
                return self._next(connection), connection
            connection.abort()
            if was_used:
                return job, None
            job.fail(self._refusal(refusal.step, refusal.reply))
            return self._next(None), None
        pass_by("after_envelope")
        if not await self._hand_over(connection, job):
            connection.abort()
            return self._next(None), None
        return await self._end_message(connection, job)

    async def _hand_over(self, connection: Connection, job: _Job) -> bool:
        """Send all but the end of a message, while the ledger writes; false if the connection is to be dropped."""
        if job.verdict.done():
            return False
        try:
            connection.write(job.body)
            pass_by("mid_body")
            try:
                await job.before_dot()
            except Exception as exc:  # noqa: BLE001  whatever it is, it belongs to whoever gave us the message
                job.fail(exc)
                return False
            await connection.flush(self._settings.timeout_s)
            if connection.is_quiet:
                return not job.verdict.done()
            # The server hung up or replied before the final dot: known not to be accepted, as it was not sent.
            job.fail(self._refusal("message", await connection.reply(self._settings.timeout_s)))
        except OSError as exc:
            job.fail(self._broken(job, f"the connection broke inside the message ({_said(exc)})"))
        return False

    async def _end_message(self, connection: Connection, job: _Job) -> tuple[_Job | None, Connection | None]:
        """Send the final dot, and with it the envelope of the next message; then wait for the verdict."""
        following = self._next(connection) if connection.pipelining else None
        try:
            job.is_sent = True
            if following:
                connection.announced = following
                commands = connection.commands(following.sender, following.recipient, len(following.body))
                connection.write(b"".join((b".\r\n", *commands)))
            else:
                connection.write(b".\r\n")
            pass_by("after_dot")
            reply = await connection.reply(self._settings.dot_timeout_s)
        except OSError as exc:
            connection.abort()
            job.fail(self._broken(job, f"the connection broke after the whole message was sent ({_said(exc)})"))
            return following or self._next(None), None
        connection.end_transaction()
        kept: Connection | None = connection
        if reply.code == 250:
            if not job.verdict.done():
                job.verdict.set_result(Receipt(reply.code, reply.text))
            self._accepted += 1
            if self._accepted >= self._grows_from and self._allowed < self._settings.connections:
                self._allowed += 1
            self._staff()
        elif reply.code < 400:
            kept = None
            job.fail(self._broken(job, f"the reply to the message makes no sense ({reply})"))
        else:
            kept = None if reply.code == 421 else connection
            job.fail(self._refusal("message", reply))
        if kept is None:
            connection.abort()
        return following or self._next(kept), kept

    async def _kept(self) -> Connection | None:
        """A connection from before that is still good."""
        while self._idle:
            connection = self._idle.pop()
            try:
                # Twice, so that what has arrived is read first.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                self._idle.append(connection)
                raise
            if connection.is_quiet:
                return connection
            connection.abort()
        return None

    def _lose_lane(self, job: _Job, exc: DeliverError) -> None:
        """A connection could not be had: the others go on, and if there are none, nothing does."""
        self._lanes.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        others = len(self._lanes) + len(self._idle)
        is_refused = isinstance(exc, SmtpRefusedError)
        if others:
            self._waiting.appendleft(job)
            self._allowed = others
            self._grows_from = math.inf if is_refused else self._accepted + _PATIENCE
            return
        if is_refused:
            self._refused = exc
        job.fail(exc)
        self._give_up(exc)

    def _stop_lane(self, job: _Job | None, connection: Connection | None, exc: BaseException) -> None:
        """The event loop ends, or we made a mistake."""
        if connection:
            connection.abort()
            if isinstance(connection.announced, _Job):
                self._waiting.appendleft(connection.announced)
        if job:
            job.fail(exc if isinstance(exc, Exception) else self._broken(job, "delivery was stopped"))

    def _give_up(self, exc: DeliverError) -> None:
        while self._waiting:
            self._waiting.popleft().fail(copy(exc))

    def _next(self, connection: Connection | None) -> _Job | None:
        """The first message that waits, if the server takes it by its size; nobody waits for a cancelled one."""
        while self._waiting:
            job = self._waiting.popleft()
            if not job.verdict.done() and (connection is None or self._fits(connection, job)):
                return job
        return None

    def _fits(self, connection: Connection, job: _Job) -> bool:
        """Whether the server takes a message of this size; if not, it has failed."""
        limit = connection.size_limit
        if limit is None or len(job.body) <= limit:
            return True
        problem = f"the message has {len(job.body)} bytes, and the server takes at most {limit}"
        job.fail(PermanentDeliverError(problem, where=self._settings.where))
        return False

    def _refusal(self, step: Step, reply: Reply) -> DeliverError:
        kind, hint = judge(step, reply)
        return kind(
            f"{step} refused ({reply})",
            where=self._settings.where,
            hint=hint,
            code=reply.code,
            enhanced=reply.enhanced,
        )

    def _broken(self, job: _Job, problem: str) -> DeliverError:
        kind = UncertainDeliverError if job.is_sent else TemporaryDeliverError
        return kind(problem, where=self._settings.where)


def _tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    return None if settings.effective_security is Security.NONE else make_tls_context()


def _on_the_wire(raw: bytes) -> bytes:
    """The content between DATA and the final dot (RFC 5321 section 4.5.2).

    Line ends are made CRLF first: a bare one before a dot could pass for the end of the message.
    """
    if not _is_on_the_wire(raw):
        raw = re.sub(rb"(?m)^\.", b"..", re.sub(rb"\r\n|\r|\n", b"\r\n", raw))
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


def _is_on_the_wire(raw: bytes) -> bool:
    """Whether every line ends with CRLF, and none begins with a dot; for 70 kB a fifth of what searches take."""
    octets = np.frombuffer(b"\r\n" + raw, np.uint8)
    ends = octets == _LF
    dots = octets[1:] == _DOT
    return bool(((octets == _CR)[:-1] == ends[1:]).all() and octets[-1] != _CR and not (ends[:-1] & dots).any())


def _envelope(address: str, kind: type[DeliverError]) -> str:
    """The address as it goes into a command."""
    if _ENVELOPE.fullmatch(address):
        return address
    raise kind(
        f"{mask_addresses(address)!r} cannot be written to",
        hint="before the @ it may hold ASCII letters, digits and signs only, no spaces",
    )


def _said(exc: OSError) -> str:
    return "no answer in time" if isinstance(exc, TimeoutError) else exc.strerror or str(exc) or type(exc).__name__
