r"""LaTeX in titles, abstracts and names made readable: ``Poincar\'e`` → ``Poincaré``, ``H$_2$O`` → ``H₂O``."""

import re
import unicodedata
from functools import cache
from typing import Any

_MAX_CHARS = 20_000
_MAX_DEPTH = 40


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# As pandoc does (https://pandoc.org/MANUAL.html#math), white space just inside and a digit just after a dollar speak
# against mathematics; but arXiv's authors write both, so a macro or a script inside decides for it.
# No pattern can run past the next delimiter: linear time.
_MATH = re.compile(
    r"""(?P<escaped>\\[\\$])
      | \$\$(?P<display>(?:[^$\\]|\\.)++)\$\$
      | \$(?=\S)(?P<inline>(?:[^$\\]|\\.)++)(?<=\S)\$
      | \$(?=[^$]*(?:\\[A-Za-z]|[_^])|\s*+[A-Za-z]\s*+\$)(?P<spaced>(?:[^$\\]|\\.)++)\$(?![\w\\(])
      | \\\((?P<paren>(?:[^\\]|\\[^()])++)\\\)
      | \\\[(?P<bracket>(?:[^\\]|\\[^][])++)\\\]
    """,
    re.VERBOSE | re.DOTALL,
)
_BARE = re.compile(r"(?<!\\)[%&#_^$]")
_BARE_PERCENT = re.compile(r"(?:(?<!\\)|(?<=\\\\))%")
_BARE_TILDE = re.compile(r"(?<![\\\w.,;)}])~|(?<!\\)~(?![\w\\($`])")
_MACRO_WITH_GROUP = re.compile(r"\\([A-Za-z]+)(?=\{[^{}])")
_CHOOSE = re.compile(r"\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}")
_SCRIPT = re.compile(r"([_^])(?:\{([^{}]*)\}|([^\s{}]))")
_GROUP = re.compile(r"(?<![_^])\{([^{}]*)\}")
# Many authors close with a straight quote what they opened with two backticks.
_QUOTED = re.compile(
    r"""``((?:[^`'"]|'(?!'))++)(?:''|")|(?<![\w`\\])`([^`'\\\s](?:[^`'\\]{0,80}[^`'\\\s])?)'(?![\w'])"""
)
# Dashes, but not the options of a program, arrows, tables, and what belongs to an address.
_DASHES = re.compile(
    r"""[a-z]+://\S+
      | (?<![-<|!])---(?![->|])
      | (?<=[\w)\]}%$.,;:'"’”])(?<!xn)--(?=[\w(\[\\$'"‘“`])
      | (?<=\s)--(?=\s)
    """,
    re.VERBOSE,
)
# What a root or a fraction may hold without brackets.
_LETTER = r"[^\W\d_][\u0300-\u036f\u20d7]?"
_UNDER_ROOT = re.compile(rf"\d+|{_LETTER}(?:_(?:\w|\{{\w*\}}))?")
_DENOMINATOR = re.compile(rf"√?(?:\d+|{_LETTER}(?:[_^](?:\w|\{{\w*\}}))*|[^\W\d_]*(?:\([^()]*\))?)")
_NUMERATOR = re.compile(rf"\d*(?:{_DENOMINATOR.pattern})")

