"""What a topic asks for, as a tree; how it is written on one line is in ``digest.match.parse`` and `print_query`.

A paper either meets a node or does not. Words are found as ``digest.text.fold`` says, whatever the case, accents,
hyphens and plurals.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import re2

from digest.model import Example, PaperKey


class Scope(StrEnum):
    """Where words are sought."""

    TEXT = ""
    """In the title or in the abstract; a phrase never runs from one into the other."""
    TITLE = "title"
    ABSTRACT = "abstract"
    VENUE = "venue"


@dataclass(frozen=True, slots=True)
class Word:
    """A word, a phrase, or the beginning of one (``transform*``), read by ``digest.text.fold.Keyword``."""

    text: str
    scope: Scope = Scope.TEXT
    boost: float = 1.0
    """What a hit of it counts, times what it would; from 0.1 to 10."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression of RE2, sought in the text as printed, whatever the case: ``/gpt-?[45]/``."""

    regex: str
    scope: Scope = Scope.TEXT
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Near:
    """Words of which at most so many others stand between one and the next, in either order: ``a NEAR/5 b``."""

    words: tuple[str, str]
    distance: int
    """From 0 to 50."""
    scope: Scope = Scope.TEXT
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Author:
    """A person among the authors, compared by ``digest.match.names``."""

    name: str
    boost: float = 1.0


@dataclass(frozen=True, slots=True)
class Category:
    """A category: ``cs.CL``, or ``cs.*`` for all that begin so; whatever the case."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A source that announced the paper, by its name or the beginning of it: ``arxiv``, ``feed:Nature``."""

    source: str


@dataclass(frozen=True, slots=True)
class About:
    """Near enough in meaning to a description and to examples; see ``digest.rank.meaning``."""

    text: str = ""
    like: tuple[Example, ...] = ()
    threshold: float | PaperKey | None = None

    def __hash__(self) -> int:
        """Of what is short, as a library may hold thousands of works."""
        return hash((self.text, self.threshold, len(self.like), self.like[:1]))


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever does not meet the part."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """Whatever meets every part."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Whatever meets a part."""

    parts: tuple["Node", ...]


Leaf = Word | Pattern | Near | Author | Category | Listed | About
Node = Leaf | Not | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """What a topic wants, and what it wants less."""

    wants: Node
    less: tuple[Node, ...] = ()
    """Whatever meets one of these is lowered in the order, and not kept out."""


LEAST_BOOST, MOST_BOOST = 0.1, 10.0
MOST_DISTANCE = 50
"""Of `Near`."""

_PATTERN_BYTES = 1 << 20
# What may stand without quotes: nothing in it has a meaning of its own to the language.
_BARE = re.compile(r"[^\W_](?:[\w.+#&/'’*-]*[\w+#*])?|\.\w+")
_OPERATOR = re.compile(r"AND|OR|NOT|NEAR(?:/.*|\d*)")
_FIELDS = {Scope.TITLE: "title:", Scope.ABSTRACT: "abstract:", Scope.VENUE: "venue:", Scope.TEXT: ""}


@lru_cache(maxsize=128)
def compile_pattern(regex: str) -> Any:
    """The compiled form of `Pattern.regex`: RE2 in at most 1 MB, whatever the case.

    Raises:
        ValueError: It is no expression that RE2 knows, or needs more memory; the message says what is wrong with it.
    """
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.max_mem = False, False, _PATTERN_BYTES
    try:
        return re2.compile(regex, options)
    except re2.error as exc:
        [problem] = exc.args
        raise ValueError(problem.decode("utf-8", "replace") if isinstance(problem, bytes) else str(problem)) from exc


