"""Folds text so that case, accents, hyphens and plurals do not decide whether a keyword is found in it."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import accumulate

# Han and Kana are written without blanks between words, so each character is a word of its own.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = "\u0300-\u036f"
# A word of its own, and not the NET that other texts write.
NET = re.compile(rf"(?<![\w.{_MARKS}])\.(?i:net)(?!\.?[\w{_MARKS}])")
_WORD = re.compile(rf"{NET.pattern}|[{_CJK}]|(?:[^\W_{_CJK}]|[{_MARKS}])+(?:\+\+|#)?")
# What may stand between the words of a keyword: blanks, hyphens, slashes, quotes; a dot or & only inside "GPT-3.5" and
# "R&D". Anything else, such as the end of a sentence, a bracket or an operator, ends it.
_HOLDS = re.compile(r"[\s\-\u2010-\u2013/'’\"“”_]*|[.&]")
# "therapist" is not in "the rapist": a joined keyword does not swallow the blank after one of these.
NEVER_JOINED = frozenset(
    # A list of literals would be one word a line.
    """a an and any are as at be by can do for from has if in into is it its let no nor not of off on or our out per
    so that the their this to too two up us via was we who with""".split()  # noqa: SIM905
)
_PLAIN = re.compile(r"[A-Za-z]+(?:[ -][A-Za-z]+)*\*?")
_SINGULAR_IN_S = frozenset(["lens", "means", "news", "series", "species", "always", "perhaps", "physics"])


def fold(word: str) -> str:
    """The word without case and accents, and with compatibility characters (ﬁ, ², ｆ) resolved."""
    return strip_accents(word).casefold()


def strip_accents(word: str) -> str:
    """The word without accents, its case kept."""
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFKD", word)
    stripped = "".join(char for char in decomposed if not unicodedata.combining(char))
    # These letters have no decomposition, but ASCII sources write them without the stroke.
    return stripped.translate(_STROKES)


_STROKES = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ı": "i", "æ": "ae", "Æ": "AE"})


class Letter(IntEnum):
    """What a character is to the words of a text."""

    BREAK = 0
    """Ends a keyword, unless it is one of the signs below."""
    PLUS = 1
    HASH = 2
    POINT = 3
    """A dot or &, which holds words together if it stands alone between them; numbers from here on hold them."""
    JOINER = 4
    """A hyphen, slash, quote or underscore."""
    APOSTROPHE = 5
    BLANK = 6
    WORD = 7
    CJK = 8
    UNKNOWN = 9
    """Not looked at yet."""


def letter_of(char: str) -> Letter:
    """What a character is."""
    word = _WORD.fullmatch(char)
    if word:
        return Letter.CJK if re.fullmatch(f"[{_CJK}]", char) else Letter.WORD
    if char.isspace():
        return Letter.BLANK
    if char in "'’":
        return Letter.APOSTROPHE
    if char in ".&":
        return Letter.POINT
    if _HOLDS.fullmatch(char):
        return Letter.JOINER
    return {"+": Letter.PLUS, "#": Letter.HASH}.get(char, Letter.BREAK)


class Words:
    """A text as a row of words, searchable for keywords.

    All words are joined without separators, and a keyword is sought in that: "pre-training", "pre training" and
    "pretraining" then are the same string, and what remains to check is that the hit starts and ends at words.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        spans: list[tuple[int, int]] = []
        gaps: list[str] = []
        end = 0
        for word in _WORD.finditer(text):
            gap = text[end : word.start()]
            end = word.end()
            if word[0] in {"s", "S"} and spans and gap.endswith(("'", "’")):
                continue
            if not word[0].isascii() and not fold(word[0]):
                continue
            spans.append(word.span())
            gaps.append(gap)
        self.spans = spans
        self._gaps = gaps
        self._words = [text[start:end] for start, end in spans]

    @cached_property
    def folded(self) -> "_Joined":
        """The words without case and accents."""
        return _Joined.of([fold(word) for word in self._words])

    @cached_property
    def cased(self) -> "_Joined":
        """The words without accents, their case kept, for acronyms."""
        return _Joined.of([strip_accents(word) for word in self._words])

    def find(self, keyword: "Keyword") -> tuple[int, int] | None:
        """Where the keyword first stands: start and end in the original text."""
        for first, last in self.places(keyword):
            return self.spans[first][0], self.spans[last][1]
        return None

    def places(self, keyword: "Keyword") -> Iterator[tuple[int, int]]:
        """First and last word, by number, of every place where the keyword stands, one spelling after another."""
        joined = self.cased if keyword.is_acronym else self.folded
        for form in keyword.forms:
            for first, last in joined.find(form, open_end=keyword.is_prefix):
                if self._holds_together(joined, first, last, keyword):
                    yield first, last

    def _holds_together(self, joined: "_Joined", first: int, last: int, keyword: "Keyword") -> bool:
        """Whether words ``first`` to ``last`` may be read as one keyword."""
        for number in range(first + 1, last + 1):
            gap = self._gaps[number]
            if not _HOLDS.fullmatch(gap):
                return False
            split_in_keyword = joined.starts[number] - joined.starts[first] in keyword.splits
            if gap.isspace() and not split_in_keyword:
                left = fold(self._words[number - 1])
                if len(left) == 1 or left in NEVER_JOINED:
                    return False
        return True


