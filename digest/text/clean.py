"""Untrusted text made fit for one line of a mail, a log or a database."""

import html
import re
import unicodedata

import nh3

_MAX_HTML_CHARS = 100_000

# C0 and C1 controls, soft hyphen, zero-width and bidi controls, byte order mark, interlinear and tag characters,
# surrogates, non-characters. ZWNJ and ZWJ stay: Persian and emoji need them.
_UNWANTED = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\U000e0000-\U000e007f"
    + "".join(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
_SPACE = re.compile(r"\s+")
_BLOCK = re.compile(
    r"(?=</?(?:address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|h[1-6]|header|hr|li|main|nav"
    r"|ol|p|pre|section|table|td|th|tr|ul)\b)",
    re.IGNORECASE,
)


def clean_text(text: str) -> str:
    """Make untrusted text plain: NFC, one line, single blanks, nothing invisible that reorders or breaks.

    Turns any white space (line breaks, tabs, ``U+2028``) into single blanks and drops control, bidi and zero-width
    characters, soft hyphens, surrogates and non-characters. Doing it twice changes nothing.
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    blanks = _SPACE.sub(" ", text)
    return _SPACE.sub(" ", unicodedata.normalize("NFC", _UNWANTED.sub("", blanks))).strip()


def clean_html(markup: str) -> str:
    """Reduce HTML to its plain text; scripts, styles and comments leave nothing, blocks leave a blank.

    Only the first 100,000 characters are read.
    """
    return clean_text(html_lines(markup))


def html_lines(markup: str) -> str:
    """The text of HTML, not cleaned yet, with a line break wherever a block begins or ends; see `clean_html`."""
    spaced = _BLOCK.sub("\n", markup[:_MAX_HTML_CHARS])
    return html.unescape(nh3.clean(spaced, tags=set()))


def fit(text: str, width: int) -> str:
    """Cut to at most ``width`` characters, between words if there are any, and mark the cut with an ellipsis."""
    if len(text) <= width:
        return text
    cut = width - 1
    space = text.rfind(" ", width // 2, cut + 1)
    if space > 0:
        cut = space
    while cut > 1 and joins(text[cut]):
        cut -= 1
    return text[:cut].rstrip(" ,;:–—-") + "…"


def joins(char: str) -> bool:
    """Whether the character belongs to the one before it: accents, variation selectors, joiners."""
    return unicodedata.category(char) in ("Mn", "Mc", "Me") or char in "\u200d\ufe0e\ufe0f"