def tidy(text: str) -> str:
    """A word as it is kept: composed (NFC), with single blanks."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def leaves(node: Node) -> Iterator[Leaf]:
    """Everything in the tree that is met by a paper itself, from left to right, also what is negated."""
    match node:
        case Not(part):
            yield from leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield node


def normal(query: Query) -> Query:
    """The query without nested groups of one kind, double negations and what is there twice, in the same order."""
    return Query(normal_node(query.wants), tuple(dict.fromkeys(map(normal_node, query.less))))


def normal_node(node: Node) -> Node:
    """As `normal`, for one node."""
    match node:
        case And(parts):
            return _joined(And, parts)
        case Or(parts):
            return _joined(Or, parts)
        case Not(part):
            inner = normal_node(part)
            return inner.part if isinstance(inner, Not) else Not(inner)
        case _:
            return _normal_leaf(node)


def _normal_leaf(leaf: Leaf) -> Leaf:
    match leaf:
        case Word(text) | About(text):
            return replace(leaf, text=tidy(text))
        case Near((one, other)):
            return replace(leaf, words=(tidy(one), tidy(other)))
        case Author(name):
            return replace(leaf, name=tidy(name))
        case Category(pattern):
            return Category(tidy(pattern))
        case Listed(source):
            return Listed(tidy(source))
        case Pattern(regex):
            return replace(leaf, regex=plain_regex(regex))


def _joined(kind: type[And] | type[Or], parts: tuple[Node, ...]) -> Node:
    flat: dict[Node, None] = {}
    for part in map(normal_node, parts):
        flat.update(dict.fromkeys(part.parts if isinstance(part, kind) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else kind(tuple(flat))


def plain_regex(regex: str) -> str:
    """The expression without the escapes that only its slashes ask for: of a slash, and of a blank at its start."""
    unescaped = re.sub(r"^\\(?=\s)", "", regex)
    return re.sub(r"\\(.)", lambda pair: "/" if pair[1] == "/" else pair[0], unescaped, flags=re.DOTALL)


def print_query(query: Query) -> str:
    """The query on one line, in its one normal form; ``digest.match.parse.parse_query`` reads the same from it.

    Only the examples of an `About` have no written form: their number stands for them.
    """
    query = normal(query)
    return " ".join([print_node(query.wants), *(f"less:{_print_part(node)}" for node in query.less)])


def print_node(node: Node) -> str:
    """As `print_query`, for one node in its normal form; it may need parentheses where it is a part of another."""
    match node:
        case And(parts):
            return " ".join(f"({print_node(part)})" if isinstance(part, Or) else print_node(part) for part in parts)
        case Or(parts):
            return " OR ".join(f"({print_node(part)})" if isinstance(part, And) else print_node(part) for part in parts)
        case Not(part):
            return f"NOT {_print_part(part)}"
        case _:
            return _print_leaf(node)


def _print_leaf(leaf: Leaf) -> str:
    match leaf:
        case Word(text, scope, boost):
            return f"{_FIELDS[scope]}{_print_text(text)}{_print_boost(boost)}"
        case Pattern(regex, scope, boost):
            escaped = re.sub(r"\\.|/", lambda sign: r"\/" if sign[0] == "/" else sign[0], regex, flags=re.DOTALL)
            escaped = re.sub(r"^(?=\s)", r"\\", escaped)
            return f"{_FIELDS[scope]}/{escaped}/{_print_boost(boost)}"
        case Near((one, other), distance, scope, boost):
            near = f"({_print_text(one)} NEAR/{distance} {_print_text(other)})"
            return f"{_FIELDS[scope]}{near}{_print_boost(boost)}"
        case Author(name, boost):
            return f"author:{_print_text(name)}{_print_boost(boost)}"
        case Category(pattern):
            return f"cat:{_print_text(pattern)}"
        case Listed(source):
            return f"source:{_print_text(source)}"
        case About(text, like, threshold):
            near = "" if threshold is None else f"~{threshold if isinstance(threshold, float) else _quoted(threshold)}"
            works = f'like:"{len(like)} {"work" if len(like) == 1 else "works"}"' if like else ""
            return " ".join(filter(None, (f"about:{_quoted(text)}" if text else "", works))) + near


def _print_part(node: Node) -> str:
    return f"({print_node(node)})" if isinstance(node, And | Or | Not) else print_node(node)


def _print_text(text: str) -> str:
    return text if _BARE.fullmatch(text) and not _OPERATOR.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return f'"{escaped}"'


def _print_boost(boost: float) -> str:
    return "" if boost == 1 else f"^{int(boost) if boost == int(boost) else boost}"
