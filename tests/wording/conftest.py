import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.store.database import open_database
from digest.store.wordings import Wordings
from tests.collect.evil_http import EvilHttp


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Wordings]:
    engine = open_database(f"sqlite:///{tmp_path}/wordings.sqlite3")
    yield Wordings(engine)
    engine.dispose()


@pytest.fixture
def model() -> Iterator[EvilHttp]:
    with EvilHttp().running() as server:
        yield server


@pytest.fixture
def connect() -> Callable[[Limits], Client]:
    """Clients that are in a hurry to try again."""
    return lambda limits: Client(
        contact="tests@example.org", limits=replace(limits, backoff_s=0.01, backoff_max_s=0.01)
    )


def said(text: object, finish_reason: str = "stop") -> bytes:
    """An answer in the shape of OpenAI's interface."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