@dataclass(frozen=True, slots=True)
class _Joined:
    text: str
    starts: list[int]
    """Offset of each word in ``text``, and the length of ``text`` at the end."""
    number_at: dict[int, int]
    """The inverse of ``starts``."""

    @classmethod
    def of(cls, words: list[str]) -> "_Joined":
        starts = [0, *accumulate(map(len, words))]
        return cls("".join(words), starts, {start: number for number, start in enumerate(starts)})

    def find(self, form: str, *, open_end: bool) -> Iterator[tuple[int, int]]:
        """First and last word of every place where the form starts at a word and, unless open, ends at one."""
        at = self.text.find(form)
        while at >= 0:
            first = self.number_at.get(at)
            end = at + len(form)
            if first is not None:
                if end in self.number_at:
                    yield first, self.number_at[end] - 1
                elif open_end:
                    yield first, next(n for n in range(first, len(self.starts)) if self.starts[n + 1] > end)
            at = self.text.find(form, at + 1)


@dataclass(frozen=True, slots=True)
class Keyword:
    """One keyword of a topic, ready to be sought."""

    text: str
    """As the subscriber wrote it."""
    forms: tuple[str, ...]
    """The joined spellings that count as the keyword: itself, its plurals and its singulars."""
    splits: frozenset[int]
    """Offsets in the joined spelling at which the subscriber wrote a blank or hyphen."""
    is_prefix: bool
    is_acronym: bool

    @classmethod
    def parse(cls, text: str) -> "Keyword":
        """Read a keyword: words, "a phrase", a hyphen-ated one, or a ``prefix*``.

        Up to five letters and digits, all letters upper-case (``RL``, ``SAM``, ``GPT-4``), are an acronym: found
        only in that case, alone or with a plural s.

        Raises:
            ValueError: Nothing in it is a letter or a digit.
        """
        if _PLAIN.fullmatch(text) and not text.isupper():
            # Most are so plain that they need not be taken apart character by character.
            is_prefix = text.endswith("*")
            *first, last = text.lower().rstrip("*").replace("-", " ").split(" ")
            stem = "".join(first)
            forms = (stem + last,) if is_prefix else tuple([stem + form for form in _number_forms(last)])
            return cls(text, forms, frozenset(accumulate(map(len, first))), is_prefix, is_acronym=False)
        is_prefix = text.rstrip().endswith("*")
        words = Words(unicodedata.normalize("NFC", text))
        if not words.spans:
            raise ValueError(f"keyword {text!r} holds no letter or digit")
        is_acronym = text.isupper() and len(words.cased.text) <= 5 and not words.cased.text.startswith(".")
        joined = words.cased if is_acronym else words.folded
        if is_prefix:
            forms = (joined.text,)
        elif is_acronym:
            forms = (joined.text, joined.text + "s")
        else:
            last = joined.text[joined.starts[-2] :]
            stem = joined.text[: joined.starts[-2]]
            forms = tuple(stem + form for form in _number_forms(last))
        return cls(text, forms, frozenset(joined.starts[1:-1]), is_prefix, is_acronym)


def _number_forms(word: str) -> tuple[str, ...]:
    """A word with its English plural and singular."""
    if not word.isalpha() or not word.isascii():
        return (word,)
    forms = [word, word + "s"]
    if word.endswith(("s", "x", "z", "ch", "sh")):
        forms[1] = word + "es"
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        forms[1] = word[:-1] + "ies"
    if len(word) >= 4 and word.endswith("s") and word not in _SINGULAR_IN_S:
        if word.endswith("ies"):
            forms.append(word[:-3] + "y")
        elif word.endswith(("sses", "xes", "zes", "ches", "shes")):
            forms.append(word[:-2])
        elif not word.endswith(("ss", "us", "is", "as", "ics")):
            forms.append(word[:-1])
    return tuple(forms)
