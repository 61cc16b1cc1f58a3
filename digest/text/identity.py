"""One stable identity for a work, whatever its id is wrapped in."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from digest.model import PaperKey
from digest.text.clean import clean_text
from digest.text.fold import fold
from digest.text.links import check_url

# Archives of the identifiers used until March 2007: https://info.arxiv.org/help/arxiv_identifier.html
_ARCHIVES = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|dg-ga"
    "|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math-ph|math|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics|plasm-ph"
    "|q-alg|q-bio|quant-ph|solv-int|supr-con"
)
_ARXIV_ID = rf"(?P<id>\d{{2}}(?:0[1-9]|1[0-2])\.\d{{4,5}}|(?:{_ARCHIVES})(?:\.[a-z]{{2}})?/\d{{7}})(?:v\d{{1,3}})?"
_ARXIV = re.compile(
    r"(?:"
    r"(?:oai:arxiv\.org:|arxiv:\s*)?"
    r"|(?:https?://)?(?:[a-z]+\.)?arxiv\.org/(?:abs|pdf|html|format|ps|src|e-print)/"
    r"|(?:https?://)?(?:www\.)?(?:huggingface\.co/papers|alphaxiv\.org/abs)/"
    r"|(?:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)?10\.48550/arxiv\."
    rf"){_ARXIV_ID}(?:\.pdf)?/?(?:\s*\[[\w.-]+\])?(?:[?#].*)?",
    re.IGNORECASE | re.ASCII,
)
_DOI = re.compile(
    r"(?:doi:\s*|info:doi/|urn:doi:|(?:https?://)?(?:dx\.|www\.)?doi\.org/)?(?P<doi>10\.\d{4,9}(?:\.\d+)*/\S+)",
    re.IGNORECASE | re.ASCII,
)
# bioRxiv and medRxiv had 10.1101 to themselves and Cold Spring Harbor's journals until December 2025.
_RXIV = re.compile(
    r"(?:(?:https?://)?(?:www\.)?(?:bio|med)rxiv\.org/content/)?"
    r"(?P<doi>10\.(?:1101|64898)/(?:\d{4}\.\d\d\.\d\d\.)?\d{6,8})(?:v\d{1,3})?(?:\.[a-z][\w.+-]*)?/?(?:[?#].*)?",
    re.IGNORECASE | re.ASCII,
)
_PMID = re.compile(
    r"(?:pmid:\s*|(?:https?://)?pubmed\.ncbi\.nlm\.nih\.gov/|(?:https?://)?(?:www\.)?ncbi\.nlm\.nih\.gov/pubmed/)"
    r"0*(?P<id>[1-9]\d{0,8})/?(?:[?#].*)?",
    re.IGNORECASE | re.ASCII,
)
_OPENREVIEW_ID = re.compile(r"[\w-]{4,64}", re.ASCII)
_OPENREVIEW = re.compile(
    r"(?:https?://)?(?:www\.)?openreview\.net/(?:forum|pdf|attachment)\?(?:[^#]*&)?id=(?P<id>[\w-]+)(?:[&#].*)?",
    re.IGNORECASE | re.ASCII,
)
_TITLE_KEY = re.compile(r"title:[0-9a-f]{32}")
_MAX_CHARS = 2_000

_LEAST_WORDS = 5
_LEAST_LETTERS = 30
_WORD = re.compile(r"[^\W_]+")
_PUNCTUATION = re.compile(r"[^\w:-]+")
# Titles, folded, that journals give again and again, or that repeat the title of what they answer.
_GENERIC = re.compile(
    r"(?:guest )?editorial\b|(?:publisher |author )?(?:correction|corrigendum|erratum|addendum)\b|retract(?:ion|ed)\b"
    r"|withdrawn\b|expression of concern\b|(?:the )?author(?: ?s)? (?:repl(?:y|ies)|response)\b|(?:reply|response) to\b"
    r"|re: |comments? on\b|commentary on\b|(?:a )?rejoinder\b|discussion (?:of|on)\b|letters? to the editor\b"
    r"|book reviews?\b|review of\b|(?:research )?highlights?\b|news (?:and )?views\b|in this issue\b"
    r"|issue information\b|front matter\b|(?:the )?special (?:issue|section)\b|(?:preface|foreword)\b"
    r"|introduction to (?:the|this) (?:special|theme)\b|table of contents\b|proceedings of\b|abstracts? (?:of|from)\b"
    r"|in memoriam\b|obituary\b|list of reviewers\b|acknowledg\w+ (?:of|to)\b|call for papers\b"
    r"|(?:conference|meeting) reports?\b|poster session\b"
)
_NAME_SUFFIXES = frozenset(["jr", "sr", "ii", "iii", "iv", "phd", "md", "esq"])

# Servers of preprints by the prefix of their DOIs, some of which journals share. One work has one DOI on one server.
_SERVERS = (
    ("openrxiv", re.compile(r"10\.(?:1101|64898)/(?:\d{4}\.\d\d\.\d\d\.)?\d{6,8}")),
    ("arxiv's dois", re.compile(r"10\.48550/.+")),
    ("chemrxiv", re.compile(r"10\.26434/.+")),
    ("osf", re.compile(r"10\.(?:31219|312(?:2\d|3\d)|31730|33767|35542)/.+")),
    ("research square", re.compile(r"10\.21203/rs\..+")),
    ("preprints.org", re.compile(r"10\.20944/preprints.+")),
    ("ssrn", re.compile(r"10\.2139/ssrn.+")),
    ("authorea", re.compile(r"10\.22541/.+")),
    ("techrxiv", re.compile(r"10\.36227/techrxiv.+")),
    ("essoar", re.compile(r"10\.1002/essoar.+")),
)
_DEPOSIT = re.compile(r"10\.(?:5281/zenodo|6084/m9\.figshare|17605/osf).+")
_SERVER_VERSION = re.compile(r"[/._-]v\d{1,3}$|(?<=\d)\.\d$")


def arxiv_key(text: str) -> PaperKey | None:
    """Read an arXiv id, with or without its version, alone or in any of its usual wrappings.

    Those are ``arXiv:…``, ``oai:arXiv.org:…``, addresses of abs, pdf and html pages, of Hugging Face's and alphaXiv's
    pages, and DOIs under ``10.48550/arXiv.``. Old ids lose their subject class: ``math.GT/0309136`` and
    ``math/0309136`` are one work.
    """
    match = _ARXIV.fullmatch(text.strip()[:_MAX_CHARS])
    if not match:
        return None
    return PaperKey("arxiv:" + re.sub(r"\.[a-z]{2}/", "/", match["id"].lower()))


def doi_key(text: str) -> PaperKey | None:
    """Read a DOI, bare or as ``doi:…`` or an address; it is not case-sensitive, so it becomes lower case.

    arXiv's own DOIs become the arXiv key. Addresses of bioRxiv's and medRxiv's pages are DOIs, too, and lose what
    follows, such as the version: ``https://www.biorxiv.org/content/10.1101/2026.01.02.123456v2.full``.
    """
    text = text.strip()[:_MAX_CHARS]
    if key := arxiv_key(text):
        return key
    if preprint := _RXIV.fullmatch(text):
        return PaperKey(f"doi:{preprint['doi']}")
    if "://" in text:
        text = unquote(text.partition("#")[0].partition("?")[0])
    match = _DOI.fullmatch(text)
    if not match:
        return None
    doi = match["doi"].lower().rstrip(".,;")
    return PaperKey(f"doi:{doi}") if doi.isprintable() and not doi.endswith("/") else None


def pmid_key(text: str) -> PaperKey | None:
    """Read PubMed's number of a record, as ``pmid:…`` or an address; a bare number is none."""
    match = _PMID.fullmatch(text.strip()[:_MAX_CHARS])
    return PaperKey(f"pmid:{match['id']}") if match else None


