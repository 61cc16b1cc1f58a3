"""Facts about hosts and addresses that the client relies on; which addresses are private, what may be shown."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

from digest.text.clean import clean_text, fit

_SECRET_PARAMETER = re.compile(r"([?&][^=&#]*(?:key|token|secret|pass|auth|sig)[^=&#]*=)[^&#]*", re.IGNORECASE)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host, best first."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_arxiv(host: str) -> bool:
    """Whether a host is one of arXiv's, which share one limit."""
    host = host.lower().rstrip(".")
    return host == "arxiv.org" or host.endswith(".arxiv.org")


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


def shown(url: str) -> str:
    """An address fit for a log: without user name, password and the values of parameters that look secret."""
    text = fit(clean_text(url), 300)
    scheme, separator, rest = text.partition("://")
    if separator:
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        text = f"{scheme}://{authority.rpartition('@')[2]}{rest[len(authority) :]}"
    return _SECRET_PARAMETER.sub(r"\1…", text)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long a server asks us to wait (RFC 9110 section 10.2.3); ``None`` for no, past or unreadable times.

    A date is compared with the server's own ``Date``, so that our clock does not matter.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text) if len(text) < 10 else float("inf")
        return seconds or None
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds()) or None
    except (TypeError, ValueError, OverflowError):
        return None
