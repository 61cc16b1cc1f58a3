"""The sender's domain in the DNS: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.exception
import dns.resolver

from digest.deliver.dkim import public_record, unrelated
from digest.doctor import Finding, Level

_LIMIT_S = 10
_SPECIAL = ("test", "invalid", "example", "localhost", "local")
"""Nobody has a domain in these (RFC 6761, RFC 6762)."""


class Resolver:
    """Asks the DNS for text records."""

    def __init__(self, server: tuple[str, int] | None = None) -> None:
        """Use this server, or those of the machine."""
        self._server = server

    def texts(self, name: str) -> tuple[str, ...]:
        """The text records of a name; none if it has none.

        Raises:
            OSError: Nobody knows: the servers did not answer, or could not.
        """
        try:
            resolver = dns.resolver.Resolver(configure=self._server is None)
            resolver.lifetime = _LIMIT_S
            if self._server:
                resolver.nameservers, resolver.port = [self._server[0]], self._server[1]
            answer = resolver.resolve(name, "TXT")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except dns.exception.DNSException as exc:
            raise OSError(f"the DNS does not answer for {name} ({type(exc).__name__})") from exc
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer)


@dataclass(frozen=True, slots=True)
class Key:
    """What messages are signed with."""

    domain: str
    selector: str
    pem: str = field(repr=False)


def look_at_domain(domain: str, resolver: Resolver, *, envelope: str = "", key: Key | None = None) -> Iterator[Finding]:
    """See whether receivers can tell that mail of this domain is its own.

    Args:
        domain: Of the From header.
        resolver: Asks.
        envelope: The domain that mail comes back to, which SPF is about; the same unless given.
        key: If messages are signed here.

    Raises:
        ConfigError: The key cannot be used.
    """
    if key and (found := unrelated(key.domain, domain)):
        yield Finding("DKIM", Level.WARNING, found, "set DIGEST_DKIM__DOMAIN to the sender's domain or to one above it")
    if domain.rpartition(".")[2] in _SPECIAL:
        yield Finding("domain", Level.OK, f"{domain} is a name for tests; it is not looked up")
        return
    try:
        yield _spf(envelope or domain, resolver)
        if key:
            yield _dkim(key, resolver)
        else:
            found = "messages are not signed here; a provider may sign them for the domain"
            yield Finding("DKIM", Level.OK, found, "to sign them here, set DIGEST_DKIM__SELECTOR and DIGEST_DKIM__KEY")
        yield _dmarc(domain, resolver)
    except OSError as exc:
        yield Finding("domain", Level.WARNING, str(exc), "ask again later, or check the resolver of this machine")


def _spf(domain: str, resolver: Resolver) -> Finding:
    records = [each for each in resolver.texts(domain) if re.match(r"v=spf1( |$)", each, re.IGNORECASE)]
    if not records:
        hint = "publish a TXT record of the domain that names your mail server, ‘v=spf1 include:… ~all’"
        return Finding("SPF", Level.WARNING, f"{domain} has no record", hint)
    if len(records) > 1:
        hint = "put them into one: receivers take several for none (RFC 7208 section 4.5)"
        return Finding("SPF", Level.ERROR, f"{domain} has {len(records)} records", hint)
    terms = records[0].casefold().split()[1:]
    # Each of these asks the DNS again; what an include asks for counts as well, and is not known here.
    asks = sum(bool(re.match(r"[+?~-]?(include:|redirect=|exists:|ptr\b|mx\b|a(?=[:/]|$))", term)) for term in terms)
    if asks > 10:
        hint = "at most ten may ask the DNS again (RFC 7208 section 4.6.4): leave some out"
        return Finding("SPF", Level.ERROR, f"{domain} asks for {asks} further look-ups", hint)
    end = next((term for term in terms if term in ("all", "+all", "?all", "~all", "-all")), "")
    if end in ("~all", "-all") or any(term.startswith("redirect=") for term in terms):
        return Finding("SPF", Level.OK, f"{domain}: {records[0]}")
    hint = "end it with ~all or -all, or it says nothing of strangers"
    return Finding("SPF", Level.WARNING, f"{domain}: {records[0]}", hint)


def _dkim(key: Key, resolver: Resolver) -> Finding:
    name = f"{key.selector}._domainkey.{key.domain}"
    ours = public_record(key.pem)
    records = [each for each in resolver.texts(name) if "p" in read_tags(each)]
    publish = f"publish as TXT record of {name}: {ours}"
    if not records:
        return Finding("DKIM", Level.ERROR, f"{name} has no key", publish)
    if len(records) > 1:
        return Finding("DKIM", Level.ERROR, f"{name} has {len(records)} records", "keep the one that fits the key")
    tags, wanted = read_tags(records[0]), read_tags(ours)
    if not tags["p"]:
        return Finding("DKIM", Level.ERROR, f"the key of {name} is revoked", publish)
    if (tags.get("k", "rsa"), tags["p"]) != (wanted["k"], wanted["p"]):
        return Finding("DKIM", Level.ERROR, f"the key of {name} does not fit DIGEST_DKIM__KEY", publish)
    if "y" in tags.get("t", "").split(":"):
        hint = "leave t=y out of the record: receivers treat such mail as if it were not signed"
        return Finding("DKIM", Level.WARNING, f"{name} is only on trial", hint)
    return Finding("DKIM", Level.OK, f"{name} fits DIGEST_DKIM__KEY ({wanted['k']})")


def _dmarc(domain: str, resolver: Resolver) -> Finding:
    # A domain without a record has that of one above it; which, is found by asking upwards.
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1)):
        name = "_dmarc." + ".".join(labels[start:])
        records = [each for each in resolver.texts(name) if re.match(r"v\s*=\s*DMARC1\s*(;|$)", each)]
        if len(records) > 1:
            return Finding("DMARC", Level.ERROR, f"{name} has {len(records)} records", "keep one: several are none")
        if records:
            tags = read_tags(records[0])
            policy = (tags.get("sp") if start else None) or tags.get("p", "")
            if policy.lower() not in ("none", "quarantine", "reject"):
                hint = "write p=none, p=quarantine or p=reject"
                return Finding("DMARC", Level.ERROR, f"{name} has no policy ({records[0]})", hint)
            return Finding("DMARC", Level.OK, f"{name}: {records[0]}")
    hint = (
        f"publish as TXT record of _dmarc.{domain}: v=DMARC1; p=none (Gmail and Yahoo ask those for it who send much)"
    )
    return Finding("DMARC", Level.WARNING, f"{domain} has no record", hint)


def read_tags(record: str) -> dict[str, str]:
    """The tags of a DKIM or DMARC record, without blanks (RFC 6376 section 3.2)."""
    tags = (part.partition("=") for part in record.split(";") if "=" in part)
    return {name.strip().lower(): re.sub(r"\s", "", value) for name, _, value in tags}
