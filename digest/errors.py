"""Every error raised on purpose; the class says who must act."""


class DigestError(Exception):
    """A problem that people can read: where it is, what it is with the value, and a hint for the next step."""

    exit_code = 1
    """What the command ends with when nothing else was wrong."""

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        # Only `problem` goes to Exception, or the error does not survive pickling.
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        line = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{line}\n  hint: {self.hint}" if self.hint else line


class ConfigError(DigestError):
    """The operator must change a setting or the subscribers file."""

    exit_code = 2


class RenderError(DigestError):
    """The template's author must act; nothing is sent with a broken template."""

    exit_code = 2


class CollectError(DigestError):
    """Nobody must act yet: the other sources go on, and this one is asked again on the next run."""


class ThrottledError(CollectError):
    """The server wants to be left alone for now, whatever status it said so with."""


class SuspiciousError(CollectError):
    """An answer that is no listing at all: a maintenance page, a sign-in page, a bot check."""


class EmbedError(DigestError):
    """A model for comparing by meaning cannot be loaded or reached; words alone are compared then."""


class DeliverError(DigestError):
    """One message could not be handed over."""

    def __init__(self, problem: str, *, where: str = "", hint: str = "", code: int | None = None) -> None:
        super().__init__(problem, where=where, hint=hint)
        self.code = code
        """SMTP reply code, if the server gave one."""


class TemporaryDeliverError(DeliverError):
    """Try again later: the server said 4xx, or could not be reached."""


class UnreachableError(TemporaryDeliverError):
    """Nothing can be handed over now, whoever it is for: the run stops and every message waits as it is."""


class PermanentDeliverError(DeliverError):
    """Stop trying this message: the server said 5xx."""


class UncertainDeliverError(DeliverError):
    """The connection broke after the final dot: the server may have accepted (RFC 1047), so it is never resent."""


class SmtpRefusedError(DeliverError):
    """The server refuses us, not one recipient: sign-in, TLS or sender. The run stops and nothing is marked failed."""

    exit_code = 3


class StoreError(DigestError):
    """The administrator must act: the database cannot be opened, is locked, full, damaged or too new."""

    exit_code = 4
