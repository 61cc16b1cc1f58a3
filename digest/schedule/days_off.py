"""Local dates on which a subscriber is not written to: the quiet ones they named, and public holidays."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from digest.model import DateSpan, Subscriber

if TYPE_CHECKING:
    from holidays import HolidayBase


@dataclass(frozen=True, slots=True)
class DaysOff:
    """Says why there is no edition on a local date."""

    quiet: tuple[DateSpan, ...] = ()
    holidays: str = ""
    """As `Subscriber.holidays`."""

    @classmethod
    def of(cls, subscriber: Subscriber) -> "DaysOff":
        """What this subscriber has chosen."""
        return cls(subscriber.quiet, subscriber.holidays)

    def __call__(self, day: date) -> str:
        """Why, for people; empty if there may be an edition."""
        if any(span.first <= day <= span.last for span in self.quiet):
            return "quiet"
        name = _calendar(self.holidays).get(day) if self.holidays else None
        return f"holiday: {name}" if name else ""


NEVER = DaysOff()
"""For whoever has none."""


@lru_cache(maxsize=64)
def _calendar(place: str) -> "HolidayBase":
    """The public holidays of a country or a part of one; those of a year are worked out when it is first asked for."""
    # It takes a tenth of a second, and most readers have none.
    from holidays import country_holidays

    country, _, part = place.partition("-")
    return country_holidays(country, subdiv=part or None, language="en_US")


@lru_cache(maxsize=1)
def known_places() -> dict[str, tuple[str, ...]]:
    """Every country whose holidays are known, by its ISO 3166 code, with the parts that have some of their own."""
    from holidays import list_supported_countries

    return {country: tuple(parts) for country, parts in list_supported_countries(include_aliases=False).items()}


@lru_cache(maxsize=1)
def country_names() -> dict[str, str]:
    """What else people call these countries, in small letters, with their codes: ``germany``, ``deu``, ``uk``."""
    from holidays.registry import COUNTRIES

    names = {name.replace("_", " "): codes for name, (_, *codes) in COUNTRIES.items()}
    return {word.casefold(): codes[0] for name, codes in names.items() for word in (name, *codes)}
