"""Web addresses in untrusted text: which may be followed, and what they offer: code, a project page, data, models."""

import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit, urlunsplit

from digest.model import Link, LinkKind

_MAX_URL_CHARS = 2_000
_MAX_TEXT_CHARS = 20_000
_MAX_LINKS = 10
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?\.?", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")

# What authors break, mended only where nothing else can be meant. All repetitions are bounded: linear time.
_TEX = re.compile(r"\\(?:allowbreak|linebreak|-)\s?|\{?\\([_%#&~])\}?")
_SCHEME = re.compile(
    r"http(?:\s{0,2}(s))?\s{0,2}(?:[:;]\s{0,2}/{1,3}|//)\s{0,2}(?=[\w-]{1,63}\s?\.\s?[\w-])", re.IGNORECASE
)
_DOT = re.compile(r"\b(github|gitlab|huggingface)(?:\s\.\s?|\.\s)(com|co|io)(?=/)", re.IGNORECASE)
_FORGES = r"(?:github\.com|gitlab\.com|huggingface\.co)/"
# The last look-ahead is for what is a name and no word of a sentence: Name-1, some_thing, CamelCase, x.git.
_TORN = re.compile(
    rf"(?<![\w.@-])({_FORGES}(?:(?=\s{{1,2}}[\w.-]{{1,80}}/\w)|[\w.-]{{1,80}}/|(?:[\w.-]{{1,80}}/)?[\w.-]{{1,80}}-))\s{{1,2}}"
    r"(?=[\w-]{0,80}(?:[\d_-]|[a-z][A-Z]|/\w|\.git\b))",
    re.ASCII,
)
_KNOWN = (
    rf"(?:{_FORGES}|(?:codeberg\.org|bitbucket\.org|hf\.co|zenodo\.org|anonymous\.4open\.science|kaggle\.com"
    r"|sites\.google\.com)/|[\w-]{1,63}\.(?:github|gitlab)\.io\b)"
)
_ADDRESS = re.compile(
    rf"(?:https?://|(?<![\w.@/-])(?=www\.|{_KNOWN}))"
    rf"(?:(?!https?://|[,;](?:www\.|{_KNOWN}))[^\s<>{{}}\"|\\^`\[\]$«»\u00a0\u00ad\u061c\u2000-\u206f\u3000-\u3002\u3010\u3011\uff08\uff09\uff0c\uff1b])+",
    re.IGNORECASE | re.ASCII,
)
# One of these is in every text that holds an address; most abstracts hold none.
_TRACES = (
    "http", "www.", "github", "gitlab", "huggingface", "codeberg.", "bitbucket.", "hf.co", "zenodo.", ".4open.",
    "kaggle.", "sites.google.",
)  # fmt: skip
# A sentence that was not given its blank.
_RUN_ON = re.compile(r"\.(?=(?:The|We|Our|This|Code|Data|It|In|All|Project)(?:$|[^\w.-]))")
_LABEL = re.compile(r"\}?\s?\{([^{}]{1,80})\}")
_SENTENCE_END = re.compile(r"[.!?;]\s+(?=[A-Z])|[.!?;]\s*$")
_AND = re.compile(r"[\s,;:&(){}/'\"-]*(?:and|or|as well as)?[\s,;:&(){}/'\"-]*")

