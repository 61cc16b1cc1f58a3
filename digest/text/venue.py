"""Where a paper was accepted, read from what its authors wrote: ``12 pages, to appear at ICML 2026 (oral)``."""

import re

from digest.text.clean import clean_text, fit
from digest.text.latex import latex_to_text

_MAX_COMMENT_CHARS = 2_000
_MAX_VENUE_CHARS = 120

# Conferences and journals that stand for themselves, with a year, when nothing says "accepted".
_KNOWN = (
    r"NeurIPS|NIPS|ICML|ICLR|AAAI|IJCAI|ECAI|AAMAS|UAI|AISTATS|COLT|ALT|MLSys|CoRL|TMLR|JMLR|LoG|L4DC|AutoML"
    r"|CVPR|ICCV|ECCV|WACV|BMVC|ACCV|3DV|ICIP|ICPR|MICCAI|MIDL|ISBI|IPMI|TPAMI|IJCV|SIGGRAPH(?: Asia)?|Eurographics"
    r"|(?:NA|EA|AA)?ACL|EMNLP|COLING|LREC(?:-COLING)?|CoNLL|TACL|COLM|IJCNLP|INLG|SIGDIAL|EAMT|WMT|SemEval|IWSLT"
    r"|ICASSP|INTERSPEECH|Interspeech|ISMIR|ASRU|SLT|WASPAA|EUSIPCO|DCASE|ICME|ACM MM|ACM Multimedia|SSW"
    r"|KDD|SIGIR|CIKM|WSDM|WWW|TheWebConf|The Web Conference|RecSys|ECIR|ICDM|SDM|PAKDD|ECML[ -/]?PKDD|ICWSM|ASONAM"
    r"|ICRA|IROS|RSS|HRI|CHI|UIST|CSCW|IUI|FAccT|AIES|EC|VLDB|SIGMOD|ICDE|EDBT|PODS|STOC|FOCS|SODA|ICALP|STACS|ITCS"
    r"|ESA|LICS|CAV|POPL|PLDI|OOPSLA|ICFP|ICSE|FSE|ESEC/FSE|ASE|ISSTA|ICST|MSR|CCS|NDSS|USENIX Security|CRYPTO"
    r"|EUROCRYPT|ASIACRYPT|OSDI|SOSP|NSDI|ASPLOS|ISCA|HPCA|MICRO|DAC|DATE|ICCAD|INFOCOM|SIGCOMM|CDC|ICC|GLOBECOM|IJCNN"
)
_YEAR = r"(?:(?:19|20)\d\d|['’]\d\d)(?!\d)"
_KNOWN_WITH_YEAR = re.compile(rf"(?<![\w/])(?:{_KNOWN})(?:[ -]{{0,2}}{_YEAR}|[ -][012]\d(?!\d))")
# Whatever stands beside one of these is not where the paper was accepted.
_NOT = re.compile(
    r"\b(?:submit|submission|resubmit|under (?:[\w-]+ )?(?:review|consideration|revision)"
    r"|in (?:review|preparation|revision)|reject|withdr[ae]w|not|if|(?-i:may)|might|unless|pending|intended|planned"
    r"|draft|decision|template|style|format|extension of|extends|extending|extended (?:abstract|from)|prelim|abridged"
    r"|another|short(?:er|ened)|(?:short|page|conference) version|version of|earlier|previous|related|based on"
    r"|part(?:s|ly|ially)? of|companion|compet|challenge|place|winn|shared task|thesis|dissertation|talk|lecture"
    r"|seminar|tutorial|slides|overlap|comment on|reply|invited|appendix (?:of|to)|supplement)",
    re.IGNORECASE,
)
_FILLER = (
    r"(?:as an?|a|an|the|full|short|long|regular|main|oral|poster|spotlight|highlight|paper|article|publication"
    r"|presentation|inclusion|publish|proceedings|be|published|presented|final|version|for|as|in|to"
    r"|(?:conference|journal|workshop)(?= (?:paper|article|publication|proceedings)))"
)
_ACCEPTED = re.compile(
    rf"\b(?P<verb>accepted|to appear|appear(?:s|ed|ing)?|(?:to|will) be (?:published|presented)|published|presented"
    rf"|in press|forthcoming|camera[- ]ready)(?: {_FILLER}){{0,6}} (?P<by>in|at|to|by|for|on|@|with):?"
    r" (?P<venue>\S.*)",
    re.IGNORECASE,
)
_PRESS = re.compile(
    r"(?:^|, )(?P<venue>[^,]{3,}?),? \(?(?:(?:in press|to appear|forthcoming)|accepted)\)?$", re.IGNORECASE
)
_PROCEEDINGS = re.compile(r"^(?:in:? )?(?:the )?proc(?:eedings|\.) (?:of )?(?P<venue>\S.*)", re.IGNORECASE)
_LEADING = re.compile(r"^(?:(?:at|in|the|of|proc\.|proceedings|main conference) )+", re.IGNORECASE)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b\.?"
# What a venue is followed by, but has no part in.
_TRAILING = re.compile(
    r"(?:,| -| –| —| \||:| /)? (?:as |by the |with |and (?:is |will |code|the )|held |which |where |code\b|see |this "
    r"|here\b|project|available|(?:https?|www)\b|doi\b|arxiv\b|version\b|camera[- ]ready|final version|key ?words"
    rf"|(?:early |provisionally )?accept|\d+ (?:pages?|figures?|tables?|pp)\b|(?:in )?{_MONTH} \d).*",
    re.IGNORECASE,
)
_STOP_PART = re.compile(
    rf"(?i:\d+ ?\+?\d* ?(?:pages?|pp|figures?|figs?|tables?|col)|pages?|pp\.?\b|vol|no\.|\d+$|{_MONTH})|[a-z](?!nd )"
)
_SERIES = re.compile(
    r"\b(?:journal|transactions|trans\.|conference|conf\.|workshops?|symposium|symp\.|letters|lett\.|review|rev\.|annals"
    r"|proceedings|proc\.|congress|colloquium|meeting|findings|track|magazine|bulletin|IEEE|ACM|SIAM|AMS|J\.|Phys\.|TMLR|TPAMI"
    r")(?!\w)",
    re.IGNORECASE,
)
_SMALL = frozenset("a an and at de der for from in its la of on the their to und & -".split())  # noqa: SIM905
_ABBREVIATION = re.compile(
    r"(?:^|[\s(.])(?:[A-Z]|Proc|Int|Intl|Conf|Symp|Trans|Rev|Lett|Phys|Math|Comput|Comp|Sci|Appl|Soc|Acad|Natl|Astron"
    r"|Astrophys|Commun|Eng|Engg|Mon|Not|Nucl|Instrum|Meth|Lect|Pol|Vol|No|pp|vs|St|Jr|al|Inf|Inform|[Tt]heor|Syst|Stat|Res"
    r"|Biol|Chem|Bull|Amer|Am|Eur|Ann|Adv|Mech|Mag|Nat|Opt|Mod|Technol)$"
)
_PRESENTATION = re.compile(r"\((?:oral|spotlight|highlight|poster|findings|main)[^()]{0,40}\)$", re.IGNORECASE)
_WITHIN = re.compile(r"\b(?:workshops?|findings|tracks?|symposium)\b", re.IGNORECASE)


