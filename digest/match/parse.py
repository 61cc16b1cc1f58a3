"""Reads the one-line language of topics; the grammar is ``query.lark``, examples are in docs/queries.md.

    title:("vision language" OR CLIP) -survey (pre-training NEAR/5 image) cat:cs.CV less:benchmark

A mistake is told with the line, a caret under the place, and what was expected there.
"""

from functools import cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedToken

from digest.match.build import Builder
from digest.match.mistakes import UNREADABLE, QueryError, check_token, unexpected
from digest.match.names import Name
from digest.match.query import About, And, Author, Category, Node, Not, Or, Query, Word, normal
from digest.model import Topic
from digest.text.fold import Keyword

__all__ = ["MOST_CHARS", "MOST_PATTERNS", "QueryError", "parse_query", "read_topic", "wants_something"]

MOST_CHARS = 100_000
_MOST_DEPTH = 50
# Each may take a megabyte once compiled.
MOST_PATTERNS = 100
_PREFIXES = ("NOT", "MINUS", "FIELD", "LESS")


def parse_query(text: str) -> Query:
    """Read a query; the result is in its `normal` form.

    Raises:
        QueryError: It cannot be read, or says only what it does not want.
    """
    if len(text) > MOST_CHARS:
        raise QueryError(f"the query has {len(text):,} characters; {MOST_CHARS:,} are possible")
    if not text.strip():
        raise QueryError("the query is empty", hint="write a word, such as: transformer")
    if unreadable := UNREADABLE.search(text):
        at = unreadable.start()
        raise QueryError(f"the query holds the invisible character U+{ord(text[at]):04X}", text, at, "delete it")
    query = normal(Builder(text).query(_read_tree(text)))
    if not wants_something(query.wants):
        raise QueryError("the query says only what it does not want", text, 0, "add a word that it wants")
    return query


def read_topic(topic: Topic) -> Query:
    """All parts of a topic as one query in its `normal` form: the lists are the same thing spelled out.

    Raises:
        ValueError: Nothing in it can be found, or a part cannot be used; `QueryError` if it is the query.
    """
    wants: list[Node] = []
    less: list[Node] = []
    if topic.query:
        query = parse_query(topic.query)
        wants.append(query.wants)
        less += query.less
    wants += [Or(_words(topic.any))] if topic.any else []
    wants += _words(topic.all)
    wants += [Or(tuple(map(Category, topic.categories)))] if topic.categories else []
    wants += [Or(tuple(map(_author, topic.authors)))] if topic.authors else []
    wants += [About(topic.about, topic.like, topic.threshold)] if topic.about or topic.like else []
    if not wants:
        raise ValueError(
            f"topic {topic.name!r} wants nothing: give query, any, all, categories, authors, about or like"
        )
    wants += [Not(Or(_words(topic.none)))] if topic.none else []
    return normal(Query(And(tuple(wants)), (*less, *_words(topic.less))))


def wants_something(node: Node) -> bool:
    """Whether it asks for anything, besides what it rules out; the node is in its normal form."""
    match node:
        case Not():
            return False
        case And(parts) | Or(parts):
            return any(map(wants_something, parts))
        case _:
            return True


def _words(terms: tuple[str, ...]) -> tuple[Node, ...]:
    for term in terms:
        Keyword.parse(term)
    return tuple(map(Word, terms))


def _author(name: str) -> Node:
    Name.parse(name)
    return Author(name)


@cache
def _grammar() -> Lark:
    # The basic lexer, so that a word is the same word wherever it stands.
    return Lark.open("query.lark", rel_to=__file__, parser="lalr", lexer="basic")


def _read_tree(text: str) -> Tree[Token]:
    """The parse tree; what only one token shows to be wrong is found on the way, from left to right."""
    parser = _grammar().parse_interactive(text)
    # Every open parenthesis with how deep it is nested: groups, fields and negations all nest.
    opened: list[tuple[Token, int]] = []
    prefixes = patterns = 0
    last = None
    for token in parser.lexer_thread.lex(parser.parser_state):  # type: ignore[no-untyped-call]  # of Lark
        at = token.start_pos or 0
        check_token(token, text, at)
        depth = (opened[-1][1] if opened else 0) + prefixes + (token.type == "LPAR" or token.type in _PREFIXES)
        if depth > _MOST_DEPTH:
            raise QueryError(f"the query is nested more than {_MOST_DEPTH} deep", text, at)
        patterns += token.type == "REGEX"
        if patterns > MOST_PATTERNS:
            raise QueryError(f"the query has more than {MOST_PATTERNS} regular expressions", text, at)
        try:
            parser.feed_token(token)
        except UnexpectedToken as exc:
            raise unexpected(token, last, text, at, is_open=bool(opened)) from exc
        if token.type == "LPAR":
            opened.append((token, depth))
        elif token.type == "RPAR":
            opened.pop()
        prefixes = prefixes + 1 if token.type in _PREFIXES else 0
        last = token
    if opened:
        raise QueryError("the parenthesis is not closed", text, opened[-1][0].start_pos or 0, "add ‘)’")
    try:
        tree: Tree[Token] = parser.feed_eof(last)  # type: ignore[no-untyped-call]  # of Lark
    except UnexpectedToken as exc:
        raise unexpected(Token("$END", ""), last, text, len(text.rstrip()), is_open=False) from exc
    return tree