_SAYS = {
    LinkKind.PROJECT: (
        r"project|home-?page|web-?sites?|web-?pages?|pages?|sites?|demos?|demonstrations?|videos?|details|information"
        r"|leaderboard|playground|platform|tools?|visit"
    ),
    LinkKind.CODE: r"(?:source-?)?codes?|code-?base|implementations?|repo|repositor(?:y|ies)|software|toolkit|scripts",
    LinkKind.DATASET: r"data-?sets?|corpus|corpora|benchmarks?|annotations|data",
    LinkKind.MODEL: r"models?|checkpoints?|weights",
}
_WORDS = {kind: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for kind, words in _SAYS.items()}
_OFFERS = re.compile(r"\b(?:available|accessible|accessed|released?|resources|samples|examples|documentation|app)\b")
_HOSTS = {
    LinkKind.CODE: re.compile(
        r"git(?:lab)?\..+|gist\.github\.com|gitee\.com|anonymous\.4open\.science|sourceforge\.net"
        r"|cran\.r-project\.org"
    ),
    LinkKind.PROJECT: re.compile(r".+\.(?:git(?:hub|lab)\.io|hf\.space)|sites\.google\.com"),
    LinkKind.DATASET: re.compile(
        r"zenodo\.org|(?:.+\.)?figshare\.com|datadryad\.org|dataverse\..+|physionet\.org|openneuro\.org|ieee-dataport\.org"
    ),
}
_CODE_HOSTS = ("github.com", "gitlab.com", "codeberg.org", "bitbucket.org")
_HUB_FOLDERS = {
    "datasets": LinkKind.DATASET, "competitions": LinkKind.DATASET, "c": LinkKind.DATASET, "code": LinkKind.CODE,
    "kernels": LinkKind.CODE, "models": LinkKind.MODEL, "spaces": LinkKind.PROJECT, "studios": LinkKind.PROJECT,
    "benchmarks": LinkKind.PROJECT,
}  # fmt: skip
_HUBS = {"huggingface.co": LinkKind.MODEL, "kaggle.com": LinkKind.DATASET, "modelscope.cn": LinkKind.MODEL}
# DOI prefixes of Zenodo, IEEE DataPort, figshare, Dataverse, Dryad, PhysioNet, Mendeley, Kaggle, Hugging Face.
_DATA_DOI = re.compile(r"/10\.(?:5281|21227|6084|7910|5061|13026|17632|34740|57967)/")
# Papers, people and licences: never the work's own page.
_ELSEWHERE = re.compile(
    r"(?:.+\.)?(?:arxiv|openreview|aclanthology|creativecommons|orcid|wikipedia|twitter|x|linkedin|openai|chatgpt)"
    r"\.(?:org|net|com)"
)
# First parts of a path that are pages of the site, not owners.
_NOT_OWNER = re.compile(
    "about|api|apps|blog|docs|explore|features|join|learn|login|marketplace|orgs|papers|pricing|search"
    "|settings|sponsors|tasks|topics",
    re.IGNORECASE,
)


