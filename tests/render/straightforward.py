"""The plain way to make a mail, to compare ours with: everything is done again for every reader.

The same parts and the same tree of nodes, but each part is filled in with the reader's own values from the innermost to
the layout, the whole MJML document is compiled and its CSS inlined, and the standard library writes the message.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, default
from email.utils import format_datetime
from functools import cache
from pathlib import Path

import jinja2
from lxml import etree
from lxml import html as lxml_html
from markupsafe import Markup

from digest.model import Edition
from digest.render.compile import PARTS
from digest.render.language import Language
from digest.render.mjml import inline_css, run_mjml
from digest.render.parts import HOLES, Node
from digest.render.plan import Answers, Plan, unsubscribe_address, unsubscribe_mail
from digest.render.press import Gap, slot_text
from digest.render.theme import Theme
from digest.render.words import FILTERS

_INCLUDE = re.compile(r"""\{%-?\s*include\s+["']([^"']+)["']\s*-?%\}""")
_LONE_HOLE = re.compile(r"^[ \t]*(\{\{ part\.\w+ \}\})[ \t]*\n", re.MULTILINE)
_MARK = re.compile("\ufdd0([\\w.]+)\ufdd1")
_SPOKEN = ("short_date", "full_date", "long_date", "weekday_date", "weekday", "number", "listed")


class Straightforward:
    """Makes mails with one template, one after the other."""

    def __init__(
        self, name: str, folders: Sequence[Path], theme: Theme, *, sender: Address, answers: Answers | None = None
    ) -> None:
        self._name = name
        self._folders = folders
        self._theme = theme
        self._sender = sender
        self._answers = answers or Answers()
        # What a template marks as safe and MJML would refuse: an element around those of MJML.
        self._markup: dict[str, str] = {}
        # Jinja's part alone is not done again: nobody would.
        self._template: Callable[[str, bool, Language], jinja2.Template] = cache(self._compile)

    def compose(self, edition: Edition, now: datetime) -> bytes:
        """The message of an edition that has room."""
        reader = edition.subscriber
        mailbox = self._sender.addr_spec
        token = self._answers.token(reader, "unsubscribe")
        unsubscribe = unsubscribe_address(token, mailbox, self._answers)
        plan = Plan(edition, self._theme, unsubscribe=unsubscribe, answers=self._answers)
        identity = hashlib.sha256(f"{reader.id}\n{edition.date}".encode()).hexdigest()[:16]
        domain = self._sender.domain
        context = {"mail": plan.mail(), "count": plan.count, "title": plan.lead, "theme": self._theme}
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = reader.email
        message["Subject"] = " ".join(self._template("subject", False, plan.language).render(context).split())
        message["Date"] = format_datetime(now.astimezone(reader.zone))
        message["Message-ID"] = f"<{edition.date}.{identity}@{domain}>"
        message["List-Id"] = f"Paperround <paperround.{domain}>"
        by_mail = unsubscribe_mail(token, mailbox, self._answers)
        message["List-Help"] = f"<{by_mail.partition('?')[0]}?subject=help>"
        message["List-Unsubscribe"] = ", ".join(dict.fromkeys((f"<{unsubscribe}>", f"<{by_mail}>")))
        if token and unsubscribe.startswith("https://"):
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        if reader.archive:
            message["List-Archive"] = f"<{reader.archive}>"
        message["List-Post"] = "NO"
        message["Feedback-ID"] = f"{edition.date}:{self._name}:paperround"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        room = plan.most
        message.set_content(self._render(plan.tree(room._replace(lines=sys.maxsize)), plan.language, is_html=False))
        mjml = self._render(plan.tree(room), plan.language, is_html=True)
        html = inline_css(run_mjml(mjml))
        for word, markup in self._markup.items():
            html = html.replace(word, markup)
        message.add_alternative(html, subtype="html")
        if logo := self._theme.logo:
            _, rich = message.iter_parts()
            assert isinstance(rich, EmailMessage)
            rich.add_related(logo.content, "image", logo.subtype, cid="<logo>", disposition="inline")
        return message.as_bytes()

    def _render(self, root: Node, language: Language, *, is_html: bool) -> str:
        def render(node: Node) -> str:
            inside = {hole: Markup("".join(map(render, nodes))) for hole, nodes in node.inside.items()}
            slots = {**root.slots, **node.slots}
            values = {name: slot.text if is_html else slot_text(name, slot.text) for name, slot in slots.items()}
            context = {name: _with_values(view, values) for name, view in _context(node).items()}
            context |= {
                "theme": self._theme_for(is_html=is_html),
                "part": {hole: inside.get(hole, "") for hole in HOLES},
            }
            return self._template(node.sheet.part, is_html, language).render(context)

        return render(root)

    def _compile(self, part: str, is_html: bool, language: Language) -> jinja2.Template:
        env = jinja2.Environment(
            autoescape=is_html, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
            keep_trailing_newline=not is_html,
        )  # fmt: skip
        env.filters |= {**FILTERS} | {name: getattr(language, name) for name in _SPOKEN}
        env.globals |= {"_": language.say, "ngettext": language.count}
        if is_html:
            env.filters["safe"] = self._keep
            return env.from_string(self._read(f"{part}.mjml.j2"))
        return env.from_string(_LONE_HOLE.sub(r"\1", self._read(f"{part}.txt.j2")))

    def _theme_for(self, *, is_html: bool) -> Theme:
        """Style sheets know no entities, so fonts with quotation marks stay as they are."""
        theme = self._theme
        return replace(theme, font=Markup(theme.font), small_font=Markup(theme.small_font)) if is_html else theme

    def _keep(self, markup: str) -> str:
        word = f"KEPT{hashlib.sha256(markup.encode()).hexdigest()}KEPT"
        self._markup[word] = markup
        return word

    def _read(self, file: str) -> str:
        folders = [folder / name for name in (self._name, PARTS) for folder in self._folders]
        path = next(folder / file for folder in folders if (folder / file).is_file())
        return _INCLUDE.sub(lambda tag: self._read(tag[1]).removesuffix("\n"), path.read_text(encoding="utf-8"))


def _context(node: Node) -> Mapping[str, object]:
    assert node.sheet.context, "nobody joined this tree"
    return node.sheet.context()


def _with_values(view: object, values: Mapping[str, str]) -> object:
    """A view with the reader's own values in place of their gaps."""
    if not is_dataclass(view) or isinstance(view, type):
        return view
    gaps = {field.name: getattr(view, field.name) for field in fields(view)}
    return replace(view, **{name: _filled(str(gap), values) for name, gap in gaps.items() if isinstance(gap, Gap)})


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _MARK.sub(lambda mark: values.get(mark[1], ""), text)


