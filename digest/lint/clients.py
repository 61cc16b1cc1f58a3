"""What of a mail's HTML and CSS the chosen mail clients do not know, by the tables of caniemail.com.

The table ``clients.json`` is made by ``docs/caniemail.py``; it says of what it was made, and when.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import tinycss2

from digest.errors import ConfigError
from digest.lint.finding import Finding, Severity
from digest.lint.page import Declaration, Page, Rule, read_declarations
from digest.lint.sources import Sources
from digest.render.source import Place

CLIENTS: Final = ("gmail", "outlook", "apple-mail")
"""Whose readers must get everything, unless others are asked for."""

HARMLESS: Final[Mapping[str, str]] = {
    "at:media": "it only adapts what is complete without it: width, dark colours, finer lines",
    "media:prefers-color-scheme": "elsewhere the light colours stay, or the client makes its own",
    "meta:color-scheme": "as the dark colours themselves",
    "property:color-scheme": "as the dark colours themselves",
    "property:border-radius": "corners are square there",
    "property:max-width": "MJML gives Outlook tables of a fixed width beside it",
    "property:letter-spacing": "letters stand as the font has them",
    "property:text-decoration-thickness": "underlines are as thick as the font has them",
    "property:text-decoration-color": "underlines are of the text's colour",
    "property:text-underline-offset": "underlines are as low as the font has them",
    "property:overflow-wrap": "long words widen the column",
    "property:word-break": "long words widen the column",
    "property:hyphens": "words are not parted",
    "property:outline": "images have no outline by themselves but in links",
    "value:direction=ltr": "MJML repeats the default",
    "value:display=none": "the preheader has no size and the colour of nothing besides",
    "value:overflow=hidden": "the preheader has no size besides",
    "value:opacity=0": "the preheader has no size besides",
    "value:max-height=0": "the preheader has no size besides",
    "value:white-space=nowrap": "lines may break where they need not",
    "value:word-spacing=normal": "MJML repeats the default",
    "value:cursor=auto": "MJML repeats the default",
    "element:style": "the rules that matter are on the elements",
    "attribute:target": "MJML writes it for buttons; clients open links as they do",
    "attribute:role": "it is for screen readers; tables are read out as tables",
    "attribute:aria-label": "it is for screen readers; the text of the link is read out",
    "attribute:aria-labelledby": "it is for screen readers; the heading is read out anyway",
    "attribute:aria-hidden": "it is for screen readers; an ornament is read out",
    "attribute:lang": "it is for screen readers; the voice stays that of the mail",
    "attribute:dir": "text begins where the client puts it",
    "element:mark": "the word stands there unmarked; its colours are on the element",
    "element:main": "a landmark for screen readers; its content stays",
    "element:header": "a landmark for screen readers; its content stays",
    "element:footer": "a landmark for screen readers; its content stays",
    "element:section": "a landmark for screen readers; its content stays",
    "element:nav": "a landmark for screen readers; its content stays",
}
"""What may be missing, and why nothing is lost where it is; ``value:`` stands for the whole declaration."""

_TABLE = Path(__file__).with_name("clients.json")
_PSEUDO = re.compile(r"::?([a-z-]+)")
_COMBINATORS = {">": "child", "+": "adjacent-sibling", "~": "general-sibling"}
_MEDIA_FEATURE = re.compile(r"\(\s*([a-z-]+)")


class _Use(NamedTuple):
    """A feature, and where in the template it is used."""

    feature: str
    shown: str
    find: Callable[[], Place]


@dataclass(frozen=True, slots=True)
class _Table:
    clients: tuple[str, ...]
    features: Mapping[str, tuple[str, str]]

    def without(self, feature: str, clients: Iterable[str]) -> list[str]:
        """Those of the clients that do not know it."""
        _, support = self.features.get(feature, ("", ""))
        lacking = {client for client, letter in zip(self.clients, support, strict=False) if letter == "n"}
        return [client for client in clients if client in lacking]


def choose_clients(families: Sequence[str]) -> tuple[str, ...]:
    """The clients of some families: ``gmail`` stands for those on the web, on Android and on iOS.

    Raises:
        ConfigError: A family is not known.
    """
    known = _read_table().clients
    for family in families:
        if family not in {client.partition(".")[0] for client in known} | set(known):
            names = ", ".join(sorted({client.partition(".")[0] for client in known}))
            raise ConfigError(f"unknown mail client '{family}'", where="--clients", hint=f"known: {names}")
    return tuple(client for client in known if client in families or client.partition(".")[0] in families)


def check_clients(page: Page, sources: Sources, families: Sequence[str] = CLIENTS) -> Iterator[Finding]:
    """What some of the clients do not know and is not `HARMLESS`; each feature once.

    What is known in part counts as known. A client that does not know an at-rule does not see what is in it, so that is
    judged by the others alone. Selectors other than ``:hover`` and its like only matter there: elsewhere their rules
    are inlined.
    """
    chosen = choose_clients(families)
    table = _read_table()
    known: set[str] = set()
    for uses, conditions in _all_uses(page, sources):
        clients = [each for each in chosen if not any(table.without(one, [each]) for one in conditions)]
        for use in uses:
            lacking = table.without(use.feature, clients)
            if lacking and use.feature not in known and use.feature not in HARMLESS:
                known.add(use.feature)
                yield Finding(
                    rule="client-support",
                    severity=Severity.WARNING,
                    message=f"{use.shown} is not known to {', '.join(lacking)}",
                    hint=f"see https://www.caniemail.com/features/{table.features[use.feature][0]}/;"
                    " write it another way, or move it into an @media rule where it only pleases",
                    place=use.find(),
                )


@lru_cache(maxsize=1)
def _read_table() -> _Table:
    table = json.loads(_TABLE.read_text(encoding="utf-8"))
    return _Table(tuple(table["clients"]), {name: (slug, text) for name, (slug, text) in table["features"].items()})


def _all_uses(page: Page, sources: Sources) -> Iterator[tuple[list[_Use], list[str]]]:
    """What is used, together with the at-rules around it."""
    for rule in page.rules:
        around: list[str] = []
        for condition in rule.conditions:
            features = _condition_features(condition)
            yield [_Use(each, condition, partial(sources.find_text, condition)) for each in features], list(around)
            around += features
        yield list(_selector_uses(rule, sources)), around
        yield list(_declared_uses(rule.declarations, rule.selector, sources)), around
    seen: set[tuple[str, str]] = set()
    for element in page.tree.iter():
        yield list(_element_uses(element, sources, seen)), []


def _condition_features(condition: str) -> list[str]:
    name, _, prelude = condition.partition(" ")
    return [f"at:{name[1:]}", *(f"media:{each}" for each in _MEDIA_FEATURE.findall(prelude))]


def _selector_uses(rule: Rule, sources: Sources) -> Iterator[_Use]:
    find = partial(sources.find_text, rule.selector)
    for name in _PSEUDO.findall(rule.selector):
        yield _Use(f"pseudo:{name}", f"':{name}' in '{rule.selector}'", find)
    if not rule.conditions:
        return
    for sign, name in _COMBINATORS.items():
        if sign in rule.selector:
            yield _Use(f"selector:{name}", f"'{sign}' in '{rule.selector}'", find)
    if "[" in rule.selector:
        yield _Use("selector:attribute", f"'{rule.selector}'", find)


def _declared_uses(declarations: Iterable[Declaration], selector: str, sources: Sources) -> Iterator[_Use]:
    for one in declarations:
        if one.name.startswith(("mso-", "-")):
            # For one client on purpose.
            continue
        shown = f"'{one.name}: {one.value}'"
        features = {
            f"property:{one.name}": f"'{one.name}'",
            f"value:{one.name}={one.value.lower()}": shown,
            **{feature: f"'{text}' in {shown}" for feature, text in _value_features(one.value)},
            **({"keyword:important": f"'!important' in {shown}"} if one.is_important else {}),
        }
        known = [feature for feature in features if feature in _read_table().features]
        if known and f"value:{one.name}={one.value.lower()}" not in HARMLESS:
            find = partial(sources.find_declaration, one.name, one.value, selector)
            yield from (_Use(feature, features[feature], find) for feature in known)


def _value_features(value: str) -> Iterator[tuple[str, str]]:
    for token in tinycss2.parse_component_value_list(value):
        if token.type == "function":
            yield f"function:{token.lower_name}", f"{token.lower_name}()"
            yield from _value_features(tinycss2.serialize(token.arguments))
        elif token.type == "dimension":
            yield f"unit:{token.lower_unit}", token.lower_unit
        elif token.type == "ident":
            yield f"value:{token.lower_value}", token.lower_value


def _element_uses(element: Any, sources: Sources, seen: set[tuple[str, str]]) -> Iterator[_Use]:
    name = str(element.tag)
    features = {f"element:{name}": f"<{name}>"}
    features |= {f"attribute:{each}": f"the attribute '{each}'" for each in element.attrib}
    if name == "meta":
        features[f"meta:{element.get('name', '')}"] = f'<meta name="{element.get("name", "")}">'
    for each in ("href", "src"):
        scheme = element.get(each, "").partition(":")[0].lower() if not element.get(each, "").startswith("#") else "#"
        features[f"scheme:{scheme}"] = f'{each}="{scheme}…"'
    for feature, shown in features.items():
        if feature in _read_table().features and (feature, "") not in seen:
            seen.add((feature, ""))
            yield _Use(feature, shown, partial(sources.find_element, element))
    style = element.get("style", "")
    if style and ("", style) not in seen:
        seen.add(("", style))
        yield from _declared_uses(read_declarations(style), "", sources)
