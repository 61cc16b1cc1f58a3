"""Checks of single values: each returns the value in its normal form, or complains with a hint."""

import functools
import re
import unicodedata
import zoneinfo
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from digest.config.problems import ComplaintError, nearest, shown
from digest.schedule.rules import ScheduleError, parse_schedule
from digest.text.masking import mask, mask_addresses

_ARCHIVES_WITH_SUBJECTS = (
    "astro-ph",
    "cond-mat",
    "cs",
    "econ",
    "eess",
    "math",
    "nlin",
    "physics",
    "q-bio",
    "q-fin",
    "stat",
)
_ARCHIVES_ALONE = (
    "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nucl-ex", "nucl-th", "quant-ph",
)  # fmt: skip
_SUBJECT = re.compile(r"\*|[A-Z]{2}|[a-z]{3,8}(-[a-z]{2,5})?|[a-z]{2,5}-[a-z]{2,5}")
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""``${NAME}``: the value is in the environment."""

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_OFFSET = re.compile(r"(?:utc|gmt)?\s*[+-]?\d{1,2}(?::?\d{2})?", re.IGNORECASE)


def check_name(text: str) -> str:
    """A name for people, which may stand in logs and in headers."""
    text = text.strip()
    if not any(sign.isalnum() for sign in text):
        raise ComplaintError("the name is empty", "write a name for people, such as Vision group")
    if "@" in text:
        raise ComplaintError(
            f"the name {shown(text)} holds an '@'", "names stand in logs: keep addresses under 'email'"
        )
    if not text.isprintable() or len(text) > 100:
        raise ComplaintError(f"the name {shown(text)} is not one short line", "use up to 100 printable characters")
    return text


def check_id(text: str) -> str:
    """An id for logs and the database."""
    if not _ID.fullmatch(text) or len(text) > 64:
        raise ComplaintError(
            f"{shown(text)} is not an id", "use small letters, digits and hyphens, such as vision-group"
        )
    return text


def check_word(text: str) -> str:
    """A keyword or an author: something that can be found in a text."""
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    if not any(sign.isalnum() for sign in text):
        raise ComplaintError(f"{shown(text)} holds no letter and no digit, so it would never be found", "delete it")
    if len(text) > 200:
        raise ComplaintError(f"{shown(text)} is longer than 200 characters", "use a few words")
    return text


def check_category(text: str) -> str:
    """An arXiv category; a whole archive is ``cs.*``."""
    archive, dot, subject = text.strip().partition(".")
    archive = archive.lower()
    subject = subject.upper() if len(subject) == 2 else subject
    known = (*_ARCHIVES_WITH_SUBJECTS, *_ARCHIVES_ALONE)
    if archive not in known:
        near = nearest(archive, known) or next((name for name in known if sorted(name) == sorted(archive)), None)
        hint = f"did you mean '{near}{dot}{subject}'?" if near else f"known archives: {', '.join(known)}"
        raise ComplaintError(f"{shown(text)} is not an arXiv category", hint)
    if archive in _ARCHIVES_ALONE:
        if dot and subject != "*":
            raise ComplaintError(f"{shown(text)} is not an arXiv category", f"the archive '{archive}' is not divided")
        return archive
    if not dot:
        return f"{archive}.*"
    if not _SUBJECT.fullmatch(subject):
        raise ComplaintError(f"{shown(text)} is not an arXiv category", f"write as in cs.CL, or '{archive}.*' for all")
    return f"{archive}.{subject}"


def check_zone(value: object) -> object:
    """The name of a time zone."""
    text = str(value).strip()
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return value
    zones = _zones()
    if text in zones:
        return text
    if _OFFSET.fullmatch(text):
        raise ComplaintError(
            f"{shown(text)} is not a time zone", "an offset knows no summer time: name a place, such as Europe/Berlin"
        )
    place = text.replace(" ", "_").casefold()
    same_name = (zone for zone in zones if zone.casefold() == place)
    same_city = (zone for zone in zones if zone.rpartition("/")[2].casefold() == place)
    near = next(same_name, None) or next(same_city, None) or nearest(text, zones)
    examples = "time zones are named like Europe/Berlin, America/Bogota or UTC"
    raise ComplaintError(
        f"{shown(text)} is not a time zone", f"did you mean '{near}'? {examples}" if near else examples
    )


@functools.cache
def _zones() -> tuple[str, ...]:
    # `localtime` and Factory mean whatever a machine is set to.
    return tuple(sorted(zoneinfo.available_timezones() - {"localtime", "Factory"}))


def check_schedule(value: object) -> object:
    """A schedule, which may also be a list of days."""
    if isinstance(value, list) and value and all(isinstance(day, str) for day in value):
        value = ", ".join(value)
    if not isinstance(value, str):
        return value
    try:
        return parse_schedule(value).text
    except ScheduleError as exc:
        raise ComplaintError(mask_addresses(exc.problem), mask_addresses(exc.hint)) from exc


def check_email(text: str) -> str:
    """An address or ``${NAME}``; the value of a reference goes through `check_address` later."""
    text = text.strip()
    if REFERENCE.fullmatch(text):
        return text
    if "$" in text:
        raise ComplaintError(
            f"{shown(mask(text))} is not a reference to the environment",
            "the whole value is the reference, as in ${VISION_GROUP_EMAIL}",
        )
    return check_address(text)


def check_address(text: str) -> str:
    """One bare address, in ASCII; the message never shows it whole."""
    try:
        # Its "test environment" only adds the reserved domain .test, in which nobody receives mail.
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError as exc:
        raise ComplaintError(f"'{mask(text)}' is not an address", _address_hint(text)) from exc
    assert found.ascii_email is not None
    if len(found.ascii_email) > 254 or len(found.local_part) > 64:
        raise ComplaintError(
            f"'{mask(text)}' is too long for an address", "RFC 5321 allows 64 characters before the '@'"
        )
    return found.ascii_email


def _address_hint(text: str) -> str:
    domain = text.rpartition("@")[2]
    if not text:
        return "write an address, or a reference to the environment such as ${VISION_GROUP_EMAIL}"
    if "<" in text:
        return "write the bare address, without a name and without < >"
    if text.count("@") > 1 or "," in text or ";" in text:
        return "one subscriber has one address: write a subscriber for each"
    if "@" not in text:
        return "an address has an '@'"
    if not text.isascii():
        return "most servers refuse letters outside ASCII before the '@'"
    if "." not in domain:
        return "the part after the '@' needs a dot, as in example.org"
    return "check it for typing errors"


def check_url(text: str) -> str:
    """A web address without a sign-in."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise ComplaintError(f"{shown(text)} is not a web address", "write as in https://example.org/rss") from exc
    if parts.username is not None or parts.password is not None:
        raise ComplaintError(f"the address {shown(text)} holds a user or password", "only open addresses can be read")
    if parts.scheme not in ("http", "https") or not host or not text.isprintable() or " " in text:
        raise ComplaintError(f"{shown(text)} is not a web address", "write as in https://example.org/rss")
    return text


def check_template(text: str) -> str:
    """The name of a template folder; whether it exists is known where templates are loaded."""
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", text):
        raise ComplaintError(f"{shown(text)} is not the name of a template", "it is a folder's name, such as daily")
    return text
