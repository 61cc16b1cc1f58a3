"""Has a language model write what readers should get besides the papers' own words, and keeps it."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice, zip_longest
from typing import Protocol

from digest.collect.client import Client, Request
from digest.collect.limits import Limits
from digest.collect.turns import Deadline
from digest.errors import CollectError, StoreError
from digest.model import Paper, PaperKey, Wording, WordingKind
from digest.ports import Ask
from digest.text.clean import clean_text, fit
from digest.wording.prompt import Wish, can_be_written, printable, read_answer, request_body

_log = logging.getLogger(__name__)

_AT_ONCE = 4
_FAILURES = 3
"""In a row, and the model is left alone."""
_PROBLEMS_SHOWN = 5
_ANSWER_BYTES = 256 * 1024
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSettings:
    """Which model to ask, and how much of it."""

    url: str
    """Of an OpenAI-compatible interface, without ``/chat/completions``: ``http://localhost:11434/v1``."""
    model: str
    """As the interface calls it; readers see it as the author."""
    key: str = field(default="", repr=False)
    limit: int = 30
    """At most this many texts in one run."""
    seconds: float = 60.0
    """For one run in all; what is not there by then is left out."""


class WordingStore(Protocol):
    """Keeps what was written."""

    def wordings(self, keys: Sequence[PaperKey], language: str) -> Mapping[PaperKey, Wording]:
        """What readers of this language may see of these papers; of several models', the newest."""

    def written(self, keys: Sequence[PaperKey], language: str, by: str) -> frozenset[tuple[PaperKey, WordingKind]]:
        """What this model needs not be asked for again, refused answers included."""

    def keep(self, key: PaperKey, language: str, kind: WordingKind, *, by: str, text: str, at: datetime) -> None:
        """Keep one text, in place of an earlier one; an empty one says that the answer was refused."""


def write_wordings(
    papers: Mapping[str, Sequence[Paper]],
    store: WordingStore,
    settings: WriterSettings,
    *,
    connect: Callable[[Limits], Client],
    now: datetime,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[str, ...]:
    """Write what is missing: a summary where a paper has none, and title and summary for readers of other languages.

    Whatever goes wrong with the model, mails go out without its texts.

    Args:
        papers: By language, most urgent first; in the language ``""`` only summaries are written.
        store: See `WordingStore`.
        settings: See `WriterSettings`.
        connect: Makes a client with these limits.
        now: Stored with each text.
        stop: Looked at all the while; nothing more is asked then.

    Returns:
        Problems, one line each.

    Raises:
        StoreError: What was written cannot be kept.
    """
    wishes = list(islice(_wishes(papers, store, settings.model), settings.limit))
    if not wishes:
        return ()
    writer = _Writer(wishes, store, settings, connect, now)
    try:
        asyncio.run(writer.run(stop))
    except StoreError:
        raise
    except Exception as exc:  # noqa: BLE001  whatever it is, mails go out
        _log.exception("the language model failed unexpectedly", extra={"model": settings.model})
        text = fit(clean_text(str(exc)), 200)
        writer.problems.append(f"unexpected {type(exc).__name__}: {text}; please report this")
    if writer.problems:
        _log.warning(
            "not every text was written",
            extra={"model": settings.model, "texts": writer.count, "problem": "; ".join(writer.problems[:2])},
        )
    else:
        _log.info("texts were written", extra={"model": settings.model, "texts": writer.count})
    more = len(writer.problems) - _PROBLEMS_SHOWN
    return (*writer.problems[:_PROBLEMS_SHOWN], *([f"and {more} more"] if more > 0 else []))


def _wishes(papers: Mapping[str, Sequence[Paper]], store: WordingStore, model: str) -> Iterator[Wish]:
    """What is missing, the first paper of every language first."""
    missing = [_missing(language, of_language, store, model) for language, of_language in papers.items()]
    return (wish for wish in chain.from_iterable(zip_longest(*missing)) if wish)


def _missing(language: str, papers: Sequence[Paper], store: WordingStore, model: str) -> Iterator[Wish]:
    written = store.written([paper.key for paper in papers], language, model)
    for paper in papers:
        kinds: tuple[WordingKind, ...] = ("title", "summary") if language else () if paper.summary else ("summary",)
        for kind in kinds:
            wish = Wish(paper, language, kind)
            if (paper.key, kind) not in written and can_be_written(wish):
                yield wish


class _Writer:
    """One attempt to have all of it written."""

    def __init__(
        self,
        wishes: Sequence[Wish],
        store: WordingStore,
        settings: WriterSettings,
        connect: Callable[[Limits], Client],
        now: datetime,
    ) -> None:
        self.problems: list[str] = []
        self.count = 0
        self._waiting = deque(wishes)
        self._failures = 0
        self._store = store
        self._settings = settings
        self._connect = connect
        self._now = now
        # A model may think for a while before it says the first word.
        self._limits = Limits(
            deadline_s=settings.seconds, read_s=settings.seconds, body_bytes=_ANSWER_BYTES, redirects=0, tries=2
        )

    async def run(self, stop: Callable[[], bool]) -> None:
        """Write until all is done, the time is over, the model keeps failing, or we are stopped."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.seconds
        asked = len(self._waiting)
        tasks = {asyncio.create_task(self._work()) for _ in range(min(_AT_ONCE, asked))}
        working = set(tasks)
        try:
            while working and not stop() and loop.time() < until:
                wait_s = min(_LOOK_S, until - loop.time())
                done, working = await asyncio.wait(working, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._failures >= _FAILURES:
            self.problems.insert(
                0, f"gave up after {_FAILURES} failures in a row: {len(self._waiting)} texts not tried"
            )
        elif working and not stop():
            self.problems.insert(0, f"{self.count} of {asked} texts were there after {self._settings.seconds:g} s")

    async def _work(self) -> None:
        """Take one text after the other, until none is left or the model keeps failing."""
        # A client of its own: one client asks a host one thing at a time.
        async with aclosing(self._connect(self._limits)) as client:
            while self._waiting and self._failures < _FAILURES:
                wish = self._waiting.popleft()
                try:
                    content = await self._ask(client, wish)
                except CollectError as exc:
                    self._failures += 1
                    self.problems.append(f"{wish.label}: {exc.problem}")
                    continue
                self._failures = 0
                try:
                    text = printable(content, wish)
                except ValueError as exc:
                    self.problems.append(f"{wish.label}: the answer was refused, as {exc}")
                    text = ""
                self._store.keep(
                    wish.paper.key, wish.language, wish.kind, by=self._settings.model, text=text, at=self._now
                )
                self.count += bool(text)

    async def _ask(self, client: Client, wish: Wish) -> str:
        headers = (("authorization", f"Bearer {self._settings.key}"),) if self._settings.key else ()
        url = f"{self._settings.url.rstrip('/')}/chat/completions"
        deadline = Deadline(self._settings.seconds)
        async with deadline.timeout:
            answer = await client.fetch(
                Request(
                    ask=Ask(url, headers, request_body(wish, self._settings.model)),
                    allow_private=True,
                    deadline=deadline,
                )
            )
        if answer.page is None or answer.problem:
            raise CollectError(answer.problem or "no answer of the language model")
        return read_answer(answer.page)
