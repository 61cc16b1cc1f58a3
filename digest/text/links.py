"""Web addresses in untrusted text: which may be followed, and which lead to a paper's code."""

import re
from urllib.parse import quote, urlsplit, urlunsplit

_MAX_URL_CHARS = 2_000
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9])?\.?", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
# The scheme may be missing or mistyped ("https;//"), as it is in real abstracts.
_CODE = re.compile(
    r"(?<![\w.@/-])(?:https?[:;]//)?(?:www\.)?(?P<host>github\.com|gitlab\.com|codeberg\.org|huggingface\.co|hf\.co)"
    r"/(?P<path>[\w.~-]+(?:/[\w.~-]+)+)",
    re.IGNORECASE | re.ASCII,
)
# First parts of a path that are pages of the site, not owners.
_NOT_OWNER = re.compile(
    "about|api|apps|blog|collections|docs|explore|features|join|learn|login|marketplace|orgs|papers|pricing|search"
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


def find_code(text: str) -> str | None:
    """The first repository on GitHub, GitLab, Codeberg or Hugging Face that a text names, as an https address."""
    for match in _CODE.finditer(text):
        host = match["host"].lower().replace("hf.co", "huggingface.co")
        parts = match["path"].rstrip("./-~").removesuffix(".git").split("/")
        needed = 3 if host == "huggingface.co" and parts[0] in ("datasets", "spaces", "models") else 2
        if len(parts) < needed or not all(parts) or _NOT_OWNER.fullmatch(parts[0]):
            continue
        return check_url(f"https://{host}/{'/'.join(parts)}")
    return None
