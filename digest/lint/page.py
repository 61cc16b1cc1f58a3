"""The HTML of a mail as clients see it: its tree, its style rules, and what they come to in light and dark."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

import tinycss2
from cssselect import ExpressionError, HTMLTranslator, SelectorSyntaxError
from cssselect import parse as parse_selectors
from lxml import html as lxml_html

_INHERITED: Final = frozenset({"color", "font-size", "font-weight", "visibility", "opacity"})
_WANTED: Final = _INHERITED | {"background-color", "display"}
_UNSEEN: Final = frozenset({"head", "style", "script", "title", "template"})


class Declaration(NamedTuple):
    """``name: value``."""

    name: str
    value: str
    is_important: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rule of a style sheet declares, and where it counts."""

    selector: str
    declarations: tuple[Declaration, ...]
    conditions: tuple[str, ...] = ()
    """At-rules around it: ``@media (prefers-color-scheme: dark)``."""


@dataclass(frozen=True)
class Page:
    """The HTML part of a mail."""

    html: str = field(repr=False)

    @cached_property
    def tree(self) -> Any:
        """Elements of ``lxml.html``, comments left out: conditional ones are Outlook's."""
        parser = lxml_html.HTMLParser(remove_comments=True, encoding="utf-8")
        return lxml_html.document_fromstring(self.html.encode(), parser=parser)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Of all style elements, in order."""
        return tuple(
            rule
            for style in self.tree.iter("style")
            for rule in read_rules(style.text or "", (f"@media {style.get('media')}",) if style.get("media") else ())
        )

    @cached_property
    def elements(self) -> tuple[Any, ...]:
        """All that may be seen, in order."""
        return tuple(each for each in self.tree.iter() if each.tag not in _UNSEEN and _within_body(each))

    def texts(self) -> Iterator[tuple[Any, str]]:
        """Every text that is not blank, with the element that it stands in."""
        for element in self.elements:
            own = "".join((element.text or "", *(child.tail or "" for child in element)))
            if own.strip("\u200b\u200c\u200d\u00ad\u034f\ufeff \t\n\u00a0"):
                yield element, " ".join(own.split())

    @cached_property
    def hidden(self) -> frozenset[Any]:
        """Elements that nobody sees, such as the preheader."""
        styles = self.computed(dark=False)
        return frozenset(
            each
            for each in self.elements
            if styles[each].get("opacity") == "0"
            or styles[each].get("visibility") == "hidden"
            or any(
                styles[around].get("display") == "none" for around in (each, *each.iterancestors()) if around in styles
            )
        )

    def computed(self, *, dark: bool, sheets: bool = True) -> Mapping[Any, Mapping[str, str]]:
        """What each element comes to of what contrast is made of; of backgrounds, only their own.

        Rules for narrow screens and for print are left out.

        Args:
            dark: Whether the reader prefers dark colours.
            sheets: Whether the client knows style elements.
        """
        ranks: dict[Any, dict[str, tuple[tuple[int, ...], str]]] = {}
        for order, rule in enumerate(self.rules if sheets else ()):
            wanted = [(one.is_important, *each) for one in rule.declarations for each in _longhand(one)]
            if wanted and all(_counts(condition, dark=dark) for condition in rule.conditions):
                for element, specificity in self._matches(rule.selector):
                    for is_important, name, value in wanted:
                        rank = (is_important, 0, *specificity, order)
                        _offer(ranks.setdefault(element, {}), name, rank, value)
        done: dict[Any, dict[str, str]] = {}
        for element in self.elements:
            mine = ranks.get(element, {})
            if colour := element.get("bgcolor"):
                _offer(mine, "background-color", (0, -1), colour)
            for one in read_declarations(element.get("style", "")):
                for name, value in _longhand(one):
                    _offer(mine, name, (one.is_important, 1), value)
            above = done.get(element.getparent(), {})
            # Links have a colour of the client's until a rule gives them one.
            from_above = _INHERITED - {"color"} if element.tag == "a" else _INHERITED
            inherited = {name: value for name, value in above.items() if name in from_above}
            own = {name: value for name, (_, value) in mine.items() if value not in ("inherit", "")}
            done[element] = {**inherited, **own}
        return done

    def _matches(self, selectors: str) -> Iterator[tuple[Any, tuple[int, int, int]]]:
        try:
            parsed = parse_selectors(selectors)
            for selector in parsed:
                if not selector.pseudo_element:
                    path = HTMLTranslator().selector_to_xpath(selector)
                    for element in self.tree.xpath(path):
                        yield element, selector.specificity()
        except (SelectorSyntaxError, ExpressionError):
            # Of another client's: it matches nothing here either.
            return


def read_rules(sheet: str, conditions: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """The rules of a style sheet that counts under these conditions."""
    nodes = tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)
    return tuple(_rules(nodes, conditions))


@lru_cache(maxsize=1_000)
def read_declarations(style: str) -> tuple[Declaration, ...]:
    """What a ``style`` attribute declares."""
    return _declarations(tinycss2.parse_blocks_contents(style, skip_comments=True, skip_whitespace=True))


def _rules(nodes: Sequence[Any], around: tuple[str, ...]) -> Iterator[Rule]:
    for node in nodes:
        prelude = " ".join(tinycss2.serialize(node.prelude).split()) if hasattr(node, "prelude") else ""
        if node.type == "qualified-rule":
            inner = tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True)
            yield Rule(prelude, _declarations(inner), around)
        elif node.type == "at-rule":
            conditions = (*around, f"@{node.lower_at_keyword} {prelude}".strip())
            content = tinycss2.parse_rule_list(node.content or (), skip_comments=True, skip_whitespace=True)
            if node.lower_at_keyword in ("media", "supports"):
                yield from _rules(content, conditions)
            else:
                yield Rule("", (), conditions)


def _declarations(nodes: Sequence[Any]) -> tuple[Declaration, ...]:
    return tuple(
        Declaration(node.lower_name, tinycss2.serialize(node.value).strip(), node.important)
        for node in nodes
        if node.type == "declaration"
    )


def _longhand(one: Declaration) -> Iterator[tuple[str, str]]:
    """The name and value that are wanted of a declaration, shorthands taken apart."""
    value = one.value.lower()
    if one.name in _WANTED:
        yield one.name, value
    elif one.name == "background":
        words = re.findall(r"#[\da-f]+|[a-z-]+\([^)]*\)|[a-z]+", value)
        yield "background-color", next((word for word in words if tinycss2.color4.parse_color(word)), "transparent")
    elif one.name == "font":
        size = re.search(r"\b([\d.]+px)\b", value)
        weight = re.search(r"\b(bold|bolder|[1-9]00)\b", value)
        yield "font-weight", weight[1] if weight else "normal"
        if size:
            yield "font-size", size[1]


def _offer(mine: dict[str, tuple[tuple[int, ...], str]], name: str, rank: tuple[int, ...], value: str) -> None:
    if name not in mine or rank >= mine[name][0]:
        mine[name] = rank, value


def _counts(condition: str, *, dark: bool) -> bool:
    """Whether an at-rule lets through what is in it, on a wide screen."""
    text = condition.lower().replace(" ", "")
    if not text.startswith("@media") or "max-width" in text or "print" in text:
        return False
    return "prefers-color-scheme:" not in text or f"prefers-color-scheme:{'dark' if dark else 'light'}" in text


def _within_body(element: Any) -> bool:
    return element.tag == "body" or any(each.tag == "body" for each in element.iterancestors("body"))