_ESCAPES = {"^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "\\": r"\textbackslash{}"}
_SUBSCRIPTS = dict(zip("0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
_SUPERSCRIPTS = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzT⊤∘*′†‡®",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀᵀ°*′†‡®",
        strict=True,
    )
)
_ACCENTS = {
    "tilde": "\u0303", "widetilde": "\u0303", "hat": "\u0302", "widehat": "\u0302", "bar": "\u0304",
    "overline": "\u0304", "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308", "check": "\u030c", "breve": "\u0306",
}  # fmt: skip
# Private marks for what must survive until braces and scripts are settled.
_OPEN, _CLOSE, _LOW, _HIGH, _NAME, _NAMED, _RATIO, _RATIOED = "\x01\x02\x03\x04\x05\x06\x07\x08"
_UNMARK = str.maketrans({_OPEN: "{", _CLOSE: "}", _LOW: "_", _HIGH: "^"})
# A name such as log stands apart from the word before it and, past its scripts, from the word after it.
_BEFORE_NAME = re.compile(rf"(?<=[\w)]){_NAME}")
_AFTER_NAME = re.compile(
    rf"{_NAMED}([{''.join((*_SUBSCRIPTS.values(), *_SUPERSCRIPTS.values())).replace('-', '')}]*+"
    rf"(?:[{_LOW}{_HIGH}]\([^()]*\))?)(?=[\w√{_NAME}{_RATIO}])"
)
_RATIO_BEFORE_WORD = re.compile(rf"{_RATIO}([^{_RATIO}{_RATIOED}]*){_RATIOED}(?=[\w√∑∏∫])")
# A macro eats the blank after it: "x \\leq y" would become "x ≤y", and "\\alpha = 1" "α= 1".
_RELATION = "[-+=<>±×·∘∧∨∩∪⊕⊗∼≃≈≡≠≤≥≪≫≲≳∈∉⊂⊆⊃⊇→←↦⇒]"
_LOPSIDED = re.compile(rf"(?<=[\w)\]}}])(?: ({_RELATION})(?=[\w({{√])|({_RELATION}) (?=[\w({{√]))")
_SPENT = re.compile(f"[{_NAME}{_NAMED}{_RATIO}{_RATIOED}]")
_PLAIN = _words(
    """
    text textrm textnormal mbox mathrm mathbf mathit mathsf mathtt mathfrak mathscr boldsymbol bm pmb
    operatorname underline ul textbf textit texttt textsc emph
    """
)
_OPERATORS = _words(
    """
    log ln lg exp sin cos tan tanh sinh cosh max min sup inf arg det dim lim gcd ker Pr argmax argmin
    polylog poly
    """
)
_SYMBOLS = {
    "land": "∧", "lor": "∨", "implies": "⟹", "iff": "⟺", "circledR": "®", "deg": "°", "prime": "′", "|": "‖",
    "textasciicircum": "^", "textasciitilde": "~",
}  # fmt: skip
# Everybody defines these, and none eats the blank after it.
_SHORTHANDS = {"eg": "e.g.", "ie": "i.e.", "etal": "et al.", "etc": "etc."}
_FRACTIONS = _words("frac tfrac dfrac cfrac nicefrac sfrac")
_BINOMIALS = _words("binom tbinom dbinom")
_RAISED = {"textsuperscript": _SUPERSCRIPTS, "textsubscript": _SUBSCRIPTS}
_REFERENCES = _words(
    """
    cite citet citep citealp citeauthor ref cref Cref autoref eqref label
    """
)
_SILENT = _words(
    """
    it bf em tt sc sf rm cal sl left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr limits
    nolimits displaystyle textstyle small large color centering noindent xspace protect leavevmode
    makeatletter
    """
)


def latex_to_text(text: str) -> str:
    r"""Replace LaTeX by Unicode and keep what is not LaTeX.

    Accents, symbols, sub- and superscripts and formatting are resolved, an unknown macro keeps its name or its
    argument, references vanish. A bare ``%``, ``&``, ``#``, ``_`` and amounts such as ``$5 and $10`` stay as they are,
    which plain LaTeX would eat. Whatever cannot be read comes back unchanged; nothing is raised.
    """
    if len(text) > _MAX_CHARS or not any(mark in text for mark in ("\\", "$", "~", "`", "--")):
        return text
    if _depth(text) > _MAX_DEPTH:
        return text
    try:
        return _convert(text)
    except Exception:  # noqa: BLE001  pylatexenc raises IndexError, AttributeError, RecursionError… on broken input
        return text


def _convert(text: str) -> str:
    text = _QUOTED.sub(lambda quoted: f"“{quoted[1]}”" if quoted[1] else f"‘{quoted[2]}’", text)
    text = _DASHES.sub(lambda dash: {"---": "—", "--": "–"}.get(dash[0], dash[0]), text)
    text = _MATH.sub(_math, text)
    text = _BARE_TILDE.sub(lambda _: _ESCAPES["~"], text)
    if "\\" not in text:
        return text.replace("~", " ")
    text = _BARE.sub(lambda bare: _ESCAPES.get(bare[0], "\\" + bare[0]), text)
    return unicodedata.normalize("NFC", _spaced(_read(0, text)))


def _math(match: re.Match[str]) -> str:
    if match["escaped"]:
        return match["escaped"]
    if match["inline"] and not _is_mathematics(match):
        return match[0]
    source = next(part for part in match.group("display", "inline", "spaced", "paren", "bracket") if part is not None)
    text = _read(1, _CHOOSE.sub(r"\\binom{\1}{\2}", _BARE_PERCENT.sub(r"\\%", source)))
    while (settled := _GROUP.sub(r"\1", _SCRIPT.sub(_script, text))) != text:
        text = settled
    text = _spaced(text.replace("{", "").replace("}", "")).translate(_UNMARK)
    text = _LOPSIDED.sub(lambda sign: f" {sign[1] or sign[2]} ", text)
    return re.sub(r"[\\{}%&#_^$~]", lambda special: _ESCAPES.get(special[0], "\\" + special[0]), text.strip())


def _is_mathematics(match: re.Match[str]) -> bool:
    """Tell ``$<$0.7`` from two amounts of money: ``$5-$10``."""
    inner, after = match["inline"], match.string[match.end() : match.end() + 1]
    return not after.isdigit() or re.search(r"[\\^_]", inner) is not None or re.search(r"\d", inner) is None


def _script(match: re.Match[str]) -> str:
    """Raise or lower one script; signs that Unicode cannot raise keep their mark, which must not be read again."""
    mark, inner = match[1], match[2] if match[2] is not None else match[3]
    inner = _spaced(inner.strip())
    table = _SUBSCRIPTS if mark == "_" else _SUPERSCRIPTS
    if all(sign in table for sign in inner) and (len(inner) <= 3 or not any(sign.isalpha() for sign in inner)):
        return "".join(table[sign] for sign in inner)
    mark = _LOW if mark == "_" else _HIGH
    return f"{mark}{inner}" if len(inner) < 2 or inner.isalnum() else f"{mark}({inner})"


def _spaced(text: str) -> str:
    """Use up the marks of names and fractions: ``n log n``, ``(1/2)x``."""
    text = _BEFORE_NAME.sub(" ", _AFTER_NAME.sub(r"\1 ", text))
    return _SPENT.sub("", _RATIO_BEFORE_WORD.sub(r"(\1)", text))


def _read(reader: int, source: str) -> str:
    from pylatexenc.latexwalker import LatexWalker

    source = _MACRO_WITH_GROUP.sub(_only_known, source.replace(r"\operatorname*", r"\operatorname"))
    walker = LatexWalker(source, latex_context=_walker_db())
    return str(_readers()[reader].nodelist_to_text(walker.get_latex_nodes()[0]))


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        if sign == "{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign == "}":
            depth = max(0, depth - 1)
    return deepest


