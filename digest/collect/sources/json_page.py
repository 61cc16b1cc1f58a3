"""What the parsers of JSON share: strict about what makes a paper, lenient about what decorates it."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, BeforeValidator, ValidationError

from digest.collect.sources.page import quoted, refuse_html, sane
from digest.errors import CollectError
from digest.model import Entry
from digest.ports import Page
from digest.text.clean import clean_text

_MAX_COUNT = 10**9
_MAX_ITEMS = 5_000
_ADDRESS = re.compile(r"[^\s@/:]+@[^\s@/:]+")
_Form = TypeVar("_Form", list[Any], dict[str, Any])
_Model = TypeVar("_Model", bound=BaseModel)


def _count(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT:
        return value
    return None


def _clean(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


def text_of(value: object) -> str:
    """A clean line; empty for whatever is no text."""
    return clean_text(value) if isinstance(value, str) else ""


def texts_of(value: object) -> list[str]:
    """The texts in a list, or the one that stands in its place."""
    return [text for text in map(text_of, value if isinstance(value, list) else [value]) if text]


def dicts_of(value: object) -> list[dict[str, Any]]:
    """The objects in a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def dict_of(value: object) -> dict[str, Any]:
    """The object; an empty one for whatever is none."""
    return value if isinstance(value, dict) else {}


Count = Annotated[int | None, BeforeValidator(_count)]
"""A number that makes sense as one, also if it is written as text."""
Required = Annotated[str, BeforeValidator(_clean)]
Text = Annotated[str, BeforeValidator(text_of)]
Texts = Annotated[list[str], BeforeValidator(texts_of)]
Dicts = Annotated[list[dict[str, Any]], BeforeValidator(dicts_of)]
Dict = Annotated[dict[str, Any], BeforeValidator(dict_of)]


def read_json(page: Page, form: type[_Form]) -> _Form:
    """Read a page that has to be a list, or an object.

    Raises:
        SuspiciousError: It is HTML.
        CollectError: It is no JSON, or not of this form.
    """
    refuse_html(page, "JSON")
    try:
        # PubMed repeats a query with its tabs and line breaks as they are.
        value = json.loads(page.body, parse_int=_integer, strict=False)
    except (ValueError, RecursionError) as exc:
        raise CollectError(f"broken JSON ({quoted(str(exc))[1:-1]})") from exc
    if not isinstance(value, form):
        start = quoted(page.body[:200].decode("utf-8", "replace"))
        raise CollectError(f"a JSON {'list' if form is list else 'object'} was expected, not {start}")
    return value


def _integer(digits: str) -> int | None:
    """An absurdly long number would fail the whole page."""
    return int(digits) if len(digits) < 20 else None


def read_items(
    items: Sequence[object],
    model: type[_Model],
    read: Callable[[_Model], Entry | str | None],
    name_of: Callable[[dict[str, Any]], object],
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Read a list of papers, each by itself.

    Args:
        items: What the page lists.
        model: What an item must be.
        read: Turns a checked item into an entry, or into the reason why there is none; ``None`` if it is not wanted.
        name_of: What an item is called if it has to be skipped, from its raw form.

    Returns:
        Entries, and a problem for each item that was skipped, as all are beyond the first 5,000.
    """
    entries, problems = [], []
    if len(items) > _MAX_ITEMS:
        problems.append(f"kept the first {_MAX_ITEMS:,} of {len(items):,} items")
    for number, item in enumerate(items[:_MAX_ITEMS], 1):
        if not isinstance(item, dict):
            given = f"a {type(item).__name__}" if isinstance(item, list) else quoted(str(item)[:200])
            problems.append(f"skipped item {number}: an object was expected, not {given}")
            continue
        try:
            result = read(model.model_validate(item))
        except ValidationError as exc:
            error = exc.errors(include_url=False, include_input=False)[0]
            result = f"{'.'.join(str(part) for part in error['loc'])}: {clean_text(error['msg']).lower()}"
        if isinstance(result, Entry):
            entries.append(result)
        elif result is not None:
            name = text_of(name_of(item))
            problems.append(f"skipped {quoted(name) if name else f'item {number}'}: {result}")
    return tuple(entries), tuple(problems)


def with_query(url: str, **changes: str | int) -> str:
    """The address with some parameters of its query set, in their place if they are there."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {name: str(value) for name, value in changes.items()}
    return urlunsplit(parts._replace(query=urlencode(query, safe=":,*/")))


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def address_in(contact: str) -> str:
    """The e-mail address that a contact is; empty for a page or anything else."""
    address = contact.strip().removeprefix("mailto:")
    return address if _ADDRESS.fullmatch(address) else ""


def day_of(year: object, month: object = 1, day: object = 1) -> datetime | None:
    """The day with these numbers, or digits; ``None`` if there is no such day."""
    try:
        # What is no number fits no date.
        return sane(datetime(_count(year) or 0, _count(month) or 0, _count(day) or 0, tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def time_of(text: str) -> datetime | None:
    """The time that is written in ISO 8601; a day also without leading zeros (``2026-6-30``)."""
    parts = text.split("-")
    if len(parts) == 3 and (day := day_of(*parts)):
        return day
    try:
        return sane(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def earliest(*days: datetime | None) -> datetime | None:
    """The first of those that are known."""
    return min(filter(None, days), default=None)
