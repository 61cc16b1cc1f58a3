"""``digest init``: writes the files a newcomer edits."""

from pathlib import Path

from digest.cli.common import console, examples
from digest.errors import ConfigError
from digest.paths import shipped

_ENV = """\
# Settings of this machine. Keep this file to yourself: it holds a password.
DIGEST_SMTP__HOST=smtp.example.org
# starttls (port 587), tls (port 465), or none (this machine only)
DIGEST_SMTP__SECURITY=starttls
DIGEST_SMTP__USERNAME=
DIGEST_SMTP__PASSWORD=
DIGEST_SENDER=Paperround <digest@example.org>

# Addresses that subscribers.yaml refers to
MY_EMAIL=
"""

_SUBSCRIBERS = """\
# Who gets which papers. Every key is shown in subscribers.example.yaml and docs/subscribers.md.
sources:
  - arxiv: [cs.CL, cs.CV, cs.LG]
  - huggingface: daily

defaults: {timezone: Europe/Berlin, schedule: weekdays at 07:30, limit: 20}

subscribers:
  - name: Me
    email: ${MY_EMAIL}          # its value stands in .env
    topics:
      - name: Language models
        any: [language model, LLM]
        none: [survey]
    trending: 5
"""

EPILOG = examples("mkdir papers && cd papers && digest init", "digest check")


def init() -> None:
    """Write a starter [bold]subscribers.yaml[/bold] and [bold].env[/bold] into this folder; existing files stay."""
    written = [
        name for name, text in (("subscribers.yaml", _SUBSCRIBERS), (".env", _ENV)) if _write_new(Path(name), text)
    ]
    if not written:
        raise ConfigError("subscribers.yaml and .env exist already", hint="edit them, then: digest check")
    console.print(f"wrote {' and '.join(written)}")
    console.print(f"every key of the format: {shipped('subscribers.example.yaml')}", soft_wrap=True)
    console.print("next: fill in both, then  digest check,  digest doctor,  digest preview --open,  digest run --all")


def _write_new(path: Path, text: str) -> bool:
    """Create a file that only its owner may read, unless there is one."""
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(text, encoding="utf-8")
    except FileExistsError:
        return False
    except OSError as exc:
        raise ConfigError(
            f"cannot be written ({exc.strerror})", where=str(path), hint="change to a folder of yours first"
        ) from exc
    return True
