"""Fills each part in once for everything equal, as encoded bytes; a mail is a join of those."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final
from urllib.parse import quote

from markupsafe import escape

from digest.errors import RenderError
from digest.render.compile import Part, Template
from digest.render.headers import encode_piece
from digest.render.language import Language
from digest.render.parts import HOLES, HTML_SIDE, SLOTS, Fragment, Node, Sheet, Slot, Stock
from digest.render.words import wrap

# Neither is in any text that people see: clean_text takes them away.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_GAP = re.compile(f"{_OPEN}([\\w.]+){_CLOSE}")
_CHANGED: Final = quote(_OPEN)
_BLANK = re.compile(r"\s*\n\s*")
_NUMBER_COLUMNS: Final = 3
_COLUMNS: Final = 72
_INDENT: Final = 5


_ONLY_PRINTED: Final = "this differs from reader to reader: it can be printed, but not tested, measured or changed"


class Gap:
    """Stands for what is filled in later: a slot or a hole; it can be printed and nothing else."""

    def __init__(self, name: str, around: Sequence[str] = ("", "")) -> None:
        """Make a gap.

        Args:
            name: Of the slot or hole.
            around: The texts between which it stands.
        """
        mark = f"{_OPEN}{name}{_CLOSE}"
        self._text = mark.join(around)
        self._html = mark.join(str(escape(text)) for text in around)

    def __str__(self) -> str:
        return self._text

    def __html__(self) -> str:
        return self._html

    def __bool__(self) -> bool:
        raise TypeError(_ONLY_PRINTED)

    def __eq__(self, other: object) -> bool:
        raise TypeError(_ONLY_PRINTED)

    def __len__(self) -> int:
        raise TypeError(_ONLY_PRINTED)

    __hash__ = object.__hash__


_PARTS: Final = {name: Gap(name) for name in HOLES}


class Press:
    """One template in one language."""

    def __init__(self, template: Template, language: Language) -> None:
        self.stock = Stock()
        self._sides: tuple[Mapping[str, Part], Mapping[str, Part]] = (template.html, template.text)
        self._common = {"theme": template.theme, "language": language, "part": _PARTS}

    def join(self, root: Node, side: int) -> bytes:
        """The encoded body of one mail.

        Args:
            root: The layout with all that is in it.
            side: One of ``SIDES``.

        Raises:
            RenderError: A part cannot be filled in.
        """
        out: list[bytes] = []
        self._join(root, root.slots, side, out)
        return b"".join(out)

    def _join(self, node: Node, common: Mapping[str, Slot], side: int, out: list[bytes]) -> None:
        sheet, slots, inside = node
        pieces, gaps, has_holes = sheet.sides[side] or self._fill_in(sheet, side)
        start = len(out)
        if not has_holes:
            out += pieces
            for place, gap in gaps:
                slot = slots.get(gap) or common[gap]
                out[start + place] = slot.sides[side] or _encode(slot, gap, side)
            return
        done = 0
        for place, gap in gaps:
            out += pieces[done:place]
            done = place + 1
            if gap in HOLES:
                for inner in inside.get(gap, ()):
                    self._join(inner, common, side, out)
            else:
                slot = slots.get(gap) or common[gap]
                out.append(slot.sides[side] or _encode(slot, gap, side))
        out += pieces[done:]

    def _fill_in(self, sheet: Sheet, side: int) -> Fragment:
        assert sheet.context
        text = self._sides[side][sheet.part].render({**self._common, **sheet.context()})
        if side == HTML_SIDE:
            text = _BLANK.sub("\n", text)
        found = _GAP.split(text)
        gaps = tuple((place, found[place]) for place in range(1, len(found), 2))
        if _CHANGED in text or any(gap not in SLOTS and gap not in HOLES for _, gap in gaps):
            changed = ", ".join(sorted({gap.lower() for _, gap in gaps} - SLOTS)) or "an address"
            raise RenderError(f"{changed}: {_ONLY_PRINTED}", where=self._sides[side][sheet.part].where)
        pieces = tuple(b"" if place % 2 else encode_piece(piece) for place, piece in enumerate(found))
        fragment = sheet.sides[side] = Fragment(pieces, gaps, any(gap in HOLES for _, gap in gaps))
        if all(sheet.sides):
            sheet.context = None
        return fragment


def _encode(slot: Slot, gap: str, side: int) -> bytes:
    text = str(escape(slot.text)) if side == HTML_SIDE else slot_text(gap, slot.text)
    encoded = slot.sides[side] = encode_piece(text)
    return encoded


def slot_text(gap: str, value: str) -> str:
    """What stands in a slot of the text part: numbers end flush, the rest is wrapped."""
    if gap == "paper.number":
        return value.rjust(_NUMBER_COLUMNS)
    if "://" in value or value.startswith("mailto:"):
        return value
    indent = " " * (_INDENT if gap.startswith("paper.") else 0)
    return wrap(value, width=_COLUMNS - len(indent)).replace("\n", f"\n{indent}")


@cache
def number_slot(number: int) -> Slot:
    """The slot of a paper's place in the mail."""
    return Slot(str(number))
