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

    def __init__(
        self, problem: str, *, where: str = "", hint: str = "", code: int | None = None, enhanced: str = ""
    ) -> None:
        super().__init__(problem, where=where, hint=hint)
        self.code = code
        """SMTP reply code, if the server gave one."""
        self.enhanced = enhanced
        """Enhanced status code (RFC 3463), ``5.1.1``, or empty."""


class TemporaryDeliverError(DeliverError):
    """Try again later: the server said 4xx, or could not be reached."""


class UnreachableError(TemporaryDeliverError):
    """Nothing can be handed over now, whoever it is for: the run stops and every message waits as it is."""


class BusyDomainError(TemporaryDeliverError):
    """The recipient's provider takes no more for now, whoever at it the mail is for; others go on."""


class PermanentDeliverError(DeliverError):
    """Stop trying this message: the server said 5xx."""


class BadAddressError(PermanentDeliverError):
    """The address does not exist, in the words of its own server; the second time, it is written to no more."""


class UncertainDeliverError(DeliverError):
    """The connection broke after the final dot: the server may have accepted (RFC 1047)."""


class SmtpRefusedError(DeliverError):
    """The server refuses us, not one recipient: sign-in, TLS or sender. The run stops and nothing is marked failed."""

    exit_code = 3


class StoreError(DigestError):
    """The administrator must act: the database cannot be opened, is locked, full, damaged or too new."""

    exit_code = 4


class TakenOverError(StoreError):
    """Another run has this delivery by now: this one was asleep for longer than its lease."""


class MismatchError(DigestError):
    """What a run did and what the ledger says of it differ: somebody must look before more is sent."""

    exit_code = 5


class ClockError(DigestError):
    """The clock shows a time that cannot be: nothing is sent, as everything would be due or nothing."""

    exit_code = 2
