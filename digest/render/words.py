"""Plain text for people: cutting, wrapping, counting and dates; what templates use as filters."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from digest.text.clean import clean_text, fit, joins

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}

_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[]*[^\W_a-z])|[。！？][」』）]*")
_NO_SENTENCE_END = re.compile(
    r"(?:\b(?:et al|e\.g|i\.e|etc|cf|vs|resp|approx|ca|viz|Fig|Figs|Eq|Eqs|Sec|Secs|Tab|Ref|Refs|App|Thm|Lem|Prop"
    r"|Def|No|Nos|Vol|pp|Dr|Prof|Mr|Mrs|Ms|St)|\b[A-Z]|\b[a-z]\.[a-z])\.$"
)


def plain(text: str, cap: int = 300) -> str:
    """Make untrusted text safe to show on one line, at most ``cap`` long."""
    return fit(clean_text(text), cap)


def shorten(text: str, limit: int = 600) -> str:
    """Cut at the last end of a sentence within ``limit`` characters, else between words; short text stays whole.

    A tenth more than the limit is let through: nobody is helped by losing the last half sentence.
    """
    if len(text) <= limit * 11 // 10:
        return text
    if limit <= 0:
        return ""
    ends = [end for end in _sentence_ends(text[: limit + 1]) if limit // 3 <= end <= limit]
    return f"{text[: ends[-1]]} …" if ends else fit(text, limit)


def wrap(text: str, width: int = 72, indent: str = "", hang: str | None = None) -> str:
    """Break into lines of at most ``width`` columns; addresses are never broken.

    The first line comes after ``indent``, the others after ``hang`` if it is given.

    East Asian wide characters take two columns and may be parted anywhere but before closing punctuation.
    """
    hang = indent if hang is None else hang
    room = max(width - max(columns(indent), columns(hang)), 1)
    lines = [""]
    used = 0
    for spaced, atom in _atoms(text, room):
        taken = columns(atom)
        space = " " if spaced and lines[-1] else ""
        if lines[-1] and used + len(space) + taken > room:
            lines.append(atom)
            used = taken
        else:
            lines[-1] += space + atom
            used += len(space) + taken
    return "\n".join((hang if number else indent) + line for number, line in enumerate(lines))


def columns(text: str) -> int:
    """How many terminal columns the text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def plural(number: int, one: str, many: str = "") -> str:
    """``1 paper``, ``2 papers``, ``1,234 papers``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def nowrap(text: str) -> str:
    """The same with no-break spaces."""
    return text.replace(" ", "\u00a0")


def short_date(day: date) -> str:
    """``20 Nov``, whatever the locale."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def full_date(day: date) -> str:
    """``20 Nov 2026``, whatever the locale."""
    return f"{short_date(day)} {day.year}"


def long_date(day: date) -> str:
    """``Friday, 20 November 2026``, whatever the locale."""
    return f"{weekday(day)}, {day.day} {_LONG_MONTHS[day.month - 1]} {day.year}"


def weekday(day: date) -> str:
    """``Friday``, whatever the locale."""
    return _WEEKDAYS[day.weekday()]


def ordinal(number: int) -> str:
    """``third``, ``tenth``, ``11th``, ``22nd``."""
    if 1 <= number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    is_teen = number // 10 % 10 == 1
    return f"{number:,}{'th' if is_teen else _ENDINGS.get(number % 10, 'th')}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text that was, or was not, what a reader's filter found."""

    text: str
    hit: bool


def marked(text: str, found: Iterable[str]) -> tuple[Run, ...]:
    """Part the text so that a template can mark each of the ``found`` words; joined, the parts are the text."""
    words = sorted({word.strip() for word in found if word.strip()}, key=len, reverse=True)
    if not words or not text:
        return (Run(text, hit=False),) if text else ()
    # What was found in capitals is an acronym: "IT" does not mean every "it".
    patterns = (_whole(word) if word.removesuffix("s").isupper() else f"(?i:{_whole(word)})" for word in words)
    parts = re.split(f"({'|'.join(patterns)})", text)
    return tuple(Run(part, hit=bool(number % 2)) for number, part in enumerate(parts) if part)


FILTERS: Mapping[str, Callable[..., object]] = {
    "fit": fit,
    "shorten": shorten,
    "wrap": wrap,
    "plural": plural,
    "nowrap": nowrap,
    "short_date": short_date,
    "full_date": full_date,
    "long_date": long_date,
    "listed": listed,
    "marked": marked,
}
"""What templates have besides Jinja's own."""


def _whole(word: str) -> str:
    """A pattern for the word as a whole; scripts without spaces have no word ends to look for."""
    start = r"(?<!\w)" if columns(word[0]) == 1 else ""
    end = r"(?!\w)" if columns(word[-1]) == 1 else ""
    return start + r"\s+".join(map(re.escape, word.split())) + end


def _sentence_ends(text: str) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(text):
        if not _NO_SENTENCE_END.search(text[max(match.start() - 12, 0) : match.start() + 1]):
            yield match.end()


def _columns(char: str) -> int:
    if joins(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _atoms(text: str, room: int) -> Iterator[tuple[bool, str]]:
    """What must stay on one line, and whether a space stood before it."""
    for word in text.split():
        if word.isascii() and (len(word) <= room or "://" in word):
            yield True, word
            continue
        start = 0
        for place in range(1, len(word)):
            if _may_part(word[place - 1], word[place], place - start, room):
                yield start == 0, word[start:place]
                start = place
        yield start == 0, word[start:]


def _may_part(before: str, after: str, length: int, room: int) -> bool:
    if joins(after) or before == "\u200d" or unicodedata.category(before) in ("Ps", "Pi"):
        return False
    if length >= room:
        return True
    is_closing = unicodedata.category(after) in ("Pe", "Pf", "Po")
    return not is_closing and 2 in (_columns(before), _columns(after))