def _only_known(match: re.Match[str]) -> str:
    r"""Let go of the name of an unknown macro that has an argument: ``\hl{word}`` → ``{word}``."""
    return match[0] if match[1] in _known_macros() else ""


@cache
def _known_macros() -> frozenset[str]:
    contexts = (_walker_db(), _readers()[0].latex_context)
    own = ("begin", "end", "item")
    return frozenset(own).union(spec.macroname for context in contexts for spec in context.iter_macro_specs())


@cache
def _walker_db() -> Any:
    from pylatexenc.latexwalker import get_default_latex_context_db
    from pylatexenc.macrospec import std_macro

    one = (*_ACCENTS, *_PLAIN, *_RAISED, "mathcal", "mathbb", "mathds", "url", "unicode", "pmod")
    own = [std_macro(name, False, 1) for name in one]
    own += [std_macro(name, False, 2) for name in (*_FRACTIONS, *_BINOMIALS, "href", "textcolor", "hyperlink")]
    own += [std_macro(name, True, 1) for name in (*_REFERENCES, "sqrt")]
    db = get_default_latex_context_db()
    db.add_context_category("digest", macros=own, prepend=True)
    return db


@cache
def _readers() -> tuple[Any, Any]:
    """What reads text and what reads mathematics; built once."""
    from pylatexenc.latex2text import (
        LatexNodes2Text,
        MacroTextSpec,
        SpecialsTextSpec,
        get_default_latex_context_db,
    )

    common = {
        **dict.fromkeys((*_PLAIN, "url", "footnote"), _inner),
        **dict.fromkeys(("textcolor", "hyperlink"), _last),
        **dict.fromkeys((*_REFERENCES, *_SILENT), ""),
        **dict.fromkeys(_FRACTIONS, _fraction),
        **dict.fromkeys(_BINOMIALS, lambda node, l2tobj: f"({' choose '.join(map(str.strip, _args(node, l2tobj)))})"),
        **dict.fromkeys(_RAISED, _raised),
        **{name: f"{_NAME}{name}{_NAMED}" for name in _OPERATORS},
        **_SYMBOLS,
        **dict.fromkeys(_SHORTHANDS, lambda node: _SHORTHANDS[node.macroname] + node.macro_post_space),
        "bmod": f"{_NAME}mod{_NAMED}",
        "pmod": lambda node, l2tobj: f" (mod {_inner(node, l2tobj)})",
        **dict.fromkeys(("mathcal", "mathbb", "mathds"), _letter),
        "footnote": lambda node, l2tobj: f" ({_inner(node, l2tobj)})",
        "href": _href,
        "unicode": _unicode,
        "sqrt": _root,
    }
    math = {
        **common,
        # Their braces hold the argument together until scripts are settled: x_\text{in} → xᵢₙ
        **dict.fromkeys(_PLAIN, lambda node, l2tobj: f"{{{_inner(node, l2tobj)}}}"),
        **dict.fromkeys(_ACCENTS, _accent),
        **dict.fromkeys(_FRACTIONS, lambda node, l2tobj: f"{{{_RATIO}{_fraction(node, l2tobj)}{_RATIOED}}}"),
        "deg": f"{_NAME}deg{_NAMED}",
        "operatorname": lambda node, l2tobj: f"{{{_NAME}{_inner(node, l2tobj)}{_NAMED}}}",
        "{": _OPEN,
        "}": _CLOSE,
        "_": _LOW,
    }

    def reader(macros: dict[str, Any], *, braces: bool) -> Any:
        context = get_default_latex_context_db()
        specs = [MacroTextSpec(name, replacement) for name, replacement in macros.items()]
        # Dashes are settled before, and what is left of them stays.
        dashes = [SpecialsTextSpec(dash, dash) for dash in ("--", "---")]
        context.add_context_category("digest", macros=specs, specials=dashes, prepend=True)
        context.set_unknown_macro_spec(MacroTextSpec("", _unknown))
        return LatexNodes2Text(latex_context=context, math_mode="text", keep_braced_groups=braces)

    return reader(common, braces=False), reader(math, braces=True)


