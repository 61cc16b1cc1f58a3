"""The mailbox, read over IMAP (RFC 9051): only what is unseen, and nothing is ever deleted or sent."""

import contextlib
import imaplib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError
from imap_tools.mailbox import BaseMailBox, MailBox, MailBoxUnencrypted

from digest.config.settings import Imap
from digest.errors import ConfigError, DigestError
from digest.model import Security

_TIMEOUT_S: Final = 60
_MOST_BYTES: Final = 256 * 1024
"""Of one mail: a report comes first, and what it returns last."""
_HEADS: Final = 100
"""Heads of mails are asked for so many at a time."""
_UID = re.compile(rb"\bUID (\d+)")
_ARRIVED = re.compile(rb'\bINTERNALDATE "([^"]+)"')


class MailboxError(DigestError):
    """Nobody must act yet: the mailbox cannot be read now, and is asked again next time."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail in the mailbox."""

    uid: str
    at: datetime
    """When it arrived, in UTC."""
    raw: bytes = field(repr=False)
    """The mail, or its head alone."""


class Mailbox:
    """A mailbox that is open."""

    def __init__(self, box: BaseMailBox, where: str) -> None:
        self._box = box
        self._where = where

    def heads(self, now: datetime) -> Iterator[Arrival]:
        """The heads of all mails that are unseen, oldest first; they stay unseen.

        Args:
            now: Stands in for when a mail arrived, where the server does not say.

        Raises:
            MailboxError: The connection broke.
        """
        with _told(self._where):
            uids = sorted(self._box.uids("UNSEEN", charset=None), key=int)
        for start in range(0, len(uids), _HEADS):
            yield from self._fetch(uids[start : start + _HEADS], "BODY.PEEK[HEADER]", now)

    def read(self, uid: str, now: datetime) -> Arrival | None:
        """A whole mail, or as much of it as matters; ``None`` if it is gone. It stays unseen.

        Raises:
            MailboxError: The connection broke.
        """
        return next(iter(self._fetch([uid], f"BODY.PEEK[]<0.{_MOST_BYTES}>", now)), None)

    def mark_seen(self, uids: Sequence[str]) -> None:
        """Mark mails as seen.

        Raises:
            MailboxError: The connection broke.
        """
        # Not BaseMailBox.flag, which expunges, too: that would delete what others have marked.
        with _told(self._where):
            for start in range(0, len(uids), _HEADS):
                self._command("STORE", ",".join(uids[start : start + _HEADS]), "+FLAGS.SILENT", r"(\Seen)")

    def _fetch(self, uids: Sequence[str], part: str, now: datetime) -> list[Arrival]:
        with _told(self._where):
            lines = self._command("FETCH", ",".join(uids), f"(UID INTERNALDATE {part})")
        found = []
        for number, line in enumerate(lines):
            if not isinstance(line, tuple):
                continue
            # A server may name the number after the text.
            after = lines[number + 1] if number + 1 < len(lines) else b""
            facts = line[0] + (after if isinstance(after, bytes) else b"")
            if uid := _UID.search(facts):
                found.append(Arrival(uid[1].decode(), _arrived(facts) or now, line[1]))
        return sorted(found, key=lambda arrival: int(arrival.uid))

    def _command(self, *words: str) -> list[bytes | tuple[bytes, bytes]]:
        answer, lines = self._box.client.uid(*words)
        if answer != "OK":
            said = " ".join(str(line) for line in lines)[:200]
            raise MailboxError(f"the server refused {words[0]}: {said}", where=self._where)
        return list(lines)


