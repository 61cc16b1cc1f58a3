"""Turns searches written for PubMed or Ovid, such as reviewers keep, into a `Query`; see ``docs/import.md``.

What only narrows a search and cannot be said here is left out: rather a paper too many than one lost. For the same
reason nothing becomes looser inside a NOT.

Source: NLM Technical Bulletin 449:e4 (2022) for proximity, 458:e5 (2024) for wildcards, read 2026-11-22; what the
fields are called is in PubMed's help (https://pubmed.ncbi.nlm.nih.gov/help/), which was not at hand.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise, product

from digest.match.names import Name
from digest.match.parse import MOST_PATTERNS, wants_something
from digest.match.query import MOST_DISTANCE, And, Author, Near, Node, Not, Or, Pattern, Query, Scope, Word, leaves
from digest.match.searches import Join, Part, Term, each_term, error_at, place_of, read_search
from digest.text.fold import Keyword

_MOST_PAIRS = 200


class _Kind(StrEnum):
    WORDS = "all,all fields,af"
    TEXT = "tiab,title/abstract,tw,text word,text words,text,ot,other term,kw,kf,mp"
    TITLE = "ti,title,tt,transliterated title"
    ABSTRACT = "ab,abstract"
    VENUE = "ta,jour,journal,so,jn,jw"
    AUTHOR = (
        "au,author,author name,fau,full author name,author - full,1au,author - first,first author name,lastau,"
        "author - last,last author name"
    )
    HEADING = "mh,mesh,mesh term,mesh terms,majr,mesh major topic,nm,supplementary concept,pa,pharmacological action,hw"
    TYPE = "pt,ptyp,publication type,sh,subheading,mesh subheading,fs"
    OTHER = (
        "la,lang,language,dp,pdat,publication date,date - publication,edat,date - entry,date - entrez,crdt,"
        "date - create,mhda,date - mesh,dcom,date - completion,lr,date - modification,yr,sb,subset,filter,line,"
        "ad,affiliation,pmid,ui,uid,aid,doi,article identifier,gr,grant number,vi,volume,ip,issue,pg,pagination,is,"
        "issn,rn,ec/rn number,ir,investigator,cn,corporate author,auid,pl,place of publication,si,ps,pmcid"
    )


_KINDS = {tag: kind for kind in _Kind for tag in kind.value.split(",")}
_SCOPES = {_Kind.TITLE: Scope.TITLE, _Kind.ABSTRACT: Scope.ABSTRACT, _Kind.VENUE: Scope.VENUE}
# Headings that indexers check for every paper, and that hardly an abstract says in the same word.
_CHECK_TAG = re.compile(
    "humans|animals|male|female|(young )?adult|middle aged|aged|aged, 80 and over|adolescent|"
    "child|child, preschool|infant|infant, newborn"
)

_LEFT_OUT = "left out, since no title or abstract says it"
_AS_WORDS = "sought as words; PubMed goes by its index, and also finds narrower headings"
_BESIDE_WORDS = "sought as words beside the others of its group"
_IN_TITLE = "keeps a paper out only if its title says so, since the index is not known here"
_UNKNOWN = "the field is not known, so title and abstract are searched"
_ACRONYM = "taken for an acronym, and found only in capitals"
_CAPITALS = "all in capitals, and read as if it were not"
_NO_WORD = "left out, since it holds no letter or digit"
_PATTERN = "sought as a pattern, for which accents and hyphens count"
_FIRST = "found wherever the author stands, first or last"
_FAMILY = "found only where no given name is printed; add an initial"
_JOURNAL = "sought in the journal's name as the source prints it, which may not be abbreviated"
_SEVERAL = "each of them is sought near the next"
_TOO_FAR = f"more than {MOST_DISTANCE} words apart is anywhere in the text"
_NOT_NEAR = "both sides are sought anywhere in the text, since they are more than words"
_TOO_LOOSE = "left out, since it could only be excluded more loosely"
_EXCLUDES_LESS = "what is excluded together with it is left out too, or more papers would be kept out"

_WILDCARD = re.compile(r"[*$]\d*|(?<=\w)[?#](?=\w)")
_LETTERS = r"[\pL\pN]"
_AUTHOR = re.compile(r"(\S.*?),?\s+([A-Z]{1,3}|[a-z]{1,2})(?:\s+(?:Jr|Sr|2nd|3rd))?\*?")


@dataclass(frozen=True, slots=True)
class Imported:
    """A search in our words."""

    query: Query
    notes: tuple[str, ...]
    """What could not be said, or only loosely: one line for people each, with the values and their columns."""


def import_pubmed(text: str) -> Imported:
    """Read a search as PubMed or Ovid would, as far as title, abstract, authors and journal can answer it.

    Args:
        text: One search, or the numbered lines of a search history, of which the highest counts.

    Raises:
        ValueError: It is too long or too deep, or nothing in it can be sought; the message shows where.
    """
    # Nothing that cannot be seen; every column stays what it was.
    text = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    notes = _Notes(text)
    part = read_search(text, notes.add)
    if part is None:
        raise error_at(text, 0, "no search term is here", 'write one, such as "sleep apnea"[tiab]')
    terms = list(each_term(part))
    wants = _Translation(notes, shouts=_shout(terms)).translate(part, wanted=True)
    at = terms[0].at
    if wants is None:
        problem = f"nothing in this search can be sought in a title or an abstract: {_shown(terms[0])}"
        raise error_at(text, at, problem, "add words of the subject, such as asthma[tiab]")
    if not wants_something(wants):
        raise error_at(text, at, "says only what it does not want", "begin with what it wants: asthma[tiab] NOT …")
    if sum(isinstance(leaf, Pattern) for leaf in leaves(wants)) > MOST_PATTERNS:
        problem = f"more than {MOST_PATTERNS} terms have a wildcard before their end"
        raise error_at(text, at, problem, "write their spellings out, or end them at the wildcard")
    return Imported(Query(wants), notes.lines())


class _Notes:
    def __init__(self, text: str) -> None:
        self._text = text
        self._values: dict[str, dict[tuple[int, str], None]] = {}

    def add(self, what: str, at: int, value: object) -> None:
        self._values.setdefault(what, {})[at, _shown(value)] = None

    def lines(self) -> tuple[str, ...]:
        """One for each thing that is said, in the order of the text."""
        said = sorted((sorted(values), what) for what, values in self._values.items())
        return tuple(
            f"{', '.join(f'{value} ({place_of(self._text, at)})' for at, value in values)}: {what}"
            for values, what in said
        )


@dataclass(frozen=True, slots=True)
class _Translation:
    notes: _Notes
    shouts: bool
    """Whether everything is in capitals, so that nothing is an acronym."""

    def translate(self, part: Part, *, wanted: bool) -> Node | None:
        """Say it in our words.

        Args:
            part: What was read.
            wanted: False inside a NOT, where a looser condition would lose papers.

        Returns:
            None where it cannot be said.
        """
        if isinstance(part, Term):
            return self._translate_term(part, wanted=wanted)
        if part.operator == "NOT":
            inner = self.translate(part.parts[0], wanted=not wanted)
            return Not(inner) if inner else None
        if part.operator == "OR":
            return self._translate_or(part, wanted=wanted)
        if part.operator.isdecimal():
            return self._translate_adjacent(part, wanted=wanted)
        found = [self.translate(each, wanted=wanted) for each in part.parts]
        if not wanted and None in found:
            if any(found):
                self.notes.add(_EXCLUDES_LESS, part.at, next(each_term(part.parts[found.index(None)])))
            return None
        return _combine(And, found)

    def _translate_or(self, part: Join, *, wanted: bool) -> Node | None:
        # What only narrows is left out where it stands alone; beside words it is one more way to be wanted.
        weak = [isinstance(each, Term) and _is_weak(each) for each in part.parts]
        found = {
            number: self.translate(each, wanted=wanted) for number, each in enumerate(part.parts) if not weak[number]
        }
        any_found = any(found.values())
        for number, each in enumerate(part.parts):
            if isinstance(each, Term) and weak[number]:
                if wanted and any_found:
                    self.notes.add(_BESIDE_WORDS, each.at, each)
                    found[number] = self._say(each, each.text.partition("/")[0].replace(",", ""), Scope.TEXT)
                else:
                    self.notes.add(_LEFT_OUT, each.at, each)
        return _combine(Or, [found.get(number) for number in range(len(part.parts))])

    def _translate_term(self, term: Term, *, wanted: bool) -> Node | None:
        kind, distance = _kind_of(term)
        if kind is None:
            self.notes.add(_UNKNOWN, term.at, term)
            kind = _Kind.TEXT
        if kind is _Kind.OTHER or _is_weak(term):
            self.notes.add(_LEFT_OUT, term.at, term)
            return None
        if kind is _Kind.AUTHOR:
            return self._translate_author(term)
        if kind is _Kind.HEADING:
            return self._translate_heading(term, wanted=wanted)
        if kind is _Kind.VENUE:
            self.notes.add(_JOURNAL, term.at, term)
        scope = _SCOPES.get(kind, Scope.TEXT)
        words = term.text.split()
        if distance is not None and len(words) > 1:
            # PubMed takes them in any order, so that all others may stand between two that follow each other here.
            reach = distance * (len(words) - 1) + len(words) - 2
            if len(words) > 2:
                self.notes.add(_SEVERAL if wanted else _TOO_LOOSE, term.at, term)
                if not wanted:
                    return None
            each = [replace(term, text=word) for word in words]
            return _combine(And, [self._say_near(*pair, reach, scope, wanted=wanted) for pair in pairwise(each)])
        if kind is _Kind.WORDS and not term.quoted and wanted:
            return _combine(And, [self._say(replace(term, text=word), word, scope) for word in words])
        return self._say(term, term.text, scope)

    def _translate_author(self, term: Term) -> Node | None:
        name = term.text.strip(" *.,;")
        try:
            Name.parse(name)
        except ValueError:
            self.notes.add(_NO_WORD, term.at, term)
            return None
        if (term.tag or "").casefold() not in {"au", "author", "author name", "fau"}:
            self.notes.add(_FIRST, term.at, term)
        if found := _AUTHOR.fullmatch(name):
            name = f"{found[1]}, {'. '.join(found[2].upper())}."
        elif not re.search(r"[\s,]", name):
            self.notes.add(_FAMILY, term.at, term)
        return Author(name)

    def _translate_heading(self, term: Term, *, wanted: bool) -> Node | None:
        text = re.sub(r" as topic$|\(.*?\)", "", term.text.partition("/")[0], flags=re.IGNORECASE)
        parts = [part.strip() for part in text.split(",") if part.strip()]
        turned = " ".join(reversed(parts))
        if not wanted:
            self.notes.add(_IN_TITLE, term.at, term)
            return self._say(term, turned, Scope.TITLE)
        self.notes.add(_AS_WORDS, term.at, term)
        phrase = self._say(term, turned, Scope.TEXT)
        if len(parts) < 2:
            return phrase
        return _combine(Or, [phrase, _combine(And, [self._say(term, part, Scope.TEXT) for part in parts])])

    def _translate_adjacent(self, part: Join, *, wanted: bool) -> Node | None:
        left, right = (_alternatives(side) for side in part.parts)
        if 0 < len(left) * len(right) <= _MOST_PAIRS:
            pairs = [
                self._say_near(one, other, int(part.operator), _scope_of(one, other), wanted=wanted)
                for one, other in product(left, right)
            ]
            return _combine(Or, pairs)
        first = next(each_term(part))
        self.notes.add(_NOT_NEAR if wanted else _TOO_LOOSE, first.at, first)
        return _combine(And, [self.translate(each, wanted=True) for each in part.parts]) if wanted else None

    def _say_near(self, left: Term, right: Term, distance: int, scope: Scope, *, wanted: bool) -> Node | None:
        one, other = (self._say(term, term.text, scope) for term in (left, right))
        if distance > MOST_DISTANCE:
            self.notes.add(_TOO_FAR, left.at, left)
        elif isinstance(one, Word) and isinstance(other, Word):
            return Near((one.text, other.text), distance, scope)
        else:
            self.notes.add(_NOT_NEAR if wanted else _TOO_LOOSE, left.at, left)
        return _combine(And, [one, other]) if wanted else None

    def _say(self, term: Term, text: str, scope: Scope) -> Node | None:
        """The words as a keyword, or as a pattern if a wildcard stands before their end."""
        text = " ".join(text.split()).lstrip("*").strip(" .,;:'‘’!?\\{}")
        if self.shouts:
            self.notes.add(_CAPITALS, term.at, term)
            text = text.lower()
        wild = list(_WILDCARD.finditer(text))
        if wild and (len(wild) > 1 or wild[0].end() < len(text)):
            self.notes.add(_PATTERN, term.at, term)
            return Pattern(_pattern(text), scope)
        if wild:
            text = f"{text[: wild[0].start()]}*"
        try:
            keyword = Keyword.parse(text)
        except ValueError:
            self.notes.add(_NO_WORD, term.at, term)
            return None
        if keyword.is_acronym:
            self.notes.add(_ACRONYM, term.at, term)
        return Word(text, scope)


def _kind_of(term: Term) -> tuple[_Kind | None, int | None]:
    """What the field is, None if unknown; and at how many words between them the words are near."""
    if term.tag is None:
        return _Kind.OTHER if term.text.casefold() == "hasabstract" else _Kind.WORDS, None
    name, _, option = term.tag.casefold().partition(":")
    distance = re.fullmatch(r"~\s*(\d{1,4})", option.strip())
    return _KINDS.get(name.strip()), int(distance[1]) if distance else None


def _is_weak(term: Term) -> bool:
    kind, _ = _kind_of(term)
    return kind is _Kind.TYPE or (
        kind is _Kind.HEADING and bool(_CHECK_TAG.fullmatch(term.text.casefold().partition("/")[0]))
    )


def _alternatives(part: Part) -> list[Term]:
    """The terms of which one is enough, if it is nothing but terms for words."""
    terms = list(part.parts) if isinstance(part, Join) and part.operator == "OR" else [part]
    spoken = {_Kind.WORDS, _Kind.TEXT, _Kind.TITLE, _Kind.ABSTRACT}
    found = [term for term in terms if isinstance(term, Term) and _kind_of(term)[0] in spoken]
    return found if len(found) == len(terms) else []


def _scope_of(*terms: Term) -> Scope:
    scopes = {_SCOPES.get(kind, Scope.TEXT) for term in terms if (kind := _kind_of(term)[0])}
    return scopes.pop() if len(scopes) == 1 else Scope.TEXT


def _pattern(text: str) -> str:
    """The words with their wildcards as a regular expression of RE2."""

    def read_word(word: str) -> str:
        literal = [re.escape(part) for part in _WILDCARD.split(word)]
        wild = [_LETTERS + {"?": "?", "#": ""}.get(mark[0], "*") for mark in _WILDCARD.findall(word)]
        return "".join(a + b for a, b in zip(literal, [*wild, ""], strict=True))

    words = map(read_word, re.split(r"[\s-]+", text))
    return rf"\b{'[ -]'.join(words)}\b"


def _combine(kind: type[And] | type[Or], nodes: Iterable[Node | None]) -> Node | None:
    """The parts that can be said, each once whatever the case; None if there are none."""
    kept: dict[object, Node] = {}
    for node in nodes:
        for part in node.parts if isinstance(node, kind) else (node,):
            if part is not None:
                kept.setdefault((part.text.casefold(), part.scope) if isinstance(part, Word) else part, part)
    parts = tuple(kept.values())
    return kind(parts) if len(parts) > 1 else next(iter(parts), None)


def _shout(terms: Sequence[Term]) -> bool:
    words = [word for term in terms for word in term.text.split()]
    return not any(char.islower() for word in words for char in word) and any(len(word) >= 5 for word in words)


def _shown(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"