def openreview_key(text: str) -> PaperKey | None:
    """Read the id of a forum on OpenReview, as ``openreview:…`` or an address."""
    text = text.strip()[:_MAX_CHARS]
    kind, _, rest = text.partition(":")
    match = _OPENREVIEW.fullmatch(text)
    given = rest if kind.lower() == "openreview" else match["id"] if match else ""
    return PaperKey(f"openreview:{given}") if _OPENREVIEW_ID.fullmatch(given) else None


def url_key(text: str) -> PaperKey | None:
    """Make an address an identity: always https, without fragment, tracking parameters and ``www.``."""
    url = check_url(text)
    if url is None:
        return None
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _is_tracking(name)]
    netloc = parts.netloc.removeprefix("www.")
    return PaperKey("url:" + urlunsplit(("https", netloc, parts.path.rstrip("/") or "/", urlencode(query), "")))


def parse_key(text: str) -> PaperKey | None:
    """Read what a person types to name a paper: a key of ours, an arXiv id, a DOI or an address."""
    text = text.strip()
    kind, _, rest = text.partition(":")
    if kind.lower() == "url":
        return url_key(rest)
    if kind.lower() == "guid" and rest:
        return PaperKey(f"guid:{rest}")
    if _TITLE_KEY.fullmatch(text):
        return PaperKey(text)
    return arxiv_key(text) or doi_key(text) or pmid_key(text) or openreview_key(text) or url_key(text)


