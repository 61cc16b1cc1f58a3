"""One stable identity for a work, whatever its id is wrapped in."""

import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from digest.model import PaperKey
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
_MAX_CHARS = 2_000


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

    arXiv's own DOIs become the arXiv key.
    """
    text = text.strip()[:_MAX_CHARS]
    if key := arxiv_key(text):
        return key
    if "://" in text:
        text = unquote(text.partition("#")[0].partition("?")[0])
    match = _DOI.fullmatch(text)
    if not match:
        return None
    doi = match["doi"].lower().rstrip(".,;")
    return PaperKey(f"doi:{doi}") if doi.isprintable() and not doi.endswith("/") else None


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
    return arxiv_key(text) or doi_key(text) or url_key(text)


def _is_tracking(name: str) -> bool:
    return name.lower().startswith(("utm_", "mc_")) or name.lower() in ("fbclid", "gclid", "rss")
