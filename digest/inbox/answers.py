"""What a mail asks for, by its subject; who asks is told by a token and by nothing else.

``unsubscribe TOKEN``, ``pause 2 weeks TOKEN``, ``resume TOKEN``, ``more TOKEN PAPER``, ``less TOKEN PAPER``: whatever
mail programs put before them, in any language, does not matter.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message as Mail
from email.utils import parseaddr
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

MOST_DAYS: Final = 366
"""A pause is never longer."""
_USUAL_DAYS: Final = 14
_DAYS: Final = {"day": 1, "week": 7, "month": 30}
_GAP = r"(?:\s|%20|\+)+"
_ANSWER = re.compile(
    rf"(?<![\w-])(?:(?P<verb>unsubscribe|resume|more|less)"
    rf"|(?P<pause>pause)(?:{_GAP}(?P<number>\d{{1,3}}){_GAP}(?P<unit>day|week|month)s?)?)"
    # What mail programs put around a link that somebody copied.
    rf"{_GAP}[<\"'(]*(?P<token>[A-Za-z0-9_-]{{22}})(?![A-Za-z0-9_-])[>\"')]*(?P<rest>.*)",
    re.IGNORECASE,
)
_WISHES = re.compile(
    r"\b(?:unsubscribe|opt[ -]?out|remove me|stop|abmelden|abbestellen|d[ée]sabonner|d[ée]sinscri\w*|baja|cancelar"
    r"|desuscribir\w*|descadastrar|uitschrijven|afmelden)\b|退订|退訂|配信停止|購読解除|구독\s*취소",
    re.IGNORECASE,
)


class Verb(StrEnum):
    """What readers can ask for."""

    UNSUBSCRIBE = "unsubscribe"
    PAUSE = "pause"
    RESUME = "resume"
    MORE = "more"
    LESS = "less"

    @property
    def purpose(self) -> str:
        """Of the token that goes with it; who may pause may end the pause."""
        match self:
            case Verb.MORE | Verb.LESS:
                return "feedback"
            case Verb.RESUME:
                return "pause"
            case _:
                return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a subject asks for; nobody has looked yet whether the token is right."""

    verb: Verb
    token: str
    days: int = 0
    """Of a pause, up to `MOST_DAYS`."""
    papers: tuple[str, ...] = ()
    """Of more and less: the paper's key as it stands there, and with its ``%`` decoded."""
    is_first: bool = True
    """Whether nothing stands before it, as in a mail that a program sent for its reader, and in no reply."""


def find_answer(subject: str) -> Answer | None:
    """What a decoded subject asks for."""
    subject = " ".join(subject.split())
    found = _ANSWER.search(subject)
    if found is None:
        return None
    verb = Verb((found["verb"] or found["pause"]).lower())
    papers: tuple[str, ...] = ()
    days = 0
    if verb in (Verb.MORE, Verb.LESS):
        paper = re.sub(rf"^{_GAP}", "", found["rest"]).strip()
        if not paper:
            return None
        papers = tuple(dict.fromkeys((paper, unquote(paper))))
    elif verb is Verb.PAUSE:
        days = int(found["number"]) * _DAYS[found["unit"].lower()] if found["number"] else _USUAL_DAYS
        days = min(max(days, 1), MOST_DAYS)
    return Answer(verb=verb, token=found["token"], days=days, papers=papers, is_first=found.start() == 0)


def wants_out(subject: str) -> bool:
    """Whether somebody seems to want no more mail, in words of their own; that is for the operator to decide."""
    return _WISHES.search(subject) is not None


def subject_of(mail: Mail) -> str:
    """The subject as people read it."""
    return header_of(mail, "Subject")


def header_of(mail: Mail, name: str) -> str:
    """A header as people read it, in one line; empty if there is none. Never raises, whatever it holds."""
    return " ".join("".join(_decoded(_raw(mail, name))).split())


def sender_of(mail: Mail) -> str:
    """The address in From, which anybody can write there; empty if there is none."""
    return parseaddr(header_of(mail, "From"))[1]


def is_automatic(mail: Mail) -> bool:
    """Whether a program answered or sent this (RFC 3834), and no person."""
    submitted = header_of(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    precedence = header_of(mail, "Precedence").lower()
    return (
        submitted not in ("", "no")
        or precedence in ("bulk", "junk", "list", "auto_reply")
        or any(mail[name] is not None for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder"))
        or header_of(mail, "Return-Path") == "<>"
    )


def is_reply_of_a_program(mail: Mail) -> bool:
    """Whether a program answered one of our mails; of those, none is believed."""
    return header_of(mail, "Auto-Submitted").lower().startswith("auto-replied")


def _raw(mail: Mail, name: str) -> str:
    value = mail[name]
    return "" if value is None else str(value)


def _decoded(text: str) -> Iterator[str]:
    """The pieces of a header, encoded words decoded (RFC 2047)."""
    try:
        pieces = decode_header(text.replace("\r", "").replace("\n", ""))
    except (HeaderParseError, ValueError):
        # Base64 that is none.
        pieces = [(text, None)]
    for piece, charset in pieces:
        if isinstance(piece, str):
            yield piece
            continue
        try:
            yield piece.decode(charset or "ascii", "replace")
        except (LookupError, ValueError):
            yield piece.decode("latin-1")
