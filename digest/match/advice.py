"""Warns of queries that can be read but hardly mean what was meant: they match next to nothing, or everything."""

from collections.abc import Iterator, Sequence

from digest.match.query import (
    And,
    Author,
    Category,
    Leaf,
    Listed,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Query,
    Scope,
    Word,
    compile_pattern,
    leaves,
    normal,
    print_node,
)
from digest.match.topics import is_category
from digest.text.fold import Keyword, Words, fold

# In nearly every title or abstract.
_STOP_WORDS = frozenset(
    """a an and are as at be by can for from has have in is it its of on or our that the their these this to we
    which with paper study results show using based""".split()  # noqa: SIM905 - a list of literals would be one word a line
)
_OPERATORS = ("and", "or", "not", "near")
# Ordinary words of up to five letters: in capitals they hardly are the acronyms that they are taken for.
_ORDINARY = frozenset(
    """agent audio brain cell cells cloud data deep drug fluid gene genes graph human image laser learn light logic
    loss lung model music noise plant prior quark robot self skin sleep sound space speech star stars steel text time
    token touch trust video virus vision water wave web world""".split()  # noqa: SIM905 - as above
)
# Comparing each word that is required with each that is excluded takes time; nobody writes so many by hand.
_MOST_COMPARISONS = 20_000


def advise(query: Query) -> tuple[str, ...]:
    """What is worth a second look, for people; empty for nearly every query that does what it should."""
    wants = normal(query).wants
    notes = [*_never(wants), *_always(wants), *_words(query)]
    return tuple(dict.fromkeys(notes))


def _never(wants: Node) -> Iterator[str]:
    """Parts that exclude what they require; "pre-training" still might be found without "pre", as "pretraining"."""
    count = sum(1 for _ in leaves(wants))
    if count * count <= _MOST_COMPARISONS:
        yield from _contradictions(wants, (), ())


def _contradictions(node: Node, required: tuple[Node, ...], excluded: tuple[Node, ...]) -> Iterator[str]:
    parts = node.parts if isinstance(node, And) else (node,)
    required += tuple(part for part in parts if not isinstance(part, Not | Or))
    excluded += tuple(ruled_out for part in parts if isinstance(part, Not) for ruled_out in _alternatives(part.part))
    clash = next((bad for bad in excluded if _implies(required, bad)), None)
    if clash is not None:
        yield f"‘{print_node(node)}’ can hardly match: ‘{print_node(clash)}’ is excluded, and in what is required"
        return
    for part in parts:
        if isinstance(part, Or):
            found = [tuple(_contradictions(branch, required, excluded)) for branch in part.parts]
            yield from (note for notes in found for note in notes)


def _alternatives(node: Node) -> tuple[Node, ...]:
    return node.parts if isinstance(node, Or) else (node,)


def _implies(required: Sequence[Node], node: Node) -> bool:
    """Whether whatever meets all that is required meets the node as well, as far as their words show."""
    match node:
        case And(parts):
            return all(_implies(required, part) for part in parts)
        case Or(parts):
            return any(_implies(required, part) for part in parts)
        case Not():
            return False
        case _:
            return any(_leaf_implies(each, node) for each in required if not isinstance(each, And | Or | Not))


def _leaf_implies(one: Leaf, other: Leaf) -> bool:
    match one, other:
        case Word(), Word():
            return _covers(one.scope, other.scope) and _contains(one.text, other.text)
        case Near(), Word():
            return _covers(one.scope, other.scope) and any(_contains(word, other.text) for word in one.words)
        case Category(mine), Category(pattern):
            return is_category(pattern, mine)
        case Author(mine), Author(name):
            return fold(mine) == fold(name)
        case Listed(mine), Listed(source):
            return mine.casefold() == source.casefold()
        case Pattern(mine, scope), Pattern(regex, wider):
            return mine == regex and _covers(scope, wider)
        case _:
            return False


def _covers(narrow: Scope, wide: Scope) -> bool:
    return narrow is wide or (wide is Scope.TEXT and narrow is not Scope.VENUE)


def _contains(text: str, part: str) -> bool:
    """Whether a hit of the one always holds a hit of the other."""
    words, keyword = Words(text), Keyword.parse(part)
    span = words.find(keyword)
    # The last word of "language mod*" is only the beginning of what it hits.
    is_open = Keyword.parse(text).is_prefix and not keyword.is_prefix
    return span is not None and not (is_open and span[1] == words.spans[-1][1])


def _always(wants: Node) -> Iterator[str]:
    """Parts that nearly every paper meets, or that rule out nearly every paper."""
    if (broad := _broad(wants)) is not None:
        yield f"matches nearly every paper: ‘{print_node(broad)}’ asks for next to nothing"
    for part in wants.parts if isinstance(wants, And) else (wants,):
        if isinstance(part, Not):
            for ruled_out in _alternatives(part.part):
                if _is_broad_leaf(ruled_out):
                    yield f"hardly ever matches: ‘{print_node(ruled_out)}’ rules out nearly every paper"


def _broad(node: Node) -> Node | None:
    """The part because of which nearly every paper meets the node, if it is so."""
    match node:
        case And(parts):
            return node if all(_broad(part) is not None for part in parts) else None
        case Or(parts):
            return next((broad for part in parts if (broad := _broad(part)) is not None), None)
        case Not(part):
            return None if all(map(_is_broad_leaf, _alternatives(part))) else node
        case _:
            return node if _is_broad_leaf(node) else None


def _is_broad_leaf(node: Node) -> bool:
    match node:
        case Word(text, Scope.TEXT):
            keyword = Keyword.parse(text)
            if keyword.is_prefix:
                return len(keyword.forms[0]) == 1 and keyword.forms[0].isascii()
            return not keyword.is_acronym and fold(text.strip()) in _STOP_WORDS
        case Pattern(regex):
            return compile_pattern(regex).search("") is not None
        case Category(pattern):
            return pattern == "*"
        case _:
            return False


def _words(query: Query) -> Iterator[str]:
    """Words that are read as something else than they look like."""
    found = [leaf for node in (query.wants, *query.less) for leaf in leaves(node)]
    words = [leaf.text for leaf in found if isinstance(leaf, Word)]
    letters = "".join(sign for word in words for sign in word if sign.isalpha())
    shouts = letters.isupper() and any(not Keyword.parse(word).is_acronym for word in words)
    for word in words:
        if word.casefold() in _OPERATORS and not word.isupper():
            yield f"‘{word}’ is sought as a word; the operator is ‘{word.upper()}’, in capitals"
        elif Keyword.parse(word).is_acronym and (shouts or word.casefold() in _ORDINARY):
            yield f"‘{word}’ is taken for an acronym and found only in capitals; in small letters it is any spelling"
        elif "*" in word.rstrip("*"):
            yield f"‘{word}’: a star stands at the end of a word; here it does nothing"
    for leaf in found:
        if isinstance(leaf, Author) and len(leaf.name.split()) == 1:
            name = print_node(leaf)
            yield f"‘{name}’ finds everybody of that family name; a given name or an initial tells them apart"
