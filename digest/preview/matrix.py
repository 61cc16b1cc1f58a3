"""Pictures of every variant of a mail: templates, schemes, widths, and what is left without pictures or CSS."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Final, get_args

import jinja2

from digest.errors import ConfigError
from digest.model import Message
from digest.preview.browser import open_browser, photograph
from digest.preview.frame import Conditions, Scheme, embed_pictures, show_under

WIDTHS: Final = (360, 640, 1024)
CONDITIONS: Final[Mapping[str, Conditions]] = {
    "as is": Conditions(),
    "images off": Conditions(images=False),
    "CSS stripped": Conditions(css=False),
}


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture."""

    template: str
    condition: str
    """A key of `CONDITIONS`."""
    scheme: Scheme
    width: int
    overflow: int
    """So many CSS pixels are to be scrolled sideways."""

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.template}-{self.condition.replace(' ', '-').lower()}-{self.scheme}-{self.width}.png"


def draw_matrix(messages: Mapping[str, Message], folder: Path, program: str) -> Iterator[Shot]:
    """Take all pictures, and write a page that shows them.

    Args:
        messages: A mail in each template, by its name.
        folder: Where the pictures go.
        program: Chromium.

    Raises:
        ConfigError: Nothing can be written there.
        BrowserError: Chromium cannot.
    """
    shots = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as drafts, open_browser(program) as browser:
            for (template, message), (condition, conditions) in product(messages.items(), CONDITIONS.items()):
                draft = Path(drafts, "mail.html")
                html = show_under(embed_pictures(message.html, message.raw), conditions)
                draft.write_text(html, encoding="utf-8")
                for scheme, width in product(get_args(Scheme), WIDTHS):
                    name = Shot(template, condition, scheme, width, 0).name
                    overflow = photograph(browser, draft, folder / name, width=width, scheme=scheme)
                    shots.append(Shot(template, condition, scheme, width, overflow))
                    yield shots[-1]
        (folder / "index.html").write_text(_index(shots), encoding="utf-8")
    except OSError as exc:
        raise ConfigError(
            f"'{folder}' cannot be written ({exc.strerror})", where="--matrix", hint="name a folder of yours"
        ) from exc


def _index(shots: list[Shot]) -> str:
    source = (files("digest.preview") / "page" / "matrix.html.j2").read_text(encoding="utf-8")
    env = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    rows: dict[str, dict[tuple[str, str], list[Shot]]] = defaultdict(lambda: defaultdict(list))
    for shot in shots:
        rows[shot.template][shot.condition, shot.scheme].append(shot)
    return env.from_string(source).render(rows=rows, widths=WIDTHS)
