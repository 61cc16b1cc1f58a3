r"""LaTeX in titles, abstracts and names made readable: ``Poincar\'e`` → ``Poincaré``, ``H$_2$O`` → ``H₂O``."""

import re
import unicodedata
from collections.abc import Iterator
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
      | \$(?=[^$]*(?:\\[A-Za-z]|[_^])|\s*+[A-Za-z]\s*+\$|\s*+[A-Za-z]?\((?![^$]*[A-Za-z]{2}))
        (?P<spaced>(?:[^$\\]|\\.)++)\$(?![\w\\(])
      | \\\((?P<paren>(?:[^\\]|\\[^()])++)\\\)
      | \\\[(?P<bracket>(?:[^\\]|\\[^][])++)\\\]
      | \\begin\{(?P<name>(?:equation|align|gather|multline|eqnarray)\*?)\}
        (?P<environment>(?:[^\\]|\\(?!(?:begin|end)\{).)++)\\end\{(?P=name)\}
    """,
    re.VERBOSE | re.DOTALL,
)
_BARE = re.compile(r"(?<!\\)[%&#_^$]")
_BARE_PERCENT = re.compile(r"(?:(?<!\\)|(?<=\\\\))%")
_BARE_TILDE = re.compile(r"(?<![\\\w.,;)}])~|(?<!\\)~(?![\w\\($`])")
_MACRO_WITH_GROUP = re.compile(r"\\([A-Za-z]+)(?=\{[^{}])")
_CHOOSE = re.compile(r"\{([^{}]*)\\(choose|over)(?![A-Za-z])([^{}]*)\}")
_CALLIGRAPHIC = re.compile(r"\{\\cal\s+([A-Z])\}")
_PRIMES = re.compile(r"(?<=[\w)}\]])'+(?![A-Za-z])")
_NO_DELIMITER = re.compile(r"\\(left|right)\s*\.")
# The sign after a name such as \leq or \alpha, outside of mathematics: authors who forgot the dollars mean the blank.
_BLANK_AFTER_MACRO = re.compile(r"\\([A-Za-z]{2,})(?=\s)")
# What remains of LaTeX where somebody took the dollars and backslashes away, as Hugging Face does: x^{2}, mathcal{O},
# {times}, https://…{label}.
_BARE_SCRIPT = re.compile(r"(?<![\\{])[_^]\{([^{}$]{1,80})\}")
_LOST_BACKSLASH = re.compile(
    r"(?<![\\A-Za-z])(?:(?=(?:math(?:cal|bb|rm|bf|it|sf|tt|scr|frak)|text(?:bf|it|tt|sc|rm|sf)|emph|operatorname)\{)"
    r"|\{(?=(?:sim|times|circ|pm|approx|leq|geq|cdot)\}))"
)
_LOST_HREF = re.compile(r"(https?://[^\s{}\\$]+)\{([^{}\\$]*)\}")
_SPELLED = re.compile(r"(?<=[A-Za-z])\{([A-Za-z]{1,3})\}|\{([A-Za-z]{1,3})\}(?=[A-Za-z])")
_THOUSANDS = re.compile(r"(?<=\d)\{,\}(?=\d)")
_SET = re.compile(r"(?<=[\s(=∈-])\{([^{},\\]*,[^{}\\]*)\}")
_TRACE = re.compile(r"[\\$~`]|--|''|[_^]\{|[\w/]\{|\{[A-Za-z]{1,6}\}|\w\}|\d\{,\}\d")
_SCRIPT = re.compile(r"([_^])(?:\{([^{}]*)\}|([^\s{}]))")
_GROUP = re.compile(r"(?<![_^])\{([^{}]*)\}")
# Authors mix ``TeX'', "straight" and ''doubled single'' quotes, even within one pair.
_QUOTED = re.compile(
    r"""``((?:[^`'"]|'(?!'))++)(?:''|"|``)
      | (?<![\w'`\\])''(?=[^\s'"])((?:[^`'"]|'(?!'))++)(?:''|")(?!\w)
      | (?<![\w'`\\])"(?=[^\s'"])((?:[^`'"]|'(?!'))++)''(?!\w)
      | (?<![\w`\\])`([^`'\\\s](?:[^`'\\]{0,80}[^`'\\\s])?)'(?![\w'])
    """,
    re.VERBOSE,
)
# Dashes, but not the options of a program, arrows, tables, and what belongs to an address.
_DASHES = re.compile(
    r"""(?<![a-z])[a-z]{1,10}://\S+
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

_WORD = re.compile(r"\s*\S+|\s+")
_TRIVIAL = re.compile(r"\\([%&#_$])")
_SPECIAL = re.compile(r"\\(?![%&#_$])|[{}~]|``|''|[!?]`")
_NESTING = re.compile(r"\\(?:begin|end)\{|(?<!\\)[{}]")
# An environment is a nesting of its own, besides the braces round its name.
_NESTED = {"{": 1, "}": -1, "\\begin{": 2, "\\end{": 0}
_MOST_ARGUMENTS = 3

_ESCAPES = {"^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "\\": r"\textbackslash{}"}
_SUBSCRIPTS = dict(zip("0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
_SUPERSCRIPTS = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW⊤βγδθφχ∘*′†‡®",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵀᵝᵞᵟᶿᵠᵡ°*′†‡®",
        strict=True,
    )
)
_ACCENTS = {
    "tilde": "\u0303", "widetilde": "\u0303", "hat": "\u0302", "widehat": "\u0302", "bar": "\u0304",
    "overline": "\u0304", "mathring": "\u030a", "acute": "\u0301", "grave": "\u0300", "dddot": "\u20db",
    "widecheck": "\u030c", "overrightarrow": "\u20d7", "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308",
    "check": "\u030c", "breve": "\u0306",
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
_NEXT = f"(?![{''.join((*_SUBSCRIPTS.values(), *_SUPERSCRIPTS.values())).replace('-', '')}])[\\w({{√]"
_LOPSIDED = re.compile(rf"(?<=[\w)\]}}])(?: ({_RELATION})(?={_NEXT})|({_RELATION}) (?={_NEXT}))")
_SPENT = re.compile(f"[{_NAME}{_NAMED}{_RATIO}{_RATIOED}]")
_PLAIN = _words(
    """
    text textrm textnormal mbox mathrm mathbf mathit mathsf mathtt mathfrak boldsymbol bm pmb
    operatorname underline ul textbf textit texttt textsc emph
    """
)
_OPERATORS = _words(
    """
    log ln lg exp sin cos tan tanh sinh cosh arcsin arccos arctan sec csc cot coth max min sup inf arg det dim lim
    limsup liminf gcd ker hom Pr argmax argmin polylog poly
    """
)
# Standard names that pylatexenc leaves out or reads otherwise, and what conference styles add.
_SYMBOLS = dict(
    pair.split("=", 1)
    for pair in _words(
        """
        varGamma=Γ varDelta=Δ varTheta=Θ varLambda=Λ varXi=Ξ varPi=Π varSigma=Σ varUpsilon=Υ varPhi=Φ varPsi=Ψ
        varOmega=Ω eps=ε imath=ı jmath=ȷ Re=ℜ Im=ℑ Bbbk=𝕜 prime=′ |=‖ ne=≠ neg=¬ land=∧ lor=∨ bot=⊥ models=⊨ vDash=⊨
        implies=⟹ impliedby=⟸ iff=⟺ gets=← leadsto=⇝ dashrightarrow=⇢ dashleftarrow=⇠ coloneqq=≔ eqqcolon=≕
        colonequals=≔ coloncolon=∷ vcentcolon=: colon=: lll=⋘ ggg=⋙ nsim=≁ ncong=≇ thickapprox=≈ thicksim=∼ varpropto=∝
        lhd=⊲ rhd=⊳ unlhd=⊴ unrhd=⊵ Join=⨝ doublebarwedge=⩞ bigsqcup=⨆ bigodot=⨀ biguplus=⨄ iiiint=⨌ oiint=∯ hdots=…
        idotsint=∫…∫ triangle=△ Box=□ Diamond=◇ blacksquare=■ bigstar=★ clubsuit=♣ diamondsuit=♢ heartsuit=♡
        spadesuit=♠ checkmark=✓ cmark=✓ xmark=✗ maltese=✠ ddag=‡ ddagger=‡ S=§ P=¶ copyright=© pounds=£ yen=¥ euro=€
        circledR=® deg=° degree=° degreeCelsius=°C celsius=°C micro=µ ohm=Ω angstrom=Å qed=∎ qedhere=∎
        llbracket=⟦ rrbracket=⟧ lbrack=[ rbrack=] slash=/ lt=< gt=> textless=< textgreater=> textbar=|
        textquotedbl=" textunderscore=_ textminus=− textbraceleft={ textbraceright=}
        guillemetleft=« guillemetright=» glqq=„ grqq=“ textperiodcentered=· textasciicircum=^ textasciitilde=~
        """
    )
)
# Conference styles define these, and none eats the blank after it.
_SHORTHANDS = {
    "eg": "e.g.", "ie": "i.e.", "etal": "et al.", "etc": "etc.", "vs": "vs.", "cf": "cf.", "wrt": "w.r.t.",
    "iid": "i.i.d.",
}  # fmt: skip
_SHORTHAND = re.compile(rf"\\({'|'.join(_SHORTHANDS)})(?![A-Za-z])(?:\{{\}})?\.?")
_PAIRS = {"choose": "binom", "over": "frac"}
_FRACTIONS = _words("frac tfrac dfrac cfrac nicefrac sfrac")
_BINOMIALS = _words("binom tbinom dbinom")
_BLANKS = _words(
    "space enspace thinspace nobreakspace newline linebreak pagebreak par smallskip medskip bigskip hfill vfill"
)
_STACKS = _words("stackrel overset")
_BOXES = _words("textcolor hyperlink raisebox scalebox colorbox")
_PHANTOMS = _words("phantom vphantom hphantom")
_QUANTITIES = _words("SI qty")
_LETTERS = {
    "mathcal": "SCRIPT", "mathscr": "SCRIPT", "mathbb": "DOUBLE-STRUCK", "mathds": "DOUBLE-STRUCK",
    "mathbbm": "DOUBLE-STRUCK", "Bbb": "DOUBLE-STRUCK",
}  # fmt: skip
_CUSTOM_LETTER = re.compile(r"[RNZQC]|(bb|mb|c|b)([A-Z])")
_RAISED = _words("textsuperscript textsubscript")
_REFERENCES = _words(
    """
    cite citet citep citealp citeauthor ref cref Cref autoref eqref label
    """
)
_SILENT = _words(
    """
    it bf em tt sc sf rm cal sl up bfseries mdseries itshape scshape upshape slshape ttfamily sffamily rmfamily
    normalfont selectfont boldmath unboldmath mathstrut strut relax left right middle
    big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr limits
    nolimits displaystyle textstyle scriptstyle scriptscriptstyle tiny scriptsize footnotesize small normalsize large
    Large LARGE huge Huge color centering noindent xspace protect leavevmode makeatletter allowbreak nonumber notag
    negthinspace hline includegraphics fontsize
    """
)


def latex_to_text(text: str) -> str:
    r"""Replace LaTeX by Unicode and keep what is not LaTeX.

    Accents, symbols, sub- and superscripts and formatting are resolved, an unknown macro keeps its name or its
    argument, references vanish. A bare ``%``, ``&``, ``#``, ``_`` and amounts such as ``$5 and $10`` stay as they are,
    which plain LaTeX would eat. Whatever cannot be read comes back unchanged; nothing is raised.
    """
    if len(text) > _MAX_CHARS or not _TRACE.search(text):
        return text
    if _depth(text) > _MAX_DEPTH:
        return text
    try:
        return _convert(text)
    except Exception:  # noqa: BLE001  pylatexenc raises IndexError, AttributeError, RecursionError… on broken input
        return text


def _convert(text: str) -> str:
    text = _QUOTED.sub(lambda found: f"‘{found[4]}’" if found[4] else f"“{found[found.lastindex or 1]}”", text)
    text = _DASHES.sub(lambda dash: {"---": "—", "--": "–"}.get(dash[0], dash[0]), text)
    text = _THOUSANDS.sub(",", text)
    text = _SHORTHAND.sub(lambda name: _SHORTHANDS[name[1]], text)
    text = _LOST_HREF.sub(lambda link: _label(link[1], link[2]), text)
    text = _LOST_BACKSLASH.sub(lambda brace: "{\\" if brace[0] else "\\", text)
    text = _MATH.sub(_math, _matched_braces(text))
    text = _BARE_TILDE.sub(lambda _: _ESCAPES["~"], text)
    text = _BARE_SCRIPT.sub(lambda script: _escaped(_mathematics(script[0]), script), text)
    if "\\" not in text:
        return _SPELLED.sub(r"\1\2", text.replace("~", " "))
    text = _BARE.sub(lambda bare: _ESCAPES.get(bare[0], "\\" + bare[0]), _SET.sub(r"\\{\1\\}", text))
    text = _BLANK_AFTER_MACRO.sub(lambda name: name[0] + "{}" if name[1] in _signs() else name[0], text)
    return unicodedata.normalize("NFC", _spaced("".join(_passages(text))))


def _passages(text: str) -> Iterator[str]:
    """Read the passages that hold LaTeX: the words between them, most of an abstract, are as they are.

    A passage goes on for as many words as a macro may take as its arguments, and until its braces are closed.
    """
    passage: list[str] = []
    depth = left = 0
    for word in _WORD.findall(text):
        if _SPECIAL.search(word):
            left = _MOST_ARGUMENTS
            depth = max(0, depth + sum(map(_NESTED.__getitem__, _NESTING.findall(word))))
        elif left or depth:
            left = max(0, left - 1)
        else:
            if passage:
                yield _read(0, "".join(passage))
                passage.clear()
            yield _TRIVIAL.sub(r"\1", word)
            continue
        passage.append(word)
    if passage:
        yield _read(0, "".join(passage))


def _matched_braces(text: str) -> str:
    """Drop braces of a word that have no partner: ``SALAD}(a method)``."""
    if text.count("{") == text.count("}"):
        return text
    opened: list[int] = []
    lone: list[int] = []
    for brace in re.finditer(r"\\.|[{}]", text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}":
            if opened:
                opened.pop()
            else:
                lone.append(brace.start())
    pieces = list(text)
    for at in opened + lone:
        if re.search(r"\w", text[max(0, at - 1) : at + 2]):
            pieces[at] = ""
    return "".join(pieces)


def _math(match: re.Match[str]) -> str:
    if match["escaped"]:
        return match["escaped"]
    if match["inline"] and not _is_mathematics(match):
        return match[0]
    names = ("display", "inline", "spaced", "paren", "bracket", "environment")
    return _escaped(_mathematics(next(part for part in match.group(*names) if part is not None)), match)


def _mathematics(source: str) -> str:
    source = _NO_DELIMITER.sub(
        "", _PRIMES.sub(lambda primes: "′" * len(primes[0]), _CALLIGRAPHIC.sub(r"\\mathcal{\1}", source))
    )
    source = _CHOOSE.sub(lambda pair: rf"\{_PAIRS[pair[2]]}{{{pair[1].strip()}}}{{{pair[3].strip()}}}", source)
    text = _read(1, _BARE_PERCENT.sub(r"\\%", source))
    while (settled := _GROUP.sub(r"\1", _SCRIPT.sub(_script, text))) != text:
        text = settled
    text = _spaced(text.replace("{", "").replace("}", "")).translate(_UNMARK)
    return _LOPSIDED.sub(lambda sign: f" {sign[1] or sign[2]} ", text).strip()


def _escaped(text: str, match: re.Match[str]) -> str:
    """Text that is read once more, in place of a match; a macro before it must not grow by its letters."""
    text = re.sub(r"[\\{}%&#_^$~]", lambda special: _ESCAPES.get(special[0], "\\" + special[0]), text)
    before = match.string[max(0, match.start() - 30) : match.start()]
    return "{}" + text if text[:1].isalpha() and re.search(r"\\[A-Za-z]+\Z", before) else text


def _is_mathematics(match: re.Match[str]) -> bool:
    """Tell ``$<$0.7`` from two amounts of money: ``$5-$10``."""
    inner, after = match["inline"], match.string[match.end() : match.end() + 1]
    return not after.isdigit() or re.search(r"[\\^_]", inner) is not None or re.search(r"\d", inner) is None


def _script(match: re.Match[str]) -> str:
    """Raise or lower one script; signs that Unicode cannot raise keep their mark, which must not be read again."""
    mark, inner = match[1], match[2] if match[2] is not None else match[3]
    inner = _spaced(inner.strip())
    if len(inner) <= 3 or not any(sign.isalpha() for sign in inner):
        moved = subscript(inner) if mark == "_" else superscript(inner)
        if moved is not None:
            return moved
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

    one = (*_ACCENTS, *_PLAIN, *_RAISED, *_LETTERS, *_PHANTOMS, "url", "unicode", "pmod", "ce")
    own = [std_macro(name, False, 1) for name in one]
    own += [std_macro(name, False, 2) for name in (*_FRACTIONS, *_BINOMIALS, *_STACKS, "underset", "href", "fontsize")]
    own += [std_macro(name, True, 1) for name in (*_REFERENCES, "sqrt", "xrightarrow", "xleftarrow")]
    own += [std_macro(name, True, 2) for name in (*_BOXES, *_QUANTITIES)]
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
        **dict.fromkeys((*_BOXES, *_STACKS, "underset"), _last),
        **dict.fromkeys((*_REFERENCES, *_SILENT, *_PHANTOMS), ""),
        **dict.fromkeys(_QUANTITIES, lambda node, l2tobj: " ".join(_args(node, l2tobj)[-2:])),
        **dict.fromkeys(_FRACTIONS, _fraction),
        **dict.fromkeys(_BINOMIALS, lambda node, l2tobj: f"({' choose '.join(map(str.strip, _args(node, l2tobj)))})"),
        **dict.fromkeys(_RAISED, _raised),
        **{name: f"{_NAME}{name}{_NAMED}" for name in _OPERATORS},
        **_SYMBOLS,
        **dict.fromkeys(_BLANKS, " "),
        "bmod": f"{_NAME}mod{_NAMED}",
        "pmod": lambda node, l2tobj: f" (mod {_inner(node, l2tobj)})",
        **dict.fromkeys(_LETTERS, _letter),
        # A bare sign would be a placeholder.
        **dict.fromkeys(("percent", "textpercent"), "%%"),
        "ce": _chemical,
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
        **dict.fromkeys(_STACKS, lambda node, l2tobj: "{1}^{{{0}}}".format(*_args(node, l2tobj))),
        "underset": lambda node, l2tobj: "{1}_{{{0}}}".format(*_args(node, l2tobj)),
        "xrightarrow": lambda node, l2tobj: f"→^{{{_last(node, l2tobj)}}}",
        "xleftarrow": lambda node, l2tobj: f"←^{{{_last(node, l2tobj)}}}",
        **dict.fromkeys(("{", "lbrace", "textbraceleft"), _OPEN),
        **dict.fromkeys(("}", "rbrace", "textbraceright"), _CLOSE),
        "_": _LOW,
    }

    def reader(macros: dict[str, Any], unknown: Any, *, braces: bool) -> Any:
        context = get_default_latex_context_db()
        specs = [MacroTextSpec(name, replacement) for name, replacement in macros.items()]
        # Dashes and quotes are settled before, and what is left of them stays.
        settled = [SpecialsTextSpec(sign, sign) for sign in ("--", "---", "''")]
        context.add_context_category("digest", macros=specs, specials=settled, prepend=True)
        context.set_unknown_macro_spec(MacroTextSpec("", unknown))
        return LatexNodes2Text(latex_context=context, math_mode="text", keep_braced_groups=braces)

    return reader(common, _unknown, braces=False), reader(math, _unknown_in_math, braces=True)


@cache
def _signs() -> frozenset[str]:
    r"""Macros that stand for a sign between words, unlike ``\ss`` or ``\L``, which are part of one."""
    specs = _readers()[0].latex_context.iter_macro_specs()
    signs = ((spec.macroname, spec.simplify_repl) for spec in specs if isinstance(spec.simplify_repl, str))
    return frozenset(
        name for name, sign in signs if len(sign) == 1 and not unicodedata.name(sign, "LATIN").startswith("LATIN")
    )


def _args(node: Any, l2tobj: Any) -> list[str]:
    """The arguments as text, left-out ones not counted."""
    nodes = node.nodeargd.argnlist if node.nodeargd else ()
    # pylatexenc offers no public way to write a group without its braces.
    return [l2tobj.nodelist_to_text(arg.nodelist if hasattr(arg, "nodelist") else [arg]) for arg in nodes if arg]


def _unknown(node: Any, l2tobj: Any) -> str:
    # A language model's line break, not a macro.
    name = "\\n" if node.macroname == "n" else node.macroname
    return _inner(node, l2tobj) or name + node.macro_post_space


def _unknown_in_math(node: Any, l2tobj: Any) -> str:
    r"""What many preambles define: ``\R``, ``\bbR`` → ``ℝ``, ``\cO`` → ``𝒪``, ``\bW`` → ``W``."""
    custom = _CUSTOM_LETTER.fullmatch(node.macroname)
    if custom is None:
        return _unknown(node, l2tobj)
    letter = custom[2] or node.macroname
    return letter if custom[1] == "b" else _styled(letter, "SCRIPT" if custom[1] == "c" else "DOUBLE-STRUCK")


def _inner(node: Any, l2tobj: Any) -> str:
    return "".join(_args(node, l2tobj))


def _last(node: Any, l2tobj: Any) -> str:
    return "".join(_args(node, l2tobj)[-1:])


def _href(node: Any, l2tobj: Any) -> str:
    url, label = [*_args(node, l2tobj), "", ""][:2]
    return _label(url, label)


def _label(url: str, label: str) -> str:
    return label if re.search(r"\w", label) else url


def _unicode(node: Any, l2tobj: Any) -> str:
    """MathJax's way to name a sign: ``x2014`` or ``8212``."""
    name = _inner(node, l2tobj).strip()
    return chr(int(name[1:], 16) if name[:1] in "xX" else int(name))


def _raised(node: Any, l2tobj: Any) -> str:
    inner = _inner(node, l2tobj)
    return (superscript if node.macroname == "textsuperscript" else subscript)(inner) or inner


def _accent(node: Any, l2tobj: Any) -> str:
    base = _inner(node, l2tobj).strip("{}")
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
    return _styled(_inner(node, l2tobj), _LETTERS[node.macroname])


def _styled(inner: str, style: str) -> str:
    """A single capital gets its mathematical form (ℝ, 𝒪), a word stays a word that can be found."""
    if inner == "1" and style == "DOUBLE-STRUCK":
        return "𝟙"
    if len(inner) != 1 or not ("A" <= inner <= "Z"):
        return inner
    for name in (f"{style} CAPITAL {inner}", f"MATHEMATICAL {style} CAPITAL {inner}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return inner


def _chemical(node: Any, l2tobj: Any) -> str:
    lowered = re.sub(r"(?<=[A-Za-z)\]])\d+", lambda count: subscript(count[0]) or "", _inner(node, l2tobj))
    return re.sub(r"\^\{?(\d*[+-])\}?", lambda charge: superscript(charge[1]) or "", lowered)


def superscript(text: str) -> str | None:
    """The text in raised signs, ``None`` if Unicode lacks one of them."""
    return "".join(_SUPERSCRIPTS[sign] for sign in text) if all(sign in _SUPERSCRIPTS for sign in text) else None


def subscript(text: str) -> str | None:
    """The text in lowered signs, ``None`` if Unicode lacks one of them."""
    return "".join(_SUBSCRIPTS[sign] for sign in text) if all(sign in _SUBSCRIPTS for sign in text) else None
