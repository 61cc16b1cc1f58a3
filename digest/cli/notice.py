"""Writes to the operator when a pass did not end well."""

import json
import logging
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from digest.config.problems import ConfigProblems
from digest.errors import DigestError, SmtpRefusedError
from digest.text.masking import mask_addresses

if TYPE_CHECKING:
    from digest.config.settings import Settings
    from digest.model import Message
    from digest.pipeline import Report
    from digest.render.compile import Template

log = logging.getLogger("digest")


class Notices:
    """What a command writes to the operator: at most one mail a day for each exit code."""

    def __init__(self, settings: "Settings", folder: Path | None, command: str) -> None:
        """Write for a command.

        Args:
            settings: Name the operator; without one nothing is written.
            folder: Where messages go instead of SMTP.
            command: What runs: ``digest run``.
        """
        self._settings = settings
        self._folder = folder
        self._command = command
        self._told: dict[str, str] = {}

    def tell(self, trouble: "Report | DigestError", now: datetime) -> None:
        """Say what a pass did, unless all is well, or what ended it; what cannot be sent is a log line."""
        operator = self._settings.operator
        if not operator or not trouble.exit_code or self._was_told(trouble.exit_code, now.date()):
            return
        refused = trouble if isinstance(trouble, DigestError) else trouble.stopped_by
        if isinstance(refused, SmtpRefusedError):
            # A second try with the same password brings the account nearer to being locked.
            log.error("the operator was not told: the mail server refuses us")
            return
        from digest.app import build_backend
        from digest.deliver.outbox import send_alone

        try:
            message = _compose(self._settings, operator, trouble, self._command, now)
            send_alone(build_backend(self._settings, self._folder), message)
        except Exception as error:  # noqa: BLE001 - the pass ends as it would have ended without
            log.error("the operator was not told: %s", mask_addresses(str(error)))  # noqa: TRY400

    def _was_told(self, exit_code: int, day: date) -> bool:
        """Whether this day had such a notice, of this process or another; from now on it had one.

        Also one that fails: a server that is down is not asked once a minute.
        """
        from digest.app import secret_file

        code, today = str(exit_code), day.isoformat()
        file = secret_file(self._settings.database_url).with_suffix(".told")
        with suppress(OSError, ValueError):
            held = json.loads(file.read_text(encoding="ascii"))
            self._told |= held if isinstance(held, dict) else {}
        if self._told.get(code) == today:
            return True
        self._told[code] = today
        # Where it cannot be kept, the operator is told once more.
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(self._told), encoding="ascii")
        return False


def _compose(
    settings: "Settings", operator: str, trouble: "Report | DigestError", command: str, now: datetime
) -> "Message":
    from digest.looks import load_look, template_folders
    from digest.render.compile import load_template
    from digest.render.theme import Theme

    folders = template_folders(settings.templates)
    try:
        template = load_look(("notice", Theme().name), folders)
        return _fill(template, settings, operator, trouble, command, now)
    except DigestError:
        # The operator's own may be what is broken.
        template = load_template("notice", folders[-1:], Theme())
        return _fill(template, settings, operator, trouble, command, now)


def _fill(
    template: "Template",
    settings: "Settings",
    operator: str,
    trouble: "Report | DigestError",
    command: str,
    now: datetime,
) -> "Message":
    from digest.render.compose import compose_letter
    from digest.render.language import find_language
    from digest.render.letters import notice_letter

    language = find_language("")
    brand = template.theme.brand
    if isinstance(trouble, DigestError):
        letter = notice_letter(
            language, brand=brand, command=command, exit_code=trouble.exit_code, problems=_each(trouble)
        )
    else:
        letter = notice_letter(
            language,
            brand=brand,
            command=command,
            exit_code=trouble.exit_code,
            problems=(*_each(trouble.stopped_by), *_each(trouble.mismatch), *trouble.failures, *trouble.problems),
            polls=trouble.polls,
            failed=(
                *(
                    f"{each.state} {each.delivery.subscriber} {each.delivery.date}: {each.detail}"
                    for each in trouble.troubles
                ),
                *(f"{each.state} {each.subscriber} {each.date}: {each.detail}" for each in trouble.uncertain),
            ),
            counts=trouble.counts,
            waiting=trouble.waiting,
        )
    return compose_letter(
        letter,
        template,
        identity=f"notice.{now:%Y%m%d.%H%M%S}.{trouble.exit_code}",
        recipient=operator,
        sender=settings.sender or operator,
        zone=ZoneInfo("UTC"),
        now=now,
    )


def _each(error: DigestError | None) -> tuple[DigestError, ...]:
    if error is None:
        return ()
    return error.problems if isinstance(error, ConfigProblems) else (error,)
