"""Tells what is wrong with a query: what was found, where, and what was expected there."""

import difflib
import re
import unicodedata

from lark import Token

from digest.match.query import LEAST_BOOST, MOST_BOOST, MOST_DISTANCE

FIELDS = {
    "title": "title", "ti": "title", "abstract": "abstract", "abs": "abstract", "author": "author", "au": "author",
    "category": "cat", "cat": "cat", "venue": "venue", "source": "source", "about": "about",
}  # fmt: skip
"""What may stand in front of ‘:’, and what it is short for."""
BOOST_HINT = f"a boost is from {LEAST_BOOST:g} to {MOST_BOOST:g}, as in transformer^2"
# Control characters, invisible ones that change the direction of text or hide in what is pasted, halves of
# surrogates, and what Unicode calls noncharacters.
UNREADABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufdd0-\ufdef\ufeff\ufff9-\ufffb"
    + "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
    + "]"
)  # fmt: skip
_EXCERPT = 100


class QueryError(ValueError):
    """A query that cannot be read: what is wrong with it, and where."""

    def __init__(self, problem: str, text: str = "", at: int = 0, hint: str = "") -> None:
        super().__init__(problem, text, at, hint)
        self.problem = problem
        self.hint = hint
        self.place = _excerpt(text, at) if text else ""
        """The line, or about 100 characters of it, and below it a caret; empty if there is no line."""

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.problem, self.place, f"hint: {self.hint}" if self.hint else "")))


def _excerpt(text: str, at: int) -> str:
    start = max(0, min(at - _EXCERPT // 2, len(text) - _EXCERPT))
    shown = "".join(" " if sign.isspace() else "�" if UNREADABLE.match(sign) else sign for sign in text)
    before = ("…" if start else "") + shown[start:at]
    after = shown[at : start + _EXCERPT] + ("…" if start + _EXCERPT < len(text) else "")
    width = sum(
        0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF") for sign in before
    )
    return f"  {before}{after}\n  {' ' * width}^"


def check_token(token: Token, text: str, at: int) -> None:
    """Complain of what is wrong with it wherever it stands."""
    match token.type:
        case "OPEN_QUOTE":
            raise QueryError(
                "the quotation mark is not closed", text, at, 'a phrase ends with another one: "like this"'
            )
        case "OPEN_REGEX":
            hint = "write /gpt-?[45]/, or quotes around a word that begins with ‘/’"
            raise QueryError("the regular expression does not end with ‘/’", text, at, hint)
        case "FIELD" if field_name(token) not in FIELDS:
            name = token.rstrip()[:-1]
            near = difflib.get_close_matches(name.casefold(), (*FIELDS, "less"), n=1)
            meant = f"did you mean ‘{near[0]}:’? " if near else ""
            known = "known: title, abstract, author, cat, venue, source, about, less"
            hint = f"{meant}{known}; a word that holds a colon stands in quotes"
            raise QueryError(f"there is no field {shown(name + ':')}", text, at, hint)
        case "NEAR" if not re.fullmatch(r"NEAR/[0-9]{1,4}", token):
            hint = f'write NEAR/5: at most 5 words between (0 to {MOST_DISTANCE}); "NEAR" in quotes is a word'
            raise QueryError(f"{shown(token)} does not say how near", text, at, hint)
        case "NEAR" if int(token[5:]) > MOST_DISTANCE:
            raise QueryError(f"{shown(token)} is too far", text, at, f"at most {MOST_DISTANCE} words may stand between")
        case "BOOST" if not re.fullmatch(r"\^[0-9]{0,9}(?:\.[0-9]{1,20})?(?<!\^)", token):
            hint = "a boost is a number, as in transformer^2; a word that holds ‘^’ stands in quotes"
            raise QueryError(f"{shown(token)} is no boost", text, at, hint)
        case "BOOST" if not LEAST_BOOST <= float(token[1:]) <= MOST_BOOST:
            raise QueryError(f"the boost {shown(token)} is out of range", text, at, BOOST_HINT)


def unexpected(token: Token, last: Token | None, text: str, at: int, *, is_open: bool) -> QueryError:
    """What to say of a token that cannot stand where it stands."""
    after = last.type if last is not None else ""
    expected = "a word or a phrase" if after == "NEAR" else "a word, a phrase or ‘(’"
    match token.type:
        case "RPAR" if not is_open:
            return QueryError("the parenthesis was never opened", text, at, "delete it, or add ‘(’ before")
        case "RPAR" if after == "LPAR":
            return QueryError("there is nothing between the parentheses", text, at, f"expected {expected}")
        case "NEAR" if last is not None and after not in ("_AND", "_OR", "NOT", "MINUS", "LPAR"):
            hint = "for more, write (a NEAR/5 b) (b NEAR/5 c); OR within NEAR is (a NEAR/5 b) OR (a NEAR/5 c)"
            return QueryError("NEAR joins two words or phrases, and no groups", text, at, hint)
        case "BOOST":
            return QueryError(f"{shown(token)} stands behind nothing that it could boost", text, at, BOOST_HINT)
        case "SIMILAR":
            return QueryError(f'‘{token}’ stands only behind about:"…"', text, at)
        case "FIELD" | "LESS" if after in ("FIELD", "LESS"):
            hint = f"{shown(token)} already says what is sought" if after == "LESS" else "one field is enough"
            return QueryError(f"{shown(token)} cannot stand behind {shown(last or '')}", text, at, hint)
    got = "the query ends" if token.type == "$END" else f"got {shown(token)}"
    behind = f" behind {shown(last or '')}" if last is not None else ""
    hint = f'"{token}" in quotes is a word' if token.type in ("_AND", "_OR", "NOT", "NEAR") else ""
    return QueryError(f"expected {expected}{behind}, but {got}", text, at, hint)


def field_name(token: Token) -> str:
    """The name as it is looked for in `FIELDS`."""
    return token.rstrip()[:-1].casefold()


def shown(text: str) -> str:
    """A piece of a query as it is quoted in a message."""
    text = text.strip()
    return f"‘{text[:59]}…’" if len(text) > 60 else f"‘{text}’"
