"""Facts about hosts and addresses that the client relies on; which addresses are private, what may be shown."""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import formatdate, parsedate_to_datetime

from digest.text.clean import clean_text, fit

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Turns a host and a port into IP addresses, best first; raises `OSError` where there are none."""

# Keys and passwords, and who asks: some services want the operator's address in each request.
_SECRET_PARAMETER = re.compile(
    r"([?&][^=&#]*(?:key(?!word)|token|secret|pass|auth(?!ors?\b)|sig\b|signature|mailto|e-?mail|tool)[^=&#]*=)[^&#]*",
    re.IGNORECASE,
)
_HOME_DOMAINS = (".localhost", ".local", ".internal", ".home.arpa")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host, best first."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_arxiv(host: str) -> bool:
    """Whether a host is one of arXiv's, which share one limit."""
    host = host.lower().rstrip(".")
    return host == "arxiv.org" or host.endswith(".arxiv.org")


def host_group(host: str) -> str:
    """The hosts that share one limit, by one name: all of arXiv's; any other stands alone, with its port if any."""
    return "arxiv.org" if is_arxiv(re.sub(r":\d+$", "", host)) else host.lower().rstrip(".")


def is_public(address: str) -> bool:
    """Whether an IP address is on the public internet, also when it is written inside an IPv6 one."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local or int(ip) < 2**32:
            return False
    return ip.is_global and not ip.is_multicast


def is_public_name(host: str) -> bool:
    """Whether a host that is resolved by a proxy, out of our sight, may be on the public internet.

    Not if it is a private IP address in any spelling that resolvers read (``127.1``, ``0x7f000001``, ``2130706433``),
    nor a name of this machine or of its own network.
    """
    host = host.lower().rstrip(".")
    try:
        return is_public(host)
    except ValueError:
        pass
    try:
        return is_public(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return "." in host and not host.endswith(_HOME_DOMAINS)


def masked(url: str) -> str:
    """An address without user name, password and the values of parameters that look secret or personal."""
    text = clean_text(url)
    scheme, separator, rest = text.partition("://")
    if separator:
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        text = f"{scheme}://{authority.rpartition('@')[2]}{rest[len(authority) :]}"
    return _SECRET_PARAMETER.sub(r"\1…", text)


def shown(url: str) -> str:
    """An address fit for a log: `masked`, and not too long."""
    return fit(masked(url), 300)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long a server asks us to wait (RFC 9110 section 10.2.3); ``None`` for no, past or unreadable times.

    A date is compared with the server's own ``Date``, so that our clock does not matter. Where there is no
    ``Retry-After`` but GitHub's ``X-RateLimit-Reset``, this one counts, if nothing is left until then.
    """
    text = headers.get("retry-after", "").strip()
    if not text and is_used_up(headers):
        text = _reset_date(headers.get("x-ratelimit-reset", ""))
    if text.isascii() and text.isdigit():
        seconds = float(text) if len(text) < 10 else float("inf")
        return seconds or None
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds()) or None
    except (TypeError, ValueError, OverflowError):
        return None


def is_used_up(headers: Mapping[str, str]) -> bool:
    """Whether a server says that we have used up what it allows, as GitHub does with 403 as well as with 429.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api (read 2026-11-22)
    """
    return headers.get("x-ratelimit-remaining", "").strip() == "0"


def _reset_date(seconds: str) -> str:
    return formatdate(int(seconds), usegmt=True) if seconds.isdecimal() and len(seconds) < 12 else ""


def tls_error(exc: BaseException | None) -> ssl.SSLError | None:
    """What went wrong with encryption, if that is why a request failed."""
    while exc is not None and not isinstance(exc, ssl.SSLError):
        exc = exc.__cause__ or exc.__context__
    return exc
