"""Access tokens for signing in with XOAUTH2, got with a refresh token (RFC 6749 section 6)."""

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest.errors import ConfigError, SmtpRefusedError, UnreachableError
from digest.model import Security

if TYPE_CHECKING:
    import httpx

_EARLY_S = 60
"""A token is not used any more in its last minute: it must live through the sign-in."""
_USUAL_S = 300
"""For answers that do not say how long the token lives."""
_SHOWN_CHARS = 200

_kept: dict["OauthSettings", tuple[str, float]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OauthSettings:
    """What access tokens are got with.

    Raises:
        ConfigError: The secrets would go over an open line.
    """

    refresh_token: str = field(repr=False)
    client_id: str = field(repr=False)
    token_url: str
    client_secret: str | None = field(default=None, repr=False)
    timeout_s: float = 30

    def __post_init__(self) -> None:
        parts = urlsplit(self.token_url)
        if parts.scheme != "https" and not Security.NONE.permits(parts.hostname or ""):
            raise ConfigError(
                "the refresh token would go over an open line",
                where="DIGEST_OAUTH__TOKEN_URL",
                hint="write the address with https",
            )


async def fetch_access_token(settings: OauthSettings) -> str:
    """A token that signs in now: the last one, until a minute before it ends.

    Raises:
        UnreachableError: The token server cannot be asked now.
        SmtpRefusedError: It gives no token.
    """
    import httpx

    kept, ends_at = _kept.get(settings, ("", 0.0))
    if monotonic() < ends_at:
        return kept
    where = urlsplit(settings.token_url).hostname or ""
    form = {"grant_type": "refresh_token", "refresh_token": settings.refresh_token, "client_id": settings.client_id}
    if settings.client_secret:
        form["client_secret"] = settings.client_secret
    try:
        async with httpx.AsyncClient(timeout=settings.timeout_s) as client:
            response = await client.post(settings.token_url, data=form)
    except httpx.HTTPError as exc:
        raise UnreachableError(
            f"no access token: the server cannot be asked ({type(exc).__name__})",
            where=where,
            hint="check DIGEST_OAUTH__TOKEN_URL; every message waits for the next run",
        ) from exc
    if response.status_code == 429 or response.status_code >= 500:
        raise UnreachableError(
            f"no access token: the server answers with HTTP {response.status_code}",
            where=where,
            hint="every message waits for the next run",
        )
    answer = _read(response)
    token = answer.get("access_token")
    if response.status_code != 200 or not isinstance(token, str) or not token or not token.isascii():
        # RFC 6749 section 5.2: a word for programs, without secrets.
        reason = answer.get("error")
        said = reason[:_SHOWN_CHARS] if isinstance(reason, str) and reason.isprintable() else "no reason given"
        raise SmtpRefusedError(
            f"no access token: HTTP {response.status_code}, {said}",
            where=where,
            hint="make a new DIGEST_OAUTH__REFRESH_TOKEN, and check DIGEST_OAUTH__CLIENT_ID and CLIENT_SECRET",
        )
    lives_s = answer.get("expires_in")
    ends_s = lives_s if isinstance(lives_s, int) and not isinstance(lives_s, bool) else _USUAL_S
    _kept[settings] = (token, monotonic() + ends_s - _EARLY_S)
    return token


def forget_access_token(settings: OauthSettings) -> None:
    """Get another one the next time: the last was refused."""
    _kept.pop(settings, None)


def _read(response: "httpx.Response") -> dict[str, object]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
