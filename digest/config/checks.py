"""Checks of single values: each returns the value in its normal form, or complains with a hint."""

import functools
import re
import unicodedata
import zoneinfo
from collections.abc import Sequence
from datetime import date
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from digest.config.problems import ComplaintError, nearest, shown
from digest.match.mistakes import UNREADABLE
from digest.model import DateSpan, Security
from digest.schedule.days_off import country_names, known_places
from digest.schedule.rules import ScheduleError, parse_schedule, read_time
from digest.text import links
from digest.text.identity import arxiv_key, doi_key
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
_BIORXIV = (
    "animal behavior and cognition", "biochemistry", "bioengineering", "bioinformatics", "biophysics", "cancer biology",
    "cell biology", "clinical trials", "developmental biology", "ecology", "epidemiology", "evolutionary biology",
    "genetics", "genomics", "immunology", "microbiology", "molecular biology", "neuroscience", "paleontology",
    "pathology", "pharmacology and toxicology", "physiology", "plant biology", "scientific communication and education",
    "synthetic biology", "systems biology", "zoology",
)  # fmt: skip
# As the API spells them: the website says "HIV/AIDS", and adds brackets to endocrinology and infectious diseases.
_MEDRXIV = (
    "addiction medicine", "allergy and immunology", "anesthesia", "cardiovascular medicine",
    "dentistry and oral medicine", "dermatology", "emergency medicine", "endocrinology", "epidemiology",
    "forensic medicine", "gastroenterology", "genetic and genomic medicine", "geriatric medicine", "health economics",
    "health informatics", "health policy", "health systems and quality improvement", "hematology", "hiv aids",
    "infectious diseases", "intensive care and critical care medicine", "medical education", "medical ethics",
    "nephrology", "neurology", "nursing", "nutrition", "obstetrics and gynecology",
    "occupational and environmental health", "oncology", "ophthalmology", "orthopedics", "otolaryngology",
    "pain medicine", "palliative medicine", "pathology", "pediatrics", "pharmacology and therapeutics",
    "primary care research", "psychiatry and clinical psychology", "public and global health", "radiology and imaging",
    "rehabilitation medicine and physical therapy", "respiratory medicine", "rheumatology",
    "sexual and reproductive health", "sports medicine", "surgery", "toxicology", "transplantation", "urology",
)  # fmt: skip
# Every language with two letters in the registry of RFC 5646; of those with three, there are thousands.
_LANGUAGES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en"
    " eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv"
    " ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne"
    " ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st"
    " su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
_LANGUAGE_TAG = re.compile(r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|\d{3}))?")
MAX_ABSTRACT = 5_000
MAX_QUIET_DAYS = 1_000
_MAX_LINK_CHARS = 800
"""A line of a header has room for 998, and a reader's id is put into some links."""
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""``${NAME}``: the value is in the environment."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
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
    _check_readable(text)
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    if not any(sign.isalnum() for sign in text):
        raise ComplaintError(f"{shown(text)} holds no letter and no digit, so it would never be found", "delete it")
    if len(text) > 200:
        raise ComplaintError(f"{shown(text)} is longer than 200 characters", "use a few words")
    return text


def _check_readable(text: str) -> None:
    if unreadable := UNREADABLE.search(text):
        raise ComplaintError(
            f"{shown(UNREADABLE.sub('�', text))} holds the invisible character U+{ord(unreadable[0]):04X}", "delete it"
        )


def check_line(text: str) -> str:
    """A description, on one line."""
    _check_readable(text)
    text = " ".join(text.split())
    if not any(sign.isalnum() for sign in text):
        raise ComplaintError(f"{shown(text)} says nothing", "write at least one word, or delete the key")
    return text


def check_like(value: object) -> object:
    """The id of a paper, or the path of a file; whether it exists is known where it is read."""
    if isinstance(value, float):
        raise ComplaintError(f"the id {shown(value)} was read as a number", f'put it in quotes: "{value}"')
    if not isinstance(value, str) or arxiv_key(value) or doi_key(value):
        return value
    return check_file(value)


