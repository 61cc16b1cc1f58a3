"""Vectors from a server with an OpenAI-compatible interface: OpenAI, Ollama, vLLM, text-embeddings-inference."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from digest.collect.client import Client, Request
from digest.collect.limits import Limits
from digest.collect.sources.json_page import dicts_of, read_json
from digest.collect.turns import Deadline
from digest.embed.local import unit_rows
from digest.errors import CollectError, EmbedError
from digest.ports import Ask, Page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AT_ONCE = 64
"""Texts in one request."""
_CHARS = 8_000
"""Of one text; the usual models read 8,192 tokens or fewer, and an abstract is shorter."""
_SECONDS = 120.0
"""For all requests of one call."""
_TEXT_BYTES = 128 * 1024
"""A vector of 4,096 numbers takes some 90 kB as JSON."""


class Endpoint:
    """A server that is asked for vectors."""

    def __init__(
        self, url: str, model: str, *, connect: Callable[[Limits], Client], key: str = "", threshold: float = 0.35
    ) -> None:
        """Ask for nothing yet.

        Args:
            url: Without ``/embeddings``: ``http://localhost:11434/v1``.
            model: As the server calls it.
            connect: Makes a client with these limits.
            key: Sent as a bearer token; empty for none.
            threshold: See `digest.ports.Embedder`.
        """
        self.name = f"openai:{url}#{model}"
        self.threshold = threshold
        self._url = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._connect = connect
        self._headers = (("authorization", f"Bearer {key}"),) if key else ()

    def embed(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """See `digest.ports.Embedder`."""
        try:
            return unit_rows(asyncio.run(self._all(texts)) if texts else [], len(texts), self.name)
        except CollectError as exc:
            raise EmbedError(
                exc.problem, where=self.name, hint=exc.hint or "check the address, the model and the key"
            ) from exc

    async def _all(self, texts: Sequence[str]) -> list[list[float]]:
        limits = Limits(deadline_s=_SECONDS, read_s=_SECONDS, body_bytes=_AT_ONCE * _TEXT_BYTES, redirects=0, tries=3)
        deadline = Deadline(_SECONDS)
        vectors: list[list[float]] = []
        try:
            async with aclosing(self._connect(limits)) as client, deadline.timeout:
                for start in range(0, len(texts), _AT_ONCE):
                    vectors += await self._some(client, texts[start : start + _AT_ONCE], deadline)
        except TimeoutError as exc:
            raise CollectError(f"{len(vectors)} of {len(texts)} vectors were there after {_SECONDS:g} s") from exc
        return vectors

    async def _some(self, client: Client, texts: Sequence[str], deadline: Deadline) -> list[list[float]]:
        # Some servers refuse an empty text.
        body = {"model": self._model, "input": [text[:_CHARS] or " " for text in texts], "encoding_format": "float"}
        ask = Ask(self._url, self._headers, json.dumps(body).encode())
        answer = await client.fetch(Request(ask=ask, allow_private=True, deadline=deadline))
        if answer.page is None or answer.problem:
            raise CollectError(answer.problem or "no answer")
        return read_vectors(answer.page, len(texts))


def read_vectors(page: Page, count: int) -> list[list[float]]:
    """The vectors of an answer, in the order of the texts.

    Source: https://platform.openai.com/docs/api-reference/embeddings (read 2026-11-22)

    Raises:
        CollectError: The page is no answer, or not to these texts.
    """
    by_index: dict[int, list[float]] = {}
    for item in dicts_of(read_json(page, dict).get("data")):
        index, vector = item.get("index"), item.get("embedding")
        if (
            type(index) is not int
            or not isinstance(vector, list)
            or not vector
            or not all(type(number) in (int, float) for number in vector)
        ):
            raise CollectError("an item of the answer is no vector with an index")
        by_index[index] = vector
    if sorted(by_index) != list(range(count)):
        raise CollectError(f"{count} texts were sent, the answer has {len(by_index)} of their vectors")
    return [by_index[index] for index in range(count)]
