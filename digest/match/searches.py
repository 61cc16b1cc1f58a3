"""Reads how PubMed and Ovid write searches: terms with the field they are sought in, and how they are joined.

    ("Thyroid Neoplasms"[MeSH] OR (thyroid[tiab] AND (cancer*[tiab] OR tumor[tiab]))) AND autopsy[ti] AND humans[mh]

Searches that people keep are full of typing mistakes, so what is odd is read in the likeliest way, and noted: it is a
reader with a stack, and not a grammar, since a grammar says what is right and this must say what was meant.

Source: NLM Technical Bulletin, November-December 1997, for the order of operators, from left to right; read 2026-11-22.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from digest.match.parse import MOST_CHARS

_MOST_TERMS = 20_000
_MOST_OPEN = 500
_DEEPEST = 40
"""Of groups in groups; the one-line language itself ends at 50."""

_OPERATORS = {"and": "AND", "or": "OR", "not": "NOT", "&": "AND", "|": "OR", "&&": "AND", "||": "OR", ":": ":"}
_TOKEN = re.compile(
    r"""(?P<parenthesis>[()])
    |[\"“”„‟«»](?P<phrase>[^\"“”„‟«»\[\]]*)[\"“”„‟«»]|(?P<quote>[\"“”„‟«»])
    |\[(?P<tag>[^\[\]()\"“”]*)\]|\[(?P<torn>[\w/:~-]*)
    |(?P<word>[^\s()\[\]\"“”„‟«»]+)""",
    re.VERBOSE,
)
_OVID_FIELDS = "ti ab tw mp kw kf ot hw sh fs pt la au nm rn ad jn jw yr ui tt af".split()  # noqa: SIM905
_OVID_FIELD = re.compile(r"(.*?)\.((?:{0})(?:,(?:{0}))*)\.?".format("|".join(_OVID_FIELDS)), re.IGNORECASE)
_OVID_HEADING = re.compile(
    r"(?:exp\s+)?\*?(?P<plain>[^/]+)/|(?:exp\s+\*?|\*)(?P<divided>[^/]+)/\s*[a-z]{2}(?:\s*,\s*[a-z]{2})*", re.IGNORECASE
)
_ADJACENT = re.compile(r"adj(\d{0,3})", re.IGNORECASE)
_LINE = re.compile(r"^[ \t]*#?([1-9]\d{0,3})(?:[.)]|[ \t])[ \t]*(?=\S)", re.MULTILINE)
_LIMIT = re.compile(r"limit\s+#?(\d{1,4})\s+to\b.*", re.IGNORECASE | re.DOTALL)
_LINES = re.compile(r"(and|or)/#?(\d{1,4})-#?(\d{1,4})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Term:
    """Words, and the field they are sought in."""

    text: str
    at: int
    """Where it begins in the whole text, from 0."""
    tag: str | None = None
    """As written between the brackets; None if there are none."""
    quoted: bool = False
    terms: int = 1
    depth: int = 0

    def __str__(self) -> str:
        quoted = f'"{self.text}"' if self.quoted else self.text
        return quoted if self.tag is None else f"{quoted}[{self.tag}]"


@dataclass(frozen=True, slots=True)
class Join:
    """Parts that are joined by one operator."""

    operator: str
    """AND, OR, NOT with one part, or, with two, how many words may stand between them."""
    parts: tuple["Part", ...]
    at: int
    terms: int
    depth: int


Part = Term | Join
Note = Callable[[str, int, object], None]
"""Takes what is said, where, and of which value."""
_Mark = tuple[str, int, str]
"""A parenthesis, an operator or ``[`` for a field; where it stands; what it holds."""


@dataclass(slots=True)
class _Group:
    """What stands between two parentheses, as far as it was read."""

    at: int
    parts: list[Part] = field(default_factory=list)
    joined_by: str = ""
    operator: str = ""
    """What was read after the last part."""
    negated: bool = False


def read_search(text: str, note: Note) -> Part | None:
    """The search; of a history of numbered lines, the highest, with each line that it names in its place.

    Returns:
        None if no term is in it.

    Raises:
        ValueError: It is too long or too deep; the message shows where.
    """
    if len(text) > MOST_CHARS:
        raise ValueError(f"the search has {len(text):,} characters\n  hint: at most {MOST_CHARS:,} are read")
    lines = list(_LINE.finditer(text))
    if len(lines) < 2 or text[: lines[0].start()].strip():
        return _Reader(text, {}, note).read(0, len(text))
    # A line without a number goes on with the one before.
    ends = [line.start() for line in lines[1:]] + [len(text)]
    history: dict[int, Part | None] = {}
    reader = _Reader(text, history, note)
    # PubMed lists the newest line first, Ovid last.
    for line, end in sorted(zip(lines, ends, strict=True), key=lambda pair: int(pair[0][1])):
        history[int(line[1])] = reader.read(line.end(), end)
    return history[max(history)]


def each_term(part: Part) -> Iterator[Term]:
    """Every term of a part, in order."""
    if isinstance(part, Term):
        yield part
    else:
        for each in part.parts:
            yield from each_term(each)


def place_of(text: str, at: int) -> str:
    """A place for people: ``column 7``, and its line where there are several."""
    column = f"column {at - text.rfind(chr(10), 0, at)}"
    return f"line {text.count(chr(10), 0, at) + 1}, {column}" if "\n" in text.strip() else column


def error_at(text: str, at: int, problem: str, hint: str) -> ValueError:
    """An error that shows the place with a caret."""
    end = text.find("\n", at)
    start, end = max(text.rfind("\n", 0, at) + 1, at - 50), min(end if end >= 0 else len(text), at + 50)
    return ValueError(f"{place_of(text, at)}: {problem}\n  {text[start:end]}\n  {' ' * (at - start)}^\n  hint: {hint}")


@dataclass(frozen=True, slots=True)
class _Reader:
    text: str
    history: Mapping[int, Part | None]
    """What the numbered lines say."""
    note: Note

    def read(self, start: int, end: int) -> Part | None:
        """One search, which stands between these places of the text."""
        if (limit := _LIMIT.fullmatch(self.text, start, end)) and int(limit[1]) in self.history:
            self.note("the limit is left out", start, limit[0].strip())
            return self.history[int(limit[1])]
        groups = [_Group(start)]
        for token in self._join_words(self._read_tokens(start, end)):
            if isinstance(token, tuple):
                self._mark(groups, *token)
            else:
                self._add(groups[-1], token)
        while len(groups) > 1:
            self.note("is never closed; it ends where the search does", groups[-1].at, "(")
            self._close(groups)
        return self._finish(groups[0])

    def _mark(self, groups: list[_Group], mark: str, at: int, tag: str) -> None:
        group = groups[-1]
        if mark == "(" and len(groups) > _MOST_OPEN:
            raise error_at(self.text, at, f"more than {_MOST_OPEN} parentheses are open", "close some of them before")
        if mark == "(":
            groups.append(_Group(at))
        elif mark == ")" and len(groups) > 1:
            self._close(groups)
        elif mark == ")":
            self.note("closes nothing, and is ignored", at, mark)
        elif mark == "NOT":
            group.operator = group.operator or ("AND" if group.parts else "")
            group.negated = not group.negated
        elif not group.parts or group.operator or group.negated:
            self.note("joins nothing, and is ignored", at, f"[{tag}]" if mark == "[" else mark)
        elif mark == "[":
            group.parts[-1] = _tagged(group.parts[-1], tag)
        else:
            group.operator = mark

    def _close(self, groups: list[_Group]) -> None:
        group = groups.pop()
        if part := self._finish(group):
            self._add(groups[-1], part)
        else:
            # What stands before it would join the next part in its place.
            groups[-1].operator, groups[-1].negated = "", False

    def _add(self, group: _Group, part: Part) -> None:
        at = part.at
        operator = group.operator
        if group.parts and not operator:
            self.note("no operator stands before it; read as AND", at, next(each_term(part)))
            operator = "AND"
        if group.negated:
            part = self._join("NOT", [part], at)
        group.operator, group.negated = "", False
        if operator == ":":
            # Of a range of dates, only the second half may bear the field.
            operator, last = "AND", group.parts[-1]
            if isinstance(last, Term) and isinstance(part, Term) and last.tag is None:
                group.parts[-1] = replace(last, tag=part.tag)
        if operator.isdecimal():
            group.parts[-1] = self._join(operator, [group.parts[-1], part], group.parts[-1].at)
            return
        if operator and group.joined_by not in {"", operator}:
            shown = part.operator if isinstance(part, Join) and part.operator == "NOT" else operator
            self.note("AND, OR and NOT side by side are read from left to right, as PubMed does", at, shown)
            group.parts = [self._join(group.joined_by, group.parts, group.at)]
        group.joined_by = operator or group.joined_by
        group.parts.append(part)

    def _finish(self, group: _Group) -> Part | None:
        if group.operator or group.negated:
            self.note("joins nothing, and is ignored", group.at, "NOT" if group.negated else group.operator)
        if len(group.parts) < 2:
            return group.parts[0] if group.parts else None
        return self._join(group.joined_by, group.parts, group.at)

    def _join(self, operator: str, parts: Sequence[Part], at: int) -> Join:
        flat: list[Part] = []
        for part in parts:
            opens = isinstance(part, Join) and part.operator == operator and operator in {"AND", "OR"}
            flat += part.parts if opens and isinstance(part, Join) else (part,)
        terms, depth = sum(part.terms for part in flat), 1 + max(part.depth for part in flat)
        if depth > _DEEPEST:
            problem = f"groups stand in groups more than {_DEEPEST} deep"
            raise error_at(self.text, at, problem, "set parentheses that join more at once")
        if terms > _MOST_TERMS:
            raise error_at(self.text, at, f"more than {_MOST_TERMS:,} terms", "split the search in several")
        return Join(operator, tuple(flat), at, terms, depth)

    def _join_words(self, tokens: "Iterator[Part | _Mark]") -> "Iterator[Part | _Mark]":
        """Make one term of words that stand side by side, and of a term and its field."""
        run: list[Term] = []
        for token in tokens:
            if isinstance(token, Term) and not token.quoted and token.tag is None and not (run and run[0].quoted):
                run.append(token)
                continue
            if run and isinstance(token, tuple) and token[0] == "[":
                yield replace(_one_term(run), tag=token[2])
                run = []
                continue
            yield from self._end_run(run)
            run = []
            if isinstance(token, Term) and token.tag is None:
                run = [token]
            else:
                yield token
        yield from self._end_run(run)

    def _end_run(self, run: Sequence[Term]) -> Iterator[Part]:
        if not run:
            return
        term = _one_term(run)
        if not term.quoted and term.text.isdecimal() and int(term.text) in self.history:
            yield from self._read_line(int(term.text))
        elif not term.quoted and (ovid := _OVID_HEADING.fullmatch(term.text)):
            yield replace(term, text=ovid["plain"] or ovid["divided"], tag="mesh")
        else:
            yield term

    def _read_line(self, number: int) -> Iterator[Part]:
        if part := self.history.get(number):
            yield part

    def _read_tokens(self, start: int, end: int) -> "Iterator[Part | _Mark]":
        for token in _TOKEN.finditer(self.text, start, end):
            at, word = token.start(), token["word"]
            if token["parenthesis"]:
                yield token[0], at, ""
            elif token["phrase"] is not None:
                if phrase := " ".join(token["phrase"].split()):
                    yield Term(phrase, at, quoted=True)
            elif token["quote"]:
                self.note("is never closed, and is ignored", at, token["quote"])
            elif word is None:
                yield "[", at, " ".join((token["tag"] or token["torn"] or "").split())
            elif any(map(str.isalnum, word)) or word.lower() in _OPERATORS:
                yield from self._read_word(word, at)
            else:
                self.note("left out, since it holds no letter or digit", at, word)

    def _read_word(self, word: str, at: int) -> "Iterator[Part | _Mark]":
        if operator := _OPERATORS.get(word.lower()):
            yield operator, at, ""
        elif adjacent := _ADJACENT.fullmatch(word):
            yield str(max(0, int(adjacent[1] or 1) - 1)), at, ""
        elif lines := _LINES.fullmatch(word):
            yield "(", at, ""
            for number in range(int(lines[2]), int(lines[3]) + 1):
                yield from self._read_line(number)
                if number < int(lines[3]):
                    yield lines[1].upper(), at, ""
            yield ")", at, ""
        elif re.fullmatch(r"#\d{1,4}", word):
            if int(word[1:]) not in self.history:
                yield Term(word, at, tag="line")
            yield from self._read_line(int(word[1:]))
        elif ovid := _OVID_FIELD.fullmatch(word):
            if ovid[1]:
                yield Term(ovid[1], at)
            yield "[", at, ovid[2].lower() if "," not in ovid[2] else "tiab"
        else:
            yield Term(word, at)


def _one_term(run: Sequence[Term]) -> Term:
    return replace(run[0], text=" ".join(term.text for term in run))


def _tagged(part: Part, tag: str) -> Part:
    """The part with this field for every term that names none."""
    if isinstance(part, Term):
        return replace(part, tag=tag) if part.tag is None else part
    return replace(part, parts=tuple(_tagged(each, tag) for each in part.parts))
