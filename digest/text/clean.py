"""Untrusted text made fit for one line of a mail, a log or a database."""

import html
import re
import unicodedata

import nh3

from digest.text.latex import latex_to_text, subscript, superscript

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
    r"(?=</?(?:address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|h[1-6]|header|hr|li|list-item|main"
    r"|nav|ol|p|pre|sec|section|table|td|th|tr|ul)\b)",
    re.IGNORECASE,
)


_SHIFTED = re.compile(r"\n?<(sub|sup)(?:\s[^<>]{0,200})?>([^<>]{1,20})</\1>", re.IGNORECASE)
_PREFIX = re.compile(r"<(/?)(?:jats|mml|m|ns\d):(?=[a-z])", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
# None of these runs past the next opening of its kind: linear time.
_FORMULA = re.compile(r"<(inline-formula|disp-formula|alternatives)\b[^<>]*>(?:(?!<\1\b).)*?</\1>", re.DOTALL)
_TEX = re.compile(r"<tex-math\b[^<>]*>((?:(?!<tex-math\b).)*?)</tex-math>", re.DOTALL)
_TEX_DOCUMENT = re.compile(r"\A.*\\begin\{document\}|\\end\{document\}.*\Z", re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[((?:(?!<!\[CDATA\[).)*?)\]\]>|<\?CDATA((?:(?!<\?CDATA).)*?)\?>", re.DOTALL)
_MATHML = re.compile(r"<(?:mml:)?math\b[^<>]*>(?:(?!<(?:mml:)?math\b).)*?</(?:mml:)?math>", re.DOTALL)
_TAKEN_AWAY = re.compile(
    r"</?(?:mml:)?(?:sec|math|m(?:i|n|o|text|row|sub|sup|subsup|frac|sqrt|over|under))\b[^<>]*>", re.IGNORECASE
)
_HEADING = re.compile(
    r"<title\b[^<>]*>((?:(?!<title\b).){0,300}?)</title>|<AbstractText\b[^<>]*?\bLabel=\"([^\"<>]*)\"[^<>]*>", re.DOTALL
)
_LABEL = re.compile(r"\A\s*(?:Abstract|ABSTRACT)[^\S\n]*(?::|\n)")
_ESCAPED_TWICE = re.compile(r"&(?:amp|lt|gt|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_LOOSE_STOP = re.compile(r" ([,;.](?= |$))")
_MATH_TOKEN = re.compile(
    r"<(?P<closing>/?)(?:mml:)?(?P<name>[a-zA-Z][\w-]{0,30})[^<>]*?(?P<empty>/?)>|<[^<>]*>|(?P<text>[^<]+|<)"
)
_PRESCRIPTS = "\x02"
_EMPTY = {"mprescripts": _PRESCRIPTS, "mspace": " "}
_OVER = {
    "¯": "\u0304",
    "‾": "\u0304",
    "~": "\u0303",
    "˜": "\u0303",
    "^": "\u0302",
    "ˆ": "\u0302",
    "→": "\u20d7",
    "˙": "\u0307",
}
_RELATIONS = frozenset("=<>≤≥≪≫≈≃≅∼≡≠∝∈∉⊂⊆→←↔⇒±×")


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
    text = markup[:_MAX_HTML_CHARS]
    if "math" in text:
        text = _MATHML.sub(lambda math: html.escape(mathml_to_text(math[0]), quote=False), text)
    # nh3 takes sections and MathML away with their text.
    spaced = _BLOCK.sub("\n", _TAKEN_AWAY.sub("\n", _SHIFTED.sub(_shift, text)))
    return html.unescape(nh3.clean(spaced, tags=set()))


def _shift(tag: re.Match[str]) -> str:
    """Lower or raise ``H<sub>2</sub>O``; ``4<sup>th</sup>`` and what Unicode cannot shift stay on the line."""
    kind, inner, before = tag[1].lower(), html.unescape(tag[2]).strip(), tag.string[tag.start() - 1 : tag.start()]
    moved = (subscript if kind == "sub" else superscript)(inner)
    if moved is not None and inner not in ("st", "nd", "rd", "th"):
        return moved
    # Not 10 5.5 nor 105.5.
    return ("^" if kind == "sup" and before.isdigit() and inner[:1].isdigit() else "") + tag[2].strip()


def clean_jats(markup: str) -> str:
    """Reduce an abstract in JATS (Crossref, bioRxiv) or PubMed's XML to its plain text.

    Sections keep their headings (``Methods: …``), the heading "Abstract" goes, formulas in TeX or MathML become
    readable, what stands twice is read once. Broken markup is read as far as it goes.

    Only the first 100,000 characters are read.
    """
    text = _SPACE.sub(lambda space: "\n" if "\n" in space[0] else " ", markup[:_MAX_HTML_CHARS])
    text = _PREFIX.sub(r"<\1", text)
    text = _TEX.sub(_formula, _FORMULA.sub(_formula, text))
    text = _HEADING.sub(lambda heading: _headed(heading[1] or heading[2] or ""), text)
    text = _LABEL.sub("", html_lines(text))
    if _ESCAPED_TWICE.search(text):
        text = html.unescape(text)
    return _LOOSE_STOP.sub(r"\1", clean_text(text))


def _formula(match: re.Match[str]) -> str:
    """The formula's TeX, if it has any besides its MathML."""
    tex = _TEX.search(match[0])
    if tex is None:
        return match[0]
    source = _TEX_DOCUMENT.sub("", html.unescape(_CDATA.sub(r"\1\2", tex[1]))).strip("$ \n")
    return html.escape(latex_to_text(f"${source}$"), quote=False)


def _headed(heading: str) -> str:
    heading = _TAG.sub("", heading).strip()
    if heading.lower() in ("abstract", "unlabelled", ""):
        return "\n"
    return f"\n{heading} " if heading.endswith((":", ".", "?", "!")) else f"\n{heading}: "


def mathml_to_text(markup: str) -> str:
    """A formula in MathML as one line: ``x²``, ``(a+b)/2``; what is unknown or broken keeps its text."""
    stack: list[tuple[str, list[str]]] = [("", [])]
    for token in _MATH_TOKEN.finditer(markup):
        closing, name, empty, text = token["closing"], token["name"], token["empty"], token["text"]
        if text is not None:
            if text := clean_text(html.unescape(text)):
                stack[-1][1].append(text)
        elif empty:
            stack[-1][1].append(_EMPTY.get(name, ""))
        elif not closing:
            stack.append((name, []))
        elif len(stack) > 1 and stack[-1][0] == name:
            stack[-2][1].append(_joined(*stack.pop()))
    return " ".join("".join(part for _, parts in stack for part in parts).split())


def _joined(name: str, parts: list[str]) -> str:
    """One element of MathML from the text of its children."""
    inner = "".join(parts)
    match name, parts:
        case (("msub" | "munder" | "msup" | "msubsup" | "munderover"), [base, *scripts]):
            return base + _scripts(["", *scripts] if name == "msup" else scripts)
        case "mover", [base, over]:
            return base + _OVER.get(over, _moved(over, "^"))
        case "mfrac", [above, below]:
            return "/".join(part if len(part) < 2 or part.isalnum() else f"({part})" for part in (above, below))
        case "msqrt", _:
            return f"√{inner}" if len(inner) == 1 or inner.isdigit() else f"√({inner})"
        case "mmultiscripts", [base, *scripts]:
            at = scripts.index(_PRESCRIPTS) if _PRESCRIPTS in scripts else len(scripts)
            return f"{_scripts(scripts[at + 1 :])}{base}{_scripts(scripts[:at])}"
    if name == "mo" and inner in _RELATIONS:
        return f" {inner} "
    return "" if name.startswith("annotation") else inner


def _scripts(pairs: list[str]) -> str:
    """Lower and upper scripts in turn."""
    return "".join(_moved(script, "_^"[number % 2]) for number, script in enumerate(pairs) if script)


def _moved(script: str, mark: str) -> str:
    script = script.strip()
    moved = (subscript if mark == "_" else superscript)(script)
    if moved is not None and (len(script) <= 3 or not any(sign.isalpha() for sign in script)):
        return moved
    return mark + (script if script.isalnum() else f"({script})")


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