def _args(node: Any, l2tobj: Any) -> list[str]:
    """The arguments as text, left-out ones not counted."""
    nodes = node.nodeargd.argnlist if node.nodeargd else ()
    # pylatexenc offers no public way to write a group without its braces.
    return [l2tobj.nodelist_to_text(arg.nodelist if hasattr(arg, "nodelist") else [arg]) for arg in nodes if arg]


def _unknown(node: Any, l2tobj: Any) -> str:
    return _inner(node, l2tobj) or node.macroname + node.macro_post_space


def _inner(node: Any, l2tobj: Any) -> str:
    return "".join(_args(node, l2tobj))


def _last(node: Any, l2tobj: Any) -> str:
    return "".join(_args(node, l2tobj)[-1:])


def _href(node: Any, l2tobj: Any) -> str:
    url, label = [*_args(node, l2tobj), "", ""][:2]
    return label if re.search(r"\w", label) else url


def _unicode(node: Any, l2tobj: Any) -> str:
    """MathJax's way to name a sign: ``x2014`` or ``8212``."""
    name = _inner(node, l2tobj).strip()
    return chr(int(name[1:], 16) if name[:1] in "xX" else int(name))


def _raised(node: Any, l2tobj: Any) -> str:
    inner, table = _inner(node, l2tobj), _RAISED[node.macroname]
    return "".join(table[sign] for sign in inner) if all(sign in table for sign in inner) else inner


def _accent(node: Any, l2tobj: Any) -> str:
    base = _inner(node, l2tobj)
    # Fonts have Õ, but hardly any puts a tilde on 𝒪.
    plain = unicodedata.normalize("NFKC", base)
    letter = plain if plain.isascii() else base
    return unicodedata.normalize("NFC", letter + _ACCENTS[node.macroname]) if len(letter) == 1 else base


def _fraction(node: Any, l2tobj: Any) -> str:
    above, below = (_SPENT.sub("", part) if _RATIO in part else part for part in [*_args(node, l2tobj), "", ""][:2])
    return f"{_bracketed(above, _NUMERATOR)}/{_bracketed(below, _DENOMINATOR)}"


def _root(node: Any, l2tobj: Any) -> str:
    *index, inner = _args(node, l2tobj) or [""]
    degree = "".join(_SUPERSCRIPTS.get(sign, sign) for sign in "".join(index))
    return f"{degree}√{_bracketed(inner, _UNDER_ROOT)}"


def _bracketed(part: str, simple: re.Pattern[str]) -> str:
    return part if simple.fullmatch(part) else f"({part})"


def _letter(node: Any, l2tobj: Any) -> str:
    """A single capital gets its mathematical form (ℝ, 𝒪), a word stays a word that can be found."""
    inner = _inner(node, l2tobj)
    if len(inner) != 1 or not ("A" <= inner <= "Z"):
        return inner
    style = "SCRIPT" if node.macroname == "mathcal" else "DOUBLE-STRUCK"
    for name in (f"{style} CAPITAL {inner}", f"MATHEMATICAL {style} CAPITAL {inner}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return inner
