"""Which mail server sends, and as whom."""

from dataclasses import dataclass, field

from digest.deliver.oauth import OauthSettings
from digest.errors import ConfigError
from digest.model import Security


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """How to reach the server.

    Raises:
        ConfigError: Without TLS to another machine.
    """

    host: str
    """A name, an address, or the path of a Unix socket."""
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    oauth: OauthSettings | None = None
    """Signs in with an access token in place of the password."""
    lmtp: bool = False
    """Whether the server speaks LMTP (RFC 2033)."""
    connections: int = 4
    """At most so many at a time; it begins with one."""
    timeout_s: float = 60
    """For each step; the reply to the final dot has its own."""
    dot_timeout_s: float = 600
    """RFC 5321 section 4.5.3.2.6: giving up sooner makes duplicates."""

    def __post_init__(self) -> None:
        if not (self.is_local_socket or self.security.permits(self.host)):
            raise ConfigError(
                f"security 'none' would send mail and password in the clear to {self.host!r}",
                where="DIGEST_SMTP__SECURITY",
                hint="use starttls or tls; none is for a server on this machine",
            )

    @property
    def is_local_socket(self) -> bool:
        """Whether the host is the path of a Unix socket."""
        return self.host.startswith("/")

    @property
    def effective_security(self) -> Security:
        """What a Unix socket takes never leaves this machine, and there is no name to check a certificate with."""
        return Security.NONE if self.is_local_socket else self.security

    @property
    def where(self) -> str:
        """The server, for people."""
        return self.host if self.is_local_socket else f"{self.host}:{self.port}"
