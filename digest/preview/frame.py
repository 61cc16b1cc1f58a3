"""What other mail programs and other readers make of the same HTML: dark or light, no pictures, no CSS, larger text."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from html import escape
from html.parser import HTMLParser
from typing import Literal

Scheme = Literal["light", "dark"]
_Attributes = list[tuple[str, str | None]]

_PRESENTATIONAL = frozenset(
    {
        *("align", "background", "bgcolor", "border", "cellpadding", "cellspacing", "class", "color", "face", "height"),
        *("hspace", "nowrap", "size", "style", "valign", "vspace", "width"),
    }
)
"""Attributes that say how something looks; without its rules a class says nothing either."""
_PREFERS = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)
_ALWAYS, _NEVER = "(min-width:0)", "(max-width:0)"
_SCHEME_META = re.compile(r"""(<meta\s[^>]*name="(?:supported-)?color-schemes?"[^>]*content=")[^"]*""", re.IGNORECASE)
_SCHEME_RULE = re.compile(r"(?<![-\w])((?:supported-)?color-schemes?\s*:)\s*[\w ]+", re.IGNORECASE)
_STYLE = re.compile(r"""(<style\b[^>]*>)(.*?)(</style>)|(\sstyle=")([^"]*)(")""", re.IGNORECASE | re.DOTALL)
_SIZE = re.compile(r"(?<![-\w])(font(?:-size)?|line-height)\s*:[^;}]*", re.IGNORECASE)
_PIXELS = re.compile(r"(\d+(?:\.\d+)?)px")
_PICTURE = re.compile(r"""(\ssrc=")cid:([^"]+)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Under which the mail is looked at."""

    scheme: Scheme | None = None
    """As if the reader had chosen it; ``None`` leaves it to the browser."""
    images: bool = True
    css: bool = True
    zoom: int = 100
    """Size of the text, in per cent; the width stays."""


def show_under(html: str, conditions: Conditions) -> str:
    """The same document as it is to be drawn under these conditions."""
    if conditions.zoom != 100:
        html = _enlarge(html, conditions.zoom / 100)
    if conditions.scheme:
        html = _choose_scheme(html, conditions.scheme)
    if not conditions.images:
        html = _rewrite(html, _without_picture)
    if not conditions.css:
        html = _rewrite(re.sub(r"(?is)<style\b.*?</style>", "", html), _without_looks)
    return html


def embed_pictures(html: str, raw: bytes) -> str:
    """Put the pictures that come with the message in place of their ``cid:`` addresses."""
    pictures = {
        str(part["Content-ID"]).strip("<> "): f"data:{part.get_content_type()};base64,{b64encode(content).decode()}"
        for part in message_from_bytes(raw, policy=policy.default).walk()
        if part.get_content_maintype() == "image" and isinstance(content := part.get_payload(decode=True), bytes)
    }
    return _PICTURE.sub(lambda match: f"{match[1]}{pictures.get(match[2], '')}", html)


def open_links_outside(html: str) -> str:
    """Have links open in a window of their own, for a frame that must not go anywhere."""
    return re.sub(r"(?i)(<head\b[^>]*>)", r'\1<base target="_blank">', html, count=1)


def _choose_scheme(html: str, scheme: Scheme) -> str:
    html = _PREFERS.sub(lambda match: _ALWAYS if match[1].lower() == scheme else _NEVER, html)
    html = _SCHEME_META.sub(rf"\g<1>{scheme}", html)
    return _in_styles(html, lambda css: _SCHEME_RULE.sub(rf"\1 {scheme}", css))


def _enlarge(html: str, factor: float) -> str:
    def enlarged(match: re.Match[str]) -> str:
        return _PIXELS.sub(lambda pixels: f"{float(pixels[1]) * factor:g}px", match[0])

    return _in_styles(html, lambda css: _SIZE.sub(enlarged, css))


def _in_styles(html: str, change: Callable[[str], str]) -> str:
    """Change the rules of every style element and style attribute."""

    def changed(match: re.Match[str]) -> str:
        start, css, end = match.groups()[:3] if match[1] else match.groups()[3:]
        return f"{start}{change(css)}{end}"

    return _STYLE.sub(changed, html)


def _without_picture(tag: str, attributes: _Attributes) -> _Attributes:
    return [each for each in attributes if tag != "img" or each[0] not in ("src", "srcset")]


def _without_looks(tag: str, attributes: _Attributes) -> _Attributes:
    # A picture's size is no matter of style, and the preheader stays hidden by nothing, as in such clients.
    return [each for each in attributes if each[0] not in _PRESENTATIONAL or (tag == "img" and each[0] != "style")]


def _rewrite(html: str, keep: Callable[[str, _Attributes], _Attributes]) -> str:
    rewriter = _Rewriter(keep)
    rewriter.feed(html)
    rewriter.close()
    return "".join(rewriter.out)


class _Rewriter(HTMLParser):
    """Copies a document, its start tags with fewer attributes."""

    def __init__(self, keep: Callable[[str, _Attributes], _Attributes]) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self._keep = keep

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        kept = self._keep(tag, attrs)
        if kept == attrs:
            self.out.append(self.get_starttag_text() or "")
            return
        written = "".join(f' {name}="{escape(value)}"' if value is not None else f" {name}" for name, value in kept)
        self.out.append(f"<{tag}{written}>")

    def handle_startendtag(self, tag: str, attrs: _Attributes) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        self.out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.out.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.out.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.out.append(f"<!{decl}>")

    def unknown_decl(self, data: str) -> None:
        self.out.append(f"<![{data}]>")
