"""Makes a query of a parse tree of ``query.lark``."""

import re

from lark import Token, Tree

from digest.match.mistakes import BOOST_HINT, FIELDS, QueryError, field_name, shown
from digest.match.names import Name
from digest.match.query import (
    LEAST_BOOST,
    MOST_BOOST,
    About,
    And,
    Author,
    Category,
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
    plain_regex,
    tidy,
)
from digest.model import PaperKey
from digest.text.fold import Keyword
from digest.text.identity import arxiv_key, doi_key, parse_key

_MOST_PATTERN_CHARS = 1_000
_SCOPES = {"": Scope.TEXT, "title": Scope.TITLE, "abstract": Scope.ABSTRACT, "venue": Scope.VENUE}


class Builder:
    """Reads the tree of one query, whose text its mistakes are shown in."""

    def __init__(self, text: str) -> None:
        self._text = text

    def query(self, start: Tree[Token]) -> Query:
        """The query; what is wanted less may stand anywhere outside of parentheses.

        Raises:
            QueryError: A part cannot be used.
        """
        [top] = start.children
        wants: list[Node] = []
        less: list[Node] = []
        for branch in _parts(top, "or_"):
            kept: list[Node] = []
            for part in _parts(branch, "and_"):
                if isinstance(part, Tree) and part.data == "less":
                    less.append(self.node(part.children[1]))
                else:
                    kept.append(self.node(part))
            if kept:
                wants.append(And(tuple(kept)))
            elif top is branch:
                raise QueryError("the query says only what it wants less", self._text, 0, "add a word that it wants")
            else:
                raise self._error(branch, "OR stands between two things that are wanted", "write ‘less:’ at the end")
        return Query(Or(tuple(wants)), tuple(less))

    def node(self, tree: Tree[Token] | Token, field: str = "", boost: float = 1.0) -> Node:
        """A part of it, within a field, or none, and within what boosts it."""
        assert isinstance(tree, Tree)
        children = tree.children
        match tree.data:
            case "or_":
                return Or(tuple(self.node(child, field, boost) for child in children))
            case "and_":
                return And(tuple(self.node(child, field, boost) for child in children))
            case "not_":
                return Not(self.node(children[1], field, boost))
            case "group":
                return self.node(children[1], field, boost)
            case "boost":
                return self._boosted(tree, field, boost)
            case "field" if field:
                raise self._error(tree, "a field stands within another", "one field is enough")
            case "field":
                return self.node(children[1], FIELDS[field_name(_token(tree))], boost)
            case "less":
                hint = "‘less:’ stands outside of parentheses and without NOT"
                raise self._error(tree, "what is wanted less cannot be a part of something else", hint)
            case _:
                return self._leaf(tree, field, boost)

    def _leaf(self, tree: Tree[Token], field: str, boost: float) -> Node:
        match tree.data:
            case "similar":
                return self._similar(tree, field)
            case "word":
                return self._word(tree, field, boost)
            case _ if field not in _SCOPES:
                what = "regular expression" if tree.data == "regex" else "NEAR"
                raise self._error(tree, f"‘{field}:’ takes no {what}", "write a word or a phrase")
            case "near":
                one, operator, other = tree.children
                words = (self._keyword(one), self._keyword(other))
                return Near(words, int(str(operator)[5:]), _SCOPES[field], boost)
            case _:
                return self._pattern(tree, field, boost)

    def _boosted(self, tree: Tree[Token], field: str, boost: float) -> Node:
        part, sign = tree.children
        if field in ("cat", "source", "about"):
            raise self._error(tree, f"‘{field}:’ takes no boost", "words, regular expressions and authors do")
        product = boost * float(str(sign)[1:])
        if not LEAST_BOOST <= product <= MOST_BOOST:
            raise self._error(tree, f"the boosts amount to {product:g}", BOOST_HINT)
        return self.node(part, field, product)

    def _word(self, tree: Tree[Token], field: str, boost: float) -> Node:
        match field:
            case "author":
                name = _unquoted(_token(tree))
                try:
                    Name.parse(name)
                except ValueError as exc:
                    raise self._error(tree, f"the author {shown(name)} holds no letter", "write a name") from exc
                return Author(name, boost)
            case "cat":
                return Category(self._plain(tree))
            case "source":
                return Listed(self._plain(tree))
            case "about":
                return About(self._plain(tree))
            case _:
                return Word(self._keyword(tree), _SCOPES[field], boost)

    def _keyword(self, tree: Tree[Token] | Token) -> str:
        text = _unquoted(_token(tree))
        try:
            Keyword.parse(text)
        except ValueError as exc:
            problem = f"{shown(text)} holds no letter and no digit, so it would never be found"
            hint = "‘-’ stands directly before what is not wanted" if text == "-" else "delete it"
            raise self._error(tree, problem, hint) from exc
        return text

    def _plain(self, tree: Tree[Token]) -> str:
        text = _unquoted(_token(tree))
        if not any(sign.isalnum() or sign == "*" for sign in text):
            raise self._error(tree, f"{shown(text)} holds no letter and no digit", "delete it")
        return text

    def _pattern(self, tree: Tree[Token], field: str, boost: float) -> Pattern:
        regex = plain_regex(_token(tree)[1:-1])
        hint = "the syntax is that of RE2: no look-around and no back-references"
        if len(regex) > _MOST_PATTERN_CHARS:
            raise self._error(tree, f"the regular expression has more than {_MOST_PATTERN_CHARS:,} characters", "")
        try:
            compile_pattern(regex)
        except ValueError as exc:
            raise self._error(tree, f"the regular expression cannot be used: {exc}", hint) from exc
        return Pattern(regex, _SCOPES[field], boost)

    def _similar(self, tree: Tree[Token], field: str) -> About:
        given = str(tree.children[1])[1:].strip('"')
        if field != "about":
            raise self._error(tree, f'‘~{given}’ stands only behind about:"…"', "")
        threshold = read_threshold(given)
        if threshold is None:
            raise self._error(
                tree, f"{shown('~' + given)} does not say how near", 'write about:"…"~0.5, or the id of a paper'
            )
        return About(self._plain(tree), threshold=threshold)

    def _error(self, tree: Tree[Token] | Token, problem: str, hint: str) -> QueryError:
        return QueryError(problem, self._text, _token(tree).start_pos or 0, hint)


def read_threshold(text: str) -> float | PaperKey | None:
    """A number from 0 to 1, or the key of a paper by its arXiv id or DOI; ``None`` if it is neither."""
    if re.fullmatch(r"[0-9]*\.?[0-9]+(?:e-[0-9]+)?", text):
        number = float(text)
        return number if number <= 1 else None
    return arxiv_key(text) or doi_key(text) or (parse_key(text) if ":" in text else None)


def _parts(tree: Tree[Token] | Token, data: str) -> list[Tree[Token] | Token]:
    return tree.children if isinstance(tree, Tree) and tree.data == data else [tree]


def _token(tree: Tree[Token] | Token) -> Token:
    """The first token of a tree."""
    while isinstance(tree, Tree):
        tree = tree.children[0]
    return tree


def _unquoted(token: Token) -> str:
    if token.type == "QUOTED":
        return tidy(re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL))
    # Commas between words are what a list looks like, and no part of a word.
    return tidy(token.rstrip(",;:"))