def check_threshold(value: object) -> object:
    """A number from 0 to 1, or the id of a paper as its key."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    if isinstance(value, str) and (key := arxiv_key(value) or doi_key(value)):
        return key
    is_like_an_id = isinstance(value, float) and value > 100
    raise ComplaintError(
        f"the threshold {shown(value)} is neither a number from 0 to 1 nor an arXiv id or DOI",
        f'put an id in quotes: "{value}"' if is_like_an_id else 'write 0.5, or "2401.01234": as near as that paper',
    )


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


def check_biorxiv_category(text: str) -> str:
    """A category of bioRxiv as its API spells it, or ``all``."""
    return _preprint_category(text, "bioRxiv", _BIORXIV)


def check_medrxiv_category(text: str) -> str:
    """A category of medRxiv as its API spells it, or ``all``."""
    return _preprint_category(text, "medRxiv", _MEDRXIV)


def _preprint_category(text: str, server: str, known: tuple[str, ...]) -> str:
    name = " ".join(re.sub(r"\(.*\)|[/_-]", " ", text).lower().split())
    if name not in ("all", *known):
        near = nearest(name, known)
        hint = f"did you mean '{near}'?" if near else f"known: all, {', '.join(known)}"
        raise ComplaintError(f"{shown(text)} is not a category of {server}", hint)
    return name


def check_issn(text: str) -> str:
    """An ISSN whose check digit is right."""
    issn = text.strip().upper()
    match = re.fullmatch(r"(\d{4})-?(\d{3})([\dX])", issn, re.ASCII)
    if match is None:
        raise ComplaintError(f"{shown(text)} is not an ISSN", "write as in 1476-4687; the journal's own page names it")
    digits = match[1] + match[2]
    rest = -sum(weight * int(digit) for weight, digit in zip(range(8, 1, -1), digits, strict=True)) % 11
    if match[3] != "0123456789X"[rest]:
        raise ComplaintError(
            f"{shown(text)} is not an ISSN: its last digit does not fit the others", "check it for typing errors"
        )
    return f"{match[1]}-{match[2]}{match[3]}"


def check_query(text: str) -> str:
    """What a service is asked to search for."""
    text = " ".join(text.split())
    if not any(sign.isalnum() for sign in text):
        raise ComplaintError(f"{shown(text)} asks for nothing", "write at least one word")
    if len(text) > 1_000 or not text.isprintable():
        raise ComplaintError(f"{shown(text)} is not a query", "use up to 1,000 printable characters")
    return text


def check_venue(text: str) -> str:
    """The id of a venue on OpenReview."""
    text = text.strip()
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", text, re.ASCII):
        raise ComplaintError(
            f"{shown(text)} is not the id of a venue",
            "it stands after 'id=' in the address of the venue's page, such as ICLR.cc/2026/Conference",
        )
    return text


def check_openalex_topic(text: str) -> str:
    """The id of a topic, which may be written as its address."""
    match = re.fullmatch(r"(?:https://(?:api\.)?openalex\.org/(?:topics/)?)?(T[0-9]{1,9})", text.strip(), re.IGNORECASE)
    if match is None:
        raise ComplaintError(
            f"{shown(text)} is not a topic of OpenAlex", "write its id, such as T10653, or search for words"
        )
    return match[1].upper()


def check_language(text: str) -> str:
    """A language tag (RFC 5646) of language, script and region, or nothing."""
    match = _LANGUAGE_TAG.fullmatch(text.strip().replace("_", "-").lower())
    if text.strip() and (
        match is None or (len(match["language"]) == 2 and match["language"] not in _LANGUAGES.split())
    ):
        raise ComplaintError(f"{shown(text)} is not a language tag", "write as in de, fr, pt-BR or zh-Hant")
    if match is None:
        return ""
    parts = (match["language"], (match["script"] or "").title(), (match["region"] or "").upper())
    return "-".join(filter(None, parts))


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


def check_latest_send(value: object) -> object:
    """A local time, as ``09:30``; or nothing."""
    text = str(value).strip()
    if not isinstance(value, (str, int, float)) or isinstance(value, bool) or not text:
        return value
    try:
        return f"{read_time(text):%H:%M}"
    except ScheduleError as exc:
        raise ComplaintError(f"{shown(text)} is not a time of day", exc.hint) from exc


def read_dates(text: str) -> DateSpan:
    """One date, or the first and the last of several."""
    first, dots, last = (part.strip() for part in text.strip().partition(".."))
    try:
        days = [date.fromisoformat(part) for part in ((first, last) if dots else (first,)) if _DATE.fullmatch(part)]
    except ValueError as exc:
        raise ComplaintError(f"{shown(text)} names a day that no month has", "check it for typing errors") from exc
    if len(days) != 1 + bool(dots):
        raise ComplaintError(
            f"{shown(text)} is neither a date nor a first and a last one",
            "write 2026-12-24, or 2026-12-24..2027-01-02, with the year",
        )
    span = DateSpan(days[0], days[-1])
    if span.last < span.first:
        raise ComplaintError(f"{shown(text)} ends before it begins", "write the first date first")
    return span


def check_dates(text: str) -> str:
    """Dates in the normal form of `read_dates`."""
    span = read_dates(text)
    return f"{span.first}..{span.last}" if span.first < span.last else f"{span.first}"


def check_quiet(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Dates that are few enough to leave some."""
    days = sum((span.last - span.first).days + 1 for span in map(read_dates, texts))
    if days > MAX_QUIET_DAYS:
        raise ComplaintError(
            f"{days:,} days are quiet, more than {MAX_QUIET_DAYS:,}",
            "delete those that are over; paused: true ends mail until it is false",
        )
    return texts