@contextlib.contextmanager
def open_mailbox(settings: Imap, access_token: Callable[[], str] | None = None) -> Iterator[Mailbox]:
    """Sign in and open the folder.

    Args:
        settings: With host and user name.
        access_token: Gives what XOAUTH2 signs in with, in place of a password.

    Raises:
        ConfigError: The settings are not enough, or the server refuses them.
        MailboxError: The server cannot be reached.
    """
    if not settings.host or not settings.username:
        missing = "DIGEST_IMAP__USERNAME" if settings.host else "DIGEST_IMAP__HOST"
        raise ConfigError("no mailbox is set", where=missing, hint="set DIGEST_IMAP__HOST, __USERNAME and __PASSWORD")
    if not settings.security.permits(settings.host):
        raise ConfigError(
            f"'none' is only for this machine itself, not for {settings.host!r}",
            where="DIGEST_IMAP__SECURITY",
            hint="use tls (port 993) or starttls (port 143)",
        )
    if settings.password is None and access_token is None:
        hint = "set it, or DIGEST_OAUTH__REFRESH_TOKEN for XOAUTH2"
        raise ConfigError("there is nothing to sign in with", where="DIGEST_IMAP__PASSWORD", hint=hint)
    where = f"{settings.host}:{settings.port}"
    with _told(where):
        box = _connect(settings, settings.host)
    try:
        with _told(where):
            if settings.security is Security.STARTTLS:
                # Without a context of ours, no certificate would be verified.
                box.client.starttls(ssl.create_default_context())
            _sign_in(box, settings, access_token)
            box.folder.set(settings.folder)
        yield Mailbox(box, where)
    finally:
        try:
            box.logout()
        except (OSError, imaplib.IMAP4.error, ImapToolsError):
            with contextlib.suppress(OSError):
                box.client.shutdown()


def _connect(settings: Imap, host: str) -> BaseMailBox:
    match settings.security:
        case Security.TLS:
            return MailBox(host, settings.port, timeout=_TIMEOUT_S, ssl_context=ssl.create_default_context())
        case _:
            return MailBoxUnencrypted(host, settings.port, timeout=_TIMEOUT_S)


def _sign_in(box: BaseMailBox, settings: Imap, access_token: Callable[[], str] | None) -> None:
    username = settings.username or ""
    if settings.password is None:
        box.xoauth2(username, access_token() if access_token else "", initial_folder=None)
        return
    password = settings.password.get_secret_value()
    if (username + password).isascii():
        box.login(username, password, initial_folder=None)
    else:
        box.login_utf8(username, password, initial_folder=None)


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Turn what goes wrong on the line into our words; user name and password are in none of them."""
    try:
        yield
    except ssl.SSLCertVerificationError as exc:
        hint = "check DIGEST_IMAP__HOST; SSL_CERT_FILE may name an authority of your own"
        raise ConfigError(f"the certificate is not valid: {exc.verify_message}", where=where, hint=hint) from exc
    except MailboxLoginError as exc:
        raise _refused(where) from exc
    except MailboxFolderSelectError as exc:
        raise ConfigError("there is no such folder", where="DIGEST_IMAP__FOLDER", hint="INBOX always is") from exc
    except imaplib.IMAP4.abort as exc:
        raise MailboxError("the connection broke", where=where) from exc
    except imaplib.IMAP4.error as exc:
        # What imaplib raises itself when AUTHENTICATE or STARTTLS is refused.
        if "AUTH" in str(exc).upper():
            raise _refused(where) from exc
        raise MailboxError(f"the server refused a command: {str(exc)[:200]}", where=where) from exc
    except ImapToolsError as exc:
        raise MailboxError("the server refused a command", where=where) from exc
    except OSError as exc:
        raise MailboxError(f"cannot be reached: {exc.strerror or exc}", where=where) from exc


def _refused(where: str) -> ConfigError:
    hint = "check DIGEST_IMAP__USERNAME and DIGEST_IMAP__PASSWORD; many providers want an app password or XOAUTH2"
    return ConfigError("the server refused to sign us in", where=where, hint=hint)


def _arrived(facts: bytes) -> datetime | None:
    found = _ARRIVED.search(facts)
    if found is None:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        return parsedate_to_datetime(found[1].decode("ascii", "replace").replace("-", " ", 2).strip()).astimezone(UTC)
    return None