def find_venue(comment: str) -> str:
    """Where the authors say that the paper was accepted, published or presented; empty if they do not, or not clearly.

    A wrong venue is worse than none: what was submitted, rejected or is under review counts for nothing, nor does the
    venue of an earlier or shorter version.

    Args:
        comment: The authors' comment as arXiv shows it, LaTeX and all.

    Returns:
        One line of at most 120 characters, such as ``ICML 2026 (oral)`` or ``Transactions on Examples``.
    """
    text = latex_to_text(clean_text(comment[:_MAX_COMMENT_CHARS])).partition("arXiv admin note")[0]
    text = clean_text(re.sub(r"\(?\bhttps?://\S+|\(with [^()]*\)|[\"“”]", " ", text))
    clauses = [clause for clause in _clauses(text) if not _NOT.search(clause)]
    for read in (_accepted, _in_press, _named):
        for clause in clauses:
            if venue := read(clause):
                return fit(clean_text(venue), _MAX_VENUE_CHARS)
    return ""


def _accepted(clause: str) -> str:
    said = _ACCEPTED.search(clause)
    # Papers are accepted by journals, but published by publishers and presented by people.
    if not said or (said["by"].lower() == "by" and said["verb"].lower() != "accepted"):
        return ""
    venue = _trimmed(said["venue"])
    return venue if _is_venue(venue, presented=said["verb"].lower().endswith("presented")) else ""


def _in_press(clause: str) -> str:
    said = _PRESS.search(clause)
    venue = _trimmed(said["venue"]) if said else ""
    return venue if _KNOWN_WITH_YEAR.search(venue) or _SERIES.search(venue) else ""


def _named(clause: str) -> str:
    if said := _PROCEEDINGS.match(clause):
        venue = _trimmed(said["venue"])
        if _KNOWN_WITH_YEAR.search(venue) or _SERIES.search(venue):
            return venue
    for part in _parts(clause):
        if known := _KNOWN_WITH_YEAR.search(part):
            # A workshop is not its conference.
            return _trimmed(part if _WITHIN.search(part[: known.start()]) else part[known.start() :])
    return ""


def _clauses(text: str) -> list[str]:
    """Sentences and half-sentences; "Phys. Rev. E" stays whole."""
    clauses = [""]
    for piece in re.split(r"(;\s*|\.\s+|\.$)", text):
        ends = re.fullmatch(r";\s*|\.\s+|\.$", piece) is not None
        if ends and not (piece[0] == "." and _ABBREVIATION.search(clauses[-1][-12:])):
            clauses.append("")
        else:
            clauses[-1] += piece
    return [clause.strip() for clause in clauses if clause.strip()]


def _parts(clause: str) -> list[str]:
    """What stands between commas that are outside of brackets."""
    return re.split(r", ?(?![^()]*\))", clause)


def _trimmed(venue: str) -> str:
    """The venue without pages, dates and places behind it: nothing follows its year."""
    kept: list[str] = []
    for part in _parts(_TRAILING.sub("", _LEADING.sub("", venue))):
        if kept and _STOP_PART.match(part):
            break
        kept.append(part)
        if re.search(rf".{{6}}{_YEAR}", part) or re.fullmatch(rf"\S+ ?{_YEAR}.*", part):
            break
    venue = _LEADING.sub("", ", ".join(kept)).strip(" ,:-–—|'@*!/")
    unclosed = venue.count("(") - venue.count(")")
    return venue.rstrip(")") if unclosed < 0 else venue + ")" * unclosed


def _is_venue(venue: str, *, presented: bool) -> bool:
    if not any(sign.isupper() for sign in venue) or len(venue) < 3 or re.match(_MONTH, venue, re.IGNORECASE):
        return False
    if _KNOWN_WITH_YEAR.search(venue) or _SERIES.search(venue):
        return True
    # Of what has no such word, only a name is taken, and of talks nothing: they are given at institutes, too.
    named = [word for word in _PRESENTATION.sub("", venue).split() if word not in _SMALL]
    return not presented and len(named) <= 8 and all(word[0].isupper() or not word[0].isalpha() for word in named)
