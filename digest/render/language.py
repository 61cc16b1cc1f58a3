"""The mail's own words, dates and counts in the reader's language: gettext catalogues by Babel."""

import gettext
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.dates import format_date, format_skeleton, get_day_names
from babel.lists import format_list
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal

from digest.errors import RenderError

log = logging.getLogger(__name__)

LANGUAGES: Final = ("en", "de", "fr", "es", "pt", "zh", "ja")
"""In which the mail speaks; any other language gets the first."""

CATALOGUES: Final = Path(__file__).parent.parent / "locale"
"""Where ``de.po`` and its like are; English is what the code says."""

_LOCALES = {"en": "en_GB"}
"""Whose dates and lists are those of the mail, where the tag alone means others: ``20 Nov 2026``, ``a, b and c``."""
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Language:
    """Says things in one language."""

    tag: str
    """One of `LANGUAGES`."""
    locale: Locale = field(repr=False, hash=False, compare=False)
    catalogue: gettext.NullTranslations = field(repr=False, hash=False, compare=False)

    @property
    def dir(self) -> str:
        """``ltr`` or ``rtl``, as in HTML."""
        return str(self.locale.text_direction)

    def say(self, message: str, **values: object) -> str:
        """The message in this language, ``%(name)s`` in it replaced by the value."""
        said = self.catalogue.gettext(message)
        return said % values if values else said

    def count(self, one: str, many: str, num: int, **values: object) -> str:
        """The form of the message that this language has for the number, which is ``%(num)s`` in it."""
        return self.catalogue.ngettext(one, many, num) % {"num": self.number(num), **values}

    def number(self, number: float) -> str:
        """``1,234`` or ``9.4``, with the signs that this language puts between digits; at most three decimals."""
        if isinstance(number, int) and -1_000 < number < 1_000:
            return str(number)
        return _number(number, self)

    def listed(self, words: Sequence[str]) -> str:
        """``a, b and c``."""
        return str(format_list(words, locale=self.locale)) if len(words) > 1 else "".join(words)

    def short_date(self, day: date) -> str:
        """``20 Nov``."""
        return _date(day, "MMMd", self)

    def full_date(self, day: date) -> str:
        """``20 Nov 2026``."""
        return _date(day, "yMMMd", self)

    def long_date(self, day: date) -> str:
        """``Friday, 20 November 2026``."""
        return _date(day, "full", self)

    def weekday(self, day: date) -> str:
        """``Friday``."""
        return str(get_day_names("wide", locale=self.locale)[day.weekday()])

    def weekday_date(self, day: date) -> str:
        """``Mon 16 Nov``."""
        return _date(day, "MMMEd", self)


def find_language(tag: str, folder: Path = CATALOGUES) -> Language:
    """The language nearest to a tag: ``pt-BR`` is ``pt``, and what is not known, or empty, is English.

    A catalogue that cannot be read is logged once, and everything is said in English.
    """
    return _find(_nearest(tag) or LANGUAGES[0], folder)


def note_language(tag: str) -> str:
    """A line on a language that the mail does not speak; empty if it does, or none is named."""
    if not tag or _nearest(tag):
        return ""
    return f"mails in {tag} have their own words in English; there are words in {', '.join(LANGUAGES)}"


def _nearest(tag: str) -> str:
    """One of `LANGUAGES`, or empty."""
    primary = tag.replace("_", "-").split("-")[0].lower()
    return primary if primary in LANGUAGES else ""


def read_language(tag: str, folder: Path = CATALOGUES) -> Language:
    """Read a catalogue; what it does not have, or not in a usable form, is said in English.

    Args:
        tag: One of `LANGUAGES`.
        folder: Has ``TAG.po``, or the language has English words.

    Raises:
        RenderError: It is no catalogue.
    """
    locale = Locale.parse(_LOCALES.get(tag, tag))
    path = folder / f"{tag}.po"
    if not path.is_file():
        return Language(tag, locale, gettext.NullTranslations())
    compiled = io.BytesIO()
    try:
        with path.open("rb") as file:
            catalogue = read_po(file, locale=locale, abort_invalid=True)
        for message in list(catalogue):
            if message.id and not fits(message):
                catalogue.delete(message.id)
        write_mo(compiled, catalogue)
        compiled.seek(0)
        return Language(tag, locale, gettext.GNUTranslations(compiled))
    except (PoFileError, LookupError, ValueError) as exc:
        raise RenderError(str(exc), where=str(path), hint="a text editor for .po files shows the place") from exc


def fits(message: Message) -> bool:
    """Whether every form of a translation can be filled in with what the English message is filled in with."""
    names = set(_PLACEHOLDER.findall(" ".join(_forms(message.id))))
    if not names and not message.pluralizable:
        return True  # `Language.say` prints it as it is.
    return all(
        names.issuperset(_PLACEHOLDER.findall(text)) and "%" not in _PLACEHOLDER.sub("", text.replace("%%", ""))
        for text in _forms(message.string)
    )


def _forms(text: str | Sequence[str] | None) -> Sequence[str]:
    return (text or "",) if isinstance(text, str | None) else text


@lru_cache(maxsize=64)
def _find(tag: str, folder: Path) -> Language:
    try:
        return read_language(tag, folder)
    except RenderError as exc:
        # Better a mail in English than none.
        log.warning("catalogue cannot be read: %s", exc)
        return Language(tag, Locale.parse(_LOCALES.get(tag, tag)), gettext.NullTranslations())


@lru_cache(maxsize=16_384)
def _number(number: float, language: Language) -> str:
    return str(format_decimal(number, locale=language.locale))


@lru_cache(maxsize=4_096)
def _date(day: date, pattern: str, language: Language) -> str:
    if pattern == "full":
        return str(format_date(day, pattern, locale=language.locale))
    return str(format_skeleton(pattern, day, locale=language.locale))