# A listing is asked about twice: whether it is new, and when it is stored.
@lru_cache(maxsize=2_048)
def title_key(title: str, authors: tuple[str, ...]) -> PaperKey | None:
    """A last resort, for two sources that state no common id: the title and the first author's family name.

    A false merge hides a paper from its readers, a missed one shows it twice, so there is no key unless it can hardly
    be wrong: the paper has an author, and its title has at least five words and 30 letters and is not one of those that
    journals use again ("Editorial", "Correction to …", "Book review", "Introduction to the special issue"). Case,
    accents and punctuation do not count, every word does: a subtitle is part of the title. Two works that have the same
    key are the same only if their ids allow it as well; see `may_be_same`.

    Args:
        title: Plain text.
        authors: First one first, as ``Ada B. Example`` or ``Example, Ada B.``.
    """
    folded = fold(clean_text(title[:_MAX_CHARS]))
    words = _WORD.findall(folded)
    family = _family_name(authors[0]) if authors else ""
    joined = "".join(words)
    letters = sum(map(str.isalpha, joined))
    if len(family) < 2 or len(words) < _LEAST_WORDS or letters < _LEAST_LETTERS or _is_generic(folded):
        return None
    # Joined, as "pre-training" is also written "pretraining".
    text = f"{joined}\n{family}".encode()
    return PaperKey(f"title:{blake2b(text, digest_size=16).hexdigest()}")


def _is_generic(folded: str) -> bool:
    return _GENERIC.match(_PUNCTUATION.sub(" ", folded).strip()) is not None


def _family_name(name: str) -> str:
    """The last word of the family name, folded: ``Ada van Example, Jr.`` and ``van Example, Ada`` → ``example``."""
    family, _, rest = fold(clean_text(name[:_MAX_CHARS])).partition(",")
    words = _WORD.findall(family) or _WORD.findall(rest)
    while len(words) > 1 and words[-1] in _NAME_SUFFIXES:
        words.pop()
    return words[-1] if words else ""


def may_be_same(one: Iterable[PaperKey], other: Iterable[PaperKey]) -> bool:
    """Whether the ids of two entries allow that they are one work.

    They do not if both state ids of a kind of which a work has only one, and have none of them in common: arXiv,
    PubMed, OpenReview, the DOI of a publication, the DOI on one server of preprints, an address on one host, an id in
    one feed: a column bears the same title every week. A preprint's DOI beside that of a
    publication says nothing, nor do two preprints on different servers, nor the DOI of a deposit, of which each version
    has its own.
    """
    ours, theirs = _by_kind(one), _by_kind(other)
    return not any(ours[kind].isdisjoint(theirs[kind]) for kind in ours.keys() & theirs.keys())


def _by_kind(keys: Iterable[PaperKey]) -> dict[str, set[str]]:
    """Ids by what a work has only one of; a preprint's DOI without its version."""
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        kind, _, given = key.partition(":")
        if kind == "doi" and not _DEPOSIT.fullmatch(given):
            server = next((server for server, pattern in _SERVERS if pattern.fullmatch(given)), "")
            ids[server or "publication"].add(_SERVER_VERSION.sub("", given) if server else given)
        elif kind in ("arxiv", "pmid", "openreview"):
            ids[kind].add(given)
        elif kind == "url":
            ids[f"on {urlsplit(given).netloc}"].add(given)
        elif kind == "guid":
            ids[f"in {given.partition(':')[0]}"].add(given)
    return ids


def _is_tracking(name: str) -> bool:
    return name.lower().startswith(("utm_", "mc_")) or name.lower() in ("fbclid", "gclid", "rss")