def check_holidays(text: str) -> str:
    """A country whose public holidays are known, or a part of one, by their codes; or nothing."""
    country, hyphen, part = (word.strip() for word in text.strip().upper().partition("-"))
    if not country and not hyphen:
        return ""
    known = known_places()
    if country not in known:
        names = country_names()
        word = text.strip().casefold()
        near = names.get(word) or names.get(country.casefold()) or names.get(nearest(word, names) or "")
        hint = "write a country's ISO 3166 code, such as DE, or DE-BE for a part of it"
        raise ComplaintError(
            f"no public holidays are known of {shown(text)}", f"did you mean '{near}'? {hint}" if near else hint
        )
    by_fold = {each.casefold(): each for each in known[country]}
    if hyphen and part.casefold() not in by_fold:
        problem = f"{shown(text)} is no part of {country} with holidays of its own"
        if not by_fold:
            raise ComplaintError(problem, f"write '{country}'")
        near = nearest(part, known[country])
        hint = f"known: {country}, {', '.join(f'{country}-{each}' for each in known[country])}"
        raise ComplaintError(problem, f"did you mean '{country}-{near}'? {hint}" if near else hint)
    return f"{country}-{by_fold[part.casefold()]}" if hyphen else country


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


def check_file(text: str) -> str:
    """The path of a file; whether it exists is known where it is read."""
    if "://" in text:
        raise ComplaintError(f"{shown(text)} is an address, not a file", "save it as a file first")
    if not text.strip() or not text.isprintable():
        raise ComplaintError(f"{shown(text)} is not the path of a file", "write as in feeds.opml")
    return text


def check_template(text: str) -> str:
    """The name of a template folder; whether it exists is known where templates are loaded."""
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", text):
        raise ComplaintError(f"{shown(text)} is not the name of a template", "it is a folder's name, such as daily")
    return text


def check_theme(text: str) -> str:
    """The name of a theme; whether it exists is known where themes are loaded."""
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", text):
        raise ComplaintError(
            f"{shown(text)} is not the name of a theme",
            "it is the name of a file in themes/ without .yaml, such as ink",
        )
    return text


def check_abstract(value: object) -> object:
    """So many characters of an abstract, or ``none`` or ``full`` of it."""
    length = {"none": 0, "full": MAX_ABSTRACT}.get(value, value) if isinstance(value, str) else value
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length <= MAX_ABSTRACT:
        raise ComplaintError(
            f"{shown(value)} is no length of an abstract", f"write a number from 0 to {MAX_ABSTRACT}, full or none"
        )
    return length


def check_archive(text: str) -> str:
    """Where editions are published: an address to which ``/2026-11-20.html`` can be added, or nothing."""
    if not text.strip():
        return ""
    url = check_link(text)
    if set(url) & set("?#"):
        raise ComplaintError(f"{shown(url)} is not the address of a folder", "leave out what begins with '?' or '#'")
    return url.rstrip("/")


def check_link(text: str) -> str:
    """A web address that may stand in a mail and in its headers, in ASCII: https, but on this machine itself."""
    text = check_url(text)
    url = links.check_url(text)
    if url is None or set(text) & set('<>"'):
        raise ComplaintError(f"{shown(text)} is not a web address", "write as in https://example.org/papers")
    if len(url) > _MAX_LINK_CHARS:
        raise ComplaintError(
            f"{shown(text)} takes {len(url):,} characters, more than {_MAX_LINK_CHARS}", "publish under a shorter one"
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and not Security.NONE.permits(parts.hostname or ""):
        raise ComplaintError(f"{shown(url)} is not an https address", "readers' clicks must not go over an open line")
    return url


def check_pattern(text: str, names: Sequence[str]) -> str:
    """An address with each of these ``{names}`` once or more after its host; they are replaced later."""
    wanted = ", ".join(f"{{{name}}}" for name in names)
    text = text.strip()
    for unknown in re.findall(r"\{[^{}]*\}|[{}]", text):
        if unknown[1:-1] not in names:
            near = nearest(unknown[1:-1], names)
            hint = f"did you mean '{{{near}}}'? " if near else ""
            raise ComplaintError(f"{shown(text)} holds {shown(unknown)}", f"{hint}known: {wanted}")
    check_url(text)
    after_host = "".join(re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[1:])
    if missing := [f"{{{name}}}" for name in names if f"{{{name}}}" not in after_host]:
        raise ComplaintError(
            f"{shown(text)} lacks {', '.join(missing)} after the host",
            f"write as in https://example.org/f?{_query(names)}",
        )
    return re.sub(rf"%7B({'|'.join(names)})%7D", r"{\1}", check_link(text))


def _query(names: Sequence[str]) -> str:
    return "&".join(f"{name[0]}={{{name}}}" for name in names)
