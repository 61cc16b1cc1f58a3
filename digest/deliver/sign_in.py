"""Connects to a mail server, inside TLS unless it is on this machine, and signs in."""

import asyncio
import os
import socket
import ssl
from functools import partial

import aiosmtplib

from digest.deliver.account import SmtpSettings
from digest.deliver.connection import Connection
from digest.deliver.oauth import fetch_access_token, forget_access_token
from digest.deliver.replies import WRONG_PORT, Reply, sign_in_hint
from digest.errors import DeliverError, SmtpRefusedError, UnreachableError
from digest.model import Security
from digest.text.masking import mask_addresses
from digest.threads import run_aside


def make_tls_context() -> ssl.SSLContext:
    """Trusts whom the machine trusts, or who is named by ``SSL_CERT_FILE``."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def open_connection(settings: SmtpSettings, tls: ssl.SSLContext | None) -> Connection:
    """A connection that is ready for messages.

    Args:
        settings: Where to, and as whom.
        tls: Needed unless ``settings.effective_security`` is ``none``.

    Raises:
        UnreachableError: It cannot be had now.
        SmtpRefusedError: It cannot be had with these settings.
    """
    client = aiosmtplib.SMTP(
        hostname=None if settings.is_local_socket else settings.host,
        socket_path=settings.host if settings.is_local_socket else None,
        use_tls=settings.effective_security is Security.TLS,
        start_tls=False,
        tls_context=tls,
        timeout=settings.timeout_s,
        # Its own search for a name asks the DNS; the name is given with each EHLO.
        local_hostname="localhost",
    )
    try:
        await _connect(client, settings)
        await _say_hello(client, settings)
        if settings.effective_security is Security.STARTTLS:
            await _start_tls(client, settings)
            await _say_hello(client, settings)
        await _sign_in(client, settings)
        return _take_over(client)
    except BaseException as exc:
        transport = client.transport
        client.close()
        if isinstance(transport, asyncio.Transport):
            transport.abort()
        if isinstance(exc, ssl.SSLError):
            raise _tls_error(settings, exc) from exc
        if isinstance(exc, (aiosmtplib.SMTPException, OSError)):
            hint = WRONG_PORT if isinstance(exc, TimeoutError) else ""
            raise _error(settings, UnreachableError, f"the server does not work ({_said(exc)})", hint=hint) from exc
        raise


async def _connect(client: aiosmtplib.SMTP, settings: SmtpSettings) -> None:
    try:
        if settings.is_local_socket:
            await client.connect()
        else:
            async with asyncio.timeout(settings.timeout_s):
                connected = await _open_socket(settings)
            await client.connect(sock=connected)
    except aiosmtplib.SMTPConnectResponseError as exc:
        raise _turned_away(settings, _reply(exc)) from exc
    except TimeoutError:
        raise
    except (aiosmtplib.SMTPConnectError, OSError, UnicodeError) as exc:
        cause = exc.__cause__ if isinstance(exc, aiosmtplib.SMTPConnectError) else exc
        if isinstance(cause, (ssl.SSLError, aiosmtplib.SMTPException)):
            raise cause from exc
        said = _said(cause) if isinstance(cause, OSError) else "this is no name of a host"
        hint = "every message waits for the next run"
        raise _error(settings, UnreachableError, f"cannot connect ({said})", hint=hint) from exc


async def _open_socket(settings: SmtpSettings) -> socket.socket:
    """Connected to the first address of the host that can be reached.

    ``asyncio`` would look the host up in a thread that the end of the run waits for, however long the DNS hangs.
    """
    look_up = partial(socket.getaddrinfo, settings.host, settings.port, type=socket.SOCK_STREAM)
    failed: OSError | None = None
    for family, kind, protocol, _, address in await run_aside("look up mail server", look_up):
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connecting, address)
        except BaseException as exc:
            connecting.close()
            if not isinstance(exc, OSError):
                raise
            failed = exc
        else:
            return connecting
    raise failed or OSError("no address")


async def _say_hello(client: aiosmtplib.SMTP, settings: SmtpSettings) -> None:
    """Exchange names; what the server can do is then known."""
    name = _own_name(client.get_transport_info("sockname"))
    verb = b"LHLO" if settings.lmtp else b"EHLO"
    answer = await client.execute_command(verb, name)
    if answer.code == 250:
        client.last_ehlo_response = answer
        return
    if 500 <= answer.code < 600 and not settings.lmtp:
        answer = await client.execute_command(b"HELO", name)
        if answer.code == 250:
            client.last_helo_response = answer
            return
    raise _turned_away(settings, _reply(answer))


async def _start_tls(client: aiosmtplib.SMTP, settings: SmtpSettings) -> None:
    hint = "the password was not sent; " + WRONG_PORT
    if not client.supports_extension("starttls"):
        raise _error(settings, SmtpRefusedError, "the server does not offer STARTTLS", hint=hint)
    try:
        # It forgets what came along with the reply: that could be a stranger's, as it came outside of TLS.
        await client.starttls()
    except aiosmtplib.SMTPResponseException as exc:
        reply = _reply(exc)
        raise _error(settings, SmtpRefusedError, f"STARTTLS failed ({reply})", reply=reply, hint=hint) from exc


async def _sign_in(client: aiosmtplib.SMTP, settings: SmtpSettings) -> None:
    """Sign in, with one attempt only: more would lock the account."""
    username, password = settings.username, settings.password or ""
    if not username:
        return
    offered = {method.upper() for method in client.server_auth_methods}
    known = ("XOAUTH2",) if settings.oauth else ("PLAIN", "LOGIN")
    mechanism = next((name for name in known if name in offered), None)
    if not mechanism:
        raise _error(
            settings,
            SmtpRefusedError,
            f"no way to sign in: the server offers {' '.join(sorted(offered)) or 'none'}",
            hint=f"these settings need {' or '.join(known)}; if the server needs no sign-in,"
            " unset DIGEST_SMTP__USERNAME",
        )
    try:
        if settings.oauth:
            await client.auth_xoauth2(username, await fetch_access_token(settings.oauth))
        elif mechanism == "PLAIN":
            await client.auth_plain(username, password)
        else:
            await client.auth_login(username, password)
    except aiosmtplib.SMTPAuthenticationError as exc:
        if settings.oauth:
            forget_access_token(settings.oauth)
        reply = _reply(exc)
        raise _error(
            settings,
            SmtpRefusedError,
            f"sign-in refused for {mask_addresses(username)!r} ({reply})",
            reply=reply,
            hint=sign_in_hint(reply, settings.host, with_token=settings.oauth is not None),
        ) from exc


def _take_over(client: aiosmtplib.SMTP) -> Connection:
    """Go on with a conversation of our own, over the same transport."""
    assert isinstance(client.transport, asyncio.Transport)
    limit = client.esmtp_extensions.get("size", "").strip()
    encrypted = client.get_transport_info("ssl_object")
    return Connection(
        client.transport,
        pipelining=client.supports_extension("pipelining"),
        size_limit=(int(limit) or None) if limit.isdecimal() else None,
        knows_size=client.supports_extension("size"),
        protection=(encrypted and encrypted.version()) or "no TLS",
    )


def _turned_away(settings: SmtpSettings, reply: Reply) -> DeliverError:
    kind = SmtpRefusedError if reply.code >= 500 else UnreachableError
    return _error(settings, kind, f"the server turns us away ({reply})", reply=reply)


def _tls_error(settings: SmtpSettings, exc: ssl.SSLError) -> DeliverError:
    if isinstance(exc, ssl.SSLCertVerificationError):
        hint = "DIGEST_SMTP__HOST must be a name in the certificate; SSL_CERT_FILE can name a private authority"
        problem = f"the certificate is not to be trusted: {exc.verify_message}"
        return _error(settings, SmtpRefusedError, problem, hint=hint)
    return _error(settings, SmtpRefusedError, f"no TLS connection ({_said(exc)})", hint=WRONG_PORT)


def _error(
    settings: SmtpSettings, kind: type[DeliverError], problem: str, *, reply: Reply | None = None, hint: str = ""
) -> DeliverError:
    code, enhanced = (reply.code, reply.enhanced) if reply else (None, "")
    return kind(problem, where=settings.where, hint=hint, code=code, enhanced=enhanced)


def _reply(answer: aiosmtplib.SMTPResponse | aiosmtplib.SMTPResponseException) -> Reply:
    return Reply(answer.code, answer.message.encode("utf-8", "surrogateescape"))


def _said(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        return f"this is no SMTP reply: {_reply(exc).text!r}"
    if isinstance(exc, aiosmtplib.SMTPServerDisconnected):
        return "the server hung up"
    # asyncio puts the address where the system's words are.
    if isinstance(exc, socket.gaierror):
        return exc.strerror or "no such host"
    return (os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else "") or str(exc) or type(exc).__name__


def _own_name(address: object) -> bytes:
    """A name for EHLO; where the machine has no full one, its address (RFC 5321 section 4.1.4)."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name.encode("ascii")
    if not isinstance(address, tuple):
        return b"localhost"
    host = str(address[0])
    return (f"[IPv6:{host}]" if ":" in host else f"[{host}]").encode("ascii")