def differences(ours: bytes, theirs: bytes) -> list[str]:
    """What a mail program would show differently: headers, text, elements, attributes, styles and comments."""
    mine, other = (_parts(raw) for raw in (ours, theirs))
    return [
        f"{what}: {one!r} is not {another!r}"
        for what in mine
        for one, another in _first_difference(mine[what], other[what])
    ]


def _parts(raw: bytes) -> dict[str, list[object]]:
    message = BytesParser(policy=default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    text, html = (str(body.get_content()).replace("\r\n", "\n").rstrip("\n") for body in bodies if body)
    pictures = [part for part in message.walk() if part.get_content_maintype() == "image"]
    own = [(key, str(value)) for key, value in message.items() if key not in ("Content-Type", "MIME-Version")]
    return {
        # The standard library moves and adds blanks where it folds and encodes.
        "headers": [(key, "".join(value.split())) for key, value in own],
        "text": [*text.split("\n")],
        "HTML": [*_walk(lxml_html.document_fromstring(html.encode()))],
        "pictures": [(each["Content-ID"], each.get_content_type(), each.get_payload(decode=True)) for each in pictures],
    }


def _walk(element: etree._Element) -> Iterator[object]:
    is_comment = element.tag is etree.Comment
    yield "comment" if is_comment else element.tag
    yield sorted((name, _style(value) if name == "style" else value) for name, value in element.items())
    yield _blanks(element.text)
    for child in element:
        yield from _walk(child)
        yield _blanks(child.tail)
    yield "end"


def _style(style: str) -> list[str]:
    """Without what does not matter: blanks, and the order of declarations that do not override one another."""
    return sorted(re.sub(r"\s*([:,])\s*", r"\1", part.strip()) for part in style.split(";") if part.strip())


def _blanks(text: str | None) -> str:
    return re.sub(r"[ \t\r\n]+", " ", text or "").strip(" ")


def _first_difference(mine: list[object], other: list[object]) -> Iterator[tuple[object, object]]:
    for place, (one, another) in enumerate(zip(mine, other, strict=False)):
        if one != another:
            yield mine[max(place - 3, 0) : place + 3], other[max(place - 3, 0) : place + 3]
            return
    if len(mine) != len(other):
        shorter = min(len(mine), len(other))
        yield mine[shorter : shorter + 3], other[shorter : shorter + 3]
