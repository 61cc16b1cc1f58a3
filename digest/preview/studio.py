"""Puts one mail together as the page asks for it: whose, in which template, theme and language, of which day."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from digest.app import Config, build_world, load_config
from digest.config.settings import Settings
from digest.errors import ConfigError, DigestError
from digest.lint.sample import ANSWERS, RECIPIENT, SENDER, empty_edition, full_edition, sample_letter
from digest.looks import load_look, template_folders, theme_files
from digest.model import Edition, Message, Subscriber
from digest.preview.editions import edition_to_show, sample_edition
from digest.render.compile import Template, find_templates
from digest.render.compose import compose_message
from digest.render.language import LANGUAGES
from digest.render.letters import LETTERS
from digest.render.plan import Answers
from digest.render.theme import Theme
from digest.text.masking import mask_addresses
from digest.world import World

_DAILY = "daily"

Papers = Literal["stored", "invented", "everything", "nothing"]
"""Theirs; what they would get of invented papers; an invented edition that has everything; one that has nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which mail to show; whatever is empty is as the subscriber has it."""

    subscriber: str = ""
    """An id; the first one's if empty."""
    template: str = ""
    theme: str = ""
    language: str = ""
    day: date | None = None
    """As if it were this day; today if not given."""
    papers: Papers = "stored"


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail to look at."""

    message: Message
    template: Template
    edition: Edition | None
    """What is in it; letters have none."""
    papers: str
    """Where they are from, in words."""
    answers: Answers = field(default_factory=Answers)
    problems: tuple[str, ...] = ()
    """What else is wrong with the subscribers file, a line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the page may ask for."""

    subscribers: tuple[Subscriber, ...]
    templates: tuple[str, ...]
    themes: tuple[str, ...]
    day: date
    """Today, in UTC."""
    languages: tuple[str, ...] = LANGUAGES


class Studio:
    """Reads what the operator and the designer wrote, and keeps it until it is told that something changed."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._config: Config | None = None
        self._world: World | None = None
        self._templates: dict[tuple[str, str], Template] = {}
        self._chosen: dict[tuple[Subscriber, date | None, Papers], tuple[Edition, str]] = {}
        self._shown: dict[Wish, Shown] = {}

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where templates and themes are looked for, first to last."""
        return template_folders(self._settings.templates)

    @property
    def files(self) -> tuple[Path, ...]:
        """The subscribers file, and the lists that it names; these only if it can be read."""
        with suppress(DigestError):
            self.subscribers()
        return self._config.roster.files if self._config else (self._settings.subscribers,)

    def forget(self, *, people: bool = True) -> None:
        """Read everything again when it is next asked for; without ``people``, only templates and themes."""
        with self._lock:
            self._templates.clear()
            self._shown.clear()
            if people:
                self._config = None
                self._chosen.clear()

    def subscribers(self) -> tuple[Subscriber, ...]:
        """Everybody who is written to.

        Raises:
            ConfigError: Their file cannot be read.
        """
        with self._lock:
            return tuple(self._read().subscribers)

    def problems(self) -> tuple[ConfigError, ...]:
        """What else is wrong with their file.

        Raises:
            ConfigError: It cannot be read.
        """
        with self._lock:
            self._read()
            return self._config.roster.problems if self._config else ()

    def choices(self) -> Choices:
        """What there is to choose from; without subscribers while their file cannot be read."""
        try:
            subscribers = self.subscribers()
        except ConfigError:
            subscribers = ()
        return Choices(
            subscribers=subscribers,
            templates=tuple(sorted(find_templates(self.folders))),
            themes=tuple(sorted(theme_files(self.folders))),
            day=self._clock().date(),
        )

    def show(self, wish: Wish) -> Shown:
        """The mail.

        Raises:
            DigestError: The subscribers file, the theme or the template is broken.
        """
        with self._lock:
            if wish not in self._shown:
                self._shown[wish] = self._compose(wish)
            return self._shown[wish]

    def _compose(self, wish: Wish) -> Shown:
        now = self._clock()
        if wish.day:
            now += timedelta(days=(wish.day - now.date()).days)
        if wish.template in LETTERS:
            template = self._template(wish.template, wish.theme or Theme().name)
            message = sample_letter(template, language=wish.language, sender=self._settings.sender or SENDER, now=now)
            return Shown(message, template, None, "an invented letter")
        if wish.papers in ("everything", "nothing"):
            return self._sample(wish, now)
        world = self._read()
        asked = _find(world, wish.subscriber)
        subscriber = replace(
            asked,
            # Whoever looks at it, or keeps it as a file, need not learn the address.
            email=RECIPIENT,
            template=wish.template or asked.template,
            theme=wish.theme or asked.theme,
            language=wish.language or asked.language,
        )
        template = self._template(subscriber.template, subscriber.theme)
        world = replace(world, templates={subscriber.look: template})
        key = (subscriber, wish.day, wish.papers)
        if key not in self._chosen:
            choose = sample_edition if wish.papers == "invented" else edition_to_show
            self._chosen[key] = choose(world, subscriber, now)
        edition, papers = self._chosen[key]
        message = compose_message(edition, template, sender=world.sender, now=now, answers=world.answers)
        assert self._config
        problems = tuple(mask_addresses(str(problem)) for problem in self._config.roster.problems)
        return Shown(message, template, edition, papers, world.answers, problems)

    def _sample(self, wish: Wish, now: datetime) -> Shown:
        template = self._template(wish.template or _DAILY, wish.theme or Theme().name)
        make = full_edition if wish.papers == "everything" else empty_edition
        edition = make(now, template=template.name, theme=template.theme.name, language=wish.language)
        message = compose_message(edition, template, sender=SENDER, now=now, answers=ANSWERS)
        return Shown(message, template, edition, f"an invented edition that has {wish.papers}", ANSWERS)

    def _read(self) -> World:
        if self._config is None or self._world is None:
            config = load_config(self._settings)
            world = self._world or build_world(config, self._clock)
            self._world = replace(world, subscribers=config.roster.subscribers)
            self._config = config
        return self._world

    def _template(self, name: str, theme: str) -> Template:
        if (name, theme) not in self._templates:
            self._templates[name, theme] = load_look((name, theme), self.folders)
        return self._templates[name, theme]


def _find(world: World, name: str) -> Subscriber:
    """The subscriber with this id, the first if none is asked for.

    Raises:
        ConfigError: There is none.
    """
    found = next((each for each in world.subscribers if name in ("", each.id)), None)
    if found is None:
        problem = f"no subscriber has the id {name!r}" if name else "there is nobody to show a mail of"
        raise ConfigError(problem, hint="choose another one; digest check tells what is wrong with the file")
    return found
