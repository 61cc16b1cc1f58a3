"""Plain text for people: cutting, wrapping and marking; what templates use as filters."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from digest.text.clean import clean_text, fit, joins

_NARROW = re.compile("[\x20-\x7e\xa0-\xac\xae-\u02ff\u2010-\u2027\u2190-\u22ff]*")
"""What is common and takes one column."""
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[]*[^\W_a-z])|[。！？][」』）]*")
_NO_SENTENCE_END = re.compile(
    r"(?:\b(?:et al|e\.g|i\.e|etc|cf|vs|resp|approx|ca|viz|Fig|Figs|Eq|Eqs|Sec|Secs|Tab|Ref|Refs|App|Thm|Lem|Prop"
    r"|Def|No|Nos|Vol|pp|Dr|Prof|Mr|Mrs|Ms|St)|\b[A-Z]|\b[a-z]\.[a-z])\.$"
)


_NO_BREAK = re.compile("[\u00a0\u202f]")
_SPACES = re.compile(r"[^\S\u00a0\u202f]+")


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

    The first line comes after ``indent``, the others after ``hang`` if it is given. No-break spaces hold words together
    that fit on one line, and come out as plain ones.

    East Asian wide characters take two columns and may be parted anywhere but before closing punctuation.
    """
    hang = indent if hang is None else hang
    if columns(indent) + columns(text) <= width:
        return indent + " ".join(text.split())
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
    if _NARROW.fullmatch(text):
        return len(text)
    return sum(_columns(char) for char in text)


def nowrap(text: str) -> str:
    """The same with no-break spaces."""
    return text.replace(" ", "\u00a0")


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
    "nowrap": nowrap,
    "marked": marked,
}
"""What templates have besides Jinja's own and those of their language; see `digest.render.compile`."""


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
    """What must stay on one line, and whether a space stood before it; held together by no-break spaces if it fits."""
    for word in _words(text, room):
        if word.isascii() and (len(word) <= room or "://" in word):
            yield True, word
            continue
        start = 0
        for place in range(1, len(word)):
            if _may_part(word[place - 1], word[place], place - start, room):
                yield start == 0, word[start:place]
                start = place
        yield start == 0, word[start:]


def _words(text: str, room: int) -> Iterator[str]:
    if not _NO_BREAK.search(text):
        yield from text.split()
        return
    for words in _SPACES.split(text):
        held = " ".join(words.split())
        if columns(held) > room:
            yield from held.split()
        elif held:
            yield held


def _may_part(before: str, after: str, length: int, room: int) -> bool:
    if joins(after) or before == "\u200d" or " " in (before, after) or unicodedata.category(before) in ("Ps", "Pi"):
        return False
    if length >= room:
        return True
    is_closing = unicodedata.category(after) in ("Pe", "Pf", "Po")
    return not is_closing and 2 in (_columns(before), _columns(after))