def check_url(text: str) -> str | None:
    """Accept an address only if a reader may be sent there.

    It must be http or https with a host, without user name or password, without blanks and control characters, and
    at most 2,000 characters long.

    Returns:
        The address with scheme and host in lower case, the host in punycode and the rest percent-encoded to ASCII;
        ``None`` if it is refused.
    """
    text = text.strip()
    if len(text) > _MAX_URL_CHARS or _FORBIDDEN.search(text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    if ":" in host:
        host = f"[{host}]"
    elif not _HOST.fullmatch(host):
        return None
    netloc = host if port is None or (parts.scheme, port) in (("http", 80), ("https", 443)) else f"{host}:{port}"
    url = urlunsplit(
        (
            parts.scheme,
            netloc,
            quote(parts.path, safe="/%:@!$&'()*+,;=~-._"),
            quote(parts.query, safe="/?%:@!$&'()*+,;=~-._"),
            quote(parts.fragment, safe="/?%:@!$&'()*+,;=~-._"),
        )
    )
    return url if len(url) <= _MAX_URL_CHARS else None


def find_links(text: str) -> tuple[Link, ...]:
    """Find the code, project pages, data sets and models that an abstract or a comment offers.

    What a link leads to is told by its host, else by the words before it; addresses that neither explains are left
    out. Broken ones (``https;//``, ``github. com/…``, a blank after a slash) are mended where nothing else can be
    meant, and known hosts need no scheme. Text may still hold LaTeX.

    Returns:
        Code first, then project pages, data sets and models, each in the order of the text; at most ten.
    """
    lower = text.lower()
    if not any(trace in lower for trace in _TRACES):
        return ()
    found: dict[tuple[LinkKind, str], Link] = {}
    for kind, url in _read(_mended(text[:_MAX_TEXT_CHARS])):
        found.setdefault((kind, url.partition("://")[2].removeprefix("www.").rstrip("/").lower()), Link(kind, url))
    order = (LinkKind.CODE, LinkKind.PROJECT, LinkKind.DATASET, LinkKind.MODEL)
    return tuple(sorted(found.values(), key=lambda link: order.index(link.kind))[:_MAX_LINKS])


def _mended(text: str) -> str:
    text = _TEX.sub(lambda escape: escape[1] or "", text)
    text = _SCHEME.sub(lambda scheme: f"http{scheme[1] or ''}://", text)
    return _TORN.sub(r"\1", _DOT.sub(r"\1.\2", text))


def _read(text: str) -> Iterator[tuple[LinkKind, str]]:
    said, end = "", 0
    for match in _ADDRESS.finditer(text):
        between = text[max(end, match.start() - 160) : match.start()]
        label = _LABEL.match(text, match.end())
        if not end or label or not _AND.fullmatch(between):
            sentences = [part for part in _SENTENCE_END.split(between) if part.strip()]
            said = " ".join((*sentences[-1:], label[1] if label else ""))
        end = match.end()
        if not _said(said) and not _OFFERS.search(said):
            # "See https://… for demo samples."
            said = _SENTENCE_END.split(text[end : end + 60])[0]
        address = _trimmed(match[0])
        url = check_url(address if "://" in address else f"https://{address}")
        if url and (kind := _kind(url := _canonical(url), said)):
            yield kind, url


def _trimmed(address: str) -> str:
    """Without what belongs to the sentence: its stop, a bracket that was opened before the address."""
    if run_on := _RUN_ON.search(address):
        address = address[: run_on.start()]
    depth = 0
    for at, sign in enumerate(address):
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            address = address[:at]
            break
    return address.rstrip(".,;:!?'*~(")


def _canonical(url: str) -> str:
    _, netloc, path, query, fragment = urlsplit(url)
    host = netloc.removeprefix("www.")
    host = "huggingface.co" if host == "hf.co" else host
    if host in _CODE_HOSTS or host in _HUBS:
        return urlunsplit(("https", host, path.rstrip("/-.").removesuffix(".git"), query, fragment))
    return url


def _kind(url: str, said: str) -> LinkKind | None:
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    path = [part for part in parts.path.split("/") if part]
    if host in _HUBS:
        return _kind_on_hub(host, path, said)
    says = _said(said)
    if host in _CODE_HOSTS:
        if len(path) < 2 or _NOT_OWNER.fullmatch(path[0]):
            return None
        # A reading list, unless the authors say otherwise.
        is_list = path[1].lower().startswith("awesome-") and "code" not in said.lower()
        return LinkKind.PROJECT if is_list else LinkKind.CODE
    for kind, hosts in _HOSTS.items():
        if hosts.fullmatch(host):
            # Archives keep programs, too.
            return LinkKind.CODE if kind is LinkKind.DATASET and says == [LinkKind.CODE] else kind
    if host.endswith("doi.org"):
        return LinkKind.DATASET if _DATA_DOI.match(parts.path) or says[:1] == [LinkKind.DATASET] else None
    if _ELSEWHERE.fullmatch(host) or says[:1] == [LinkKind.MODEL]:
        return None
    return says[0] if says else LinkKind.PROJECT if _OFFERS.search(said) else None


def _kind_on_hub(host: str, path: list[str], said: str) -> LinkKind | None:
    if not path or _NOT_OWNER.fullmatch(path[0]):
        return None
    if path[0] in _HUB_FOLDERS:
        return _HUB_FOLDERS[path[0]] if len(path) >= 2 else None
    if len(path) >= 2 and path[0] != "collections":
        return _HUBS[host]
    # An owner's page, or a collection of anything.
    says = [kind for kind in _said(said) if kind in (LinkKind.DATASET, LinkKind.MODEL)]
    return says[-1] if says else LinkKind.MODEL if path[0] == "collections" else None


def _said(text: str) -> list[LinkKind]:
    """The kinds that are named, a project page first: it usually leads to the rest."""
    return [kind for kind, words in _WORDS.items() if words.search(text)]
