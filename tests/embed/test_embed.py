"""Models against a real server that is good or broken, and the names they are chosen by."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from digest.collect.client import Client
from digest.collect.limits import Limits
from digest.embed.load import load_embedder
from digest.embed.local import LocalModel
from digest.errors import EmbedError
from digest.ports import Embedder
from tests.collect.evil_http import Answer, EvilHttp

PATH = "/v1/embeddings"


def connect(limits: Limits) -> Client:
    return Client(contact="tests@example.org", limits=replace(limits, backoff_s=0.01, backoff_max_s=0.01))


@pytest.fixture
def server() -> Iterator[EvilHttp]:
    with EvilHttp().running() as server:
        yield server


@pytest.fixture
def model(server: EvilHttp) -> Embedder:
    return load_embedder(f"openai:{server.url}/v1/#invented", connect=connect, key="s3cret")


def vectors(*found: Any) -> bytes:
    """An answer in the shape of OpenAI's interface, last vector first."""
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(found)]
    return json.dumps({"object": "list", "data": data[::-1], "model": "invented"}).encode()


def test_vectors_come_in_the_order_of_the_texts_and_have_length_one(server: EvilHttp, model: Embedder) -> None:
    server.answers(PATH, vectors([3, 4], [0, -2.5], [0, 0]))

    found = model.embed(["one", "two", ""])

    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[0.6, 0.8], [0, -1], [0, 0]]))
    [request] = server.requests
    assert (request.method, request.headers["authorization"]) == ("POST", "Bearer s3cret")
    assert json.loads(request.body) == {"model": "invented", "input": ["one", "two", " "], "encoding_format": "float"}


def test_many_texts_go_in_batches(server: EvilHttp, model: Embedder) -> None:
    server.answers(PATH, vectors(*[[1, 0]] * 64), vectors(*[[0, 1]] * 6))

    found = model.embed([f"text {number}" for number in range(70)])

    assert found.shape == (70, 2)
    assert found[[0, 63, 64]].tolist() == [[1, 0], [1, 0], [0, 1]]
    assert [len(json.loads(request.body)["input"]) for request in server.requests] == [64, 6]


def test_no_texts_ask_nothing(server: EvilHttp, model: Embedder) -> None:
    assert len(model.embed([])) == 0
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(Answer(b"{}", status=401), "401", id="refused"),
        pytest.param(b"<html>Sign in</html>", "", id="a page"),
        pytest.param(b"{}", "2 texts were sent, the answer has 0", id="no vectors"),
        pytest.param(vectors([1, 0]), "2 texts were sent, the answer has 1", id="too few"),
        pytest.param(vectors([1], [1], [1]), "2 texts were sent, the answer has 3", id="too many"),
        pytest.param(vectors([1, 0], [1]), "not of one length", id="of two lengths"),
        pytest.param(vectors([1, 0], ["1", 0]), "no vector", id="text in a vector"),
        pytest.param(vectors([1, 0], []), "no vector", id="empty"),
        pytest.param(vectors([1, 0], [1e39, 0]), "not finite", id="beyond float32"),
        pytest.param(vectors([1, 0], [10**400, 0]), "", id="beyond any float"),
        pytest.param(json.dumps({"data": [{"embedding": [1]}] * 2}).encode(), "no vector", id="without index"),
        pytest.param(Answer(resets=True), "", id="the connection breaks"),
    ],
)
def test_a_bad_answer_is_an_error_that_names_the_model(
    server: EvilHttp, model: Embedder, answer: Answer | bytes, problem: str
) -> None:
    server.answers(PATH, answer)

    with pytest.raises(EmbedError) as error:
        model.embed(["one", "two"])

    assert problem in error.value.problem
    assert error.value.where == f"openai:{server.url}/v1/#invented"
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "word2vec",
        "wordllama:x",
        "model2vec:",
        "openai:https://a.example/v1",
        "openai:a.example#m",
        "openai:ftp://a.example#m",
        "openai:https://me:s3cret@a.example/v1#m",
        "openai:http://[#m",
    ],
)
def test_a_name_of_no_model(name: str) -> None:
    with pytest.raises(EmbedError, match="no model is called") as error:
        load_embedder(name, connect=connect)

    assert "known: wordllama, model2vec:NAME" in error.value.hint


@pytest.mark.skipif(find_spec("sentence_transformers") is not None, reason="sentence-transformers is installed")
def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(EmbedError, match="not installed") as error:
        load_embedder("sentence-transformers:all-MiniLM-L6-v2", connect=connect)

    assert "pip install 'paperround[sentence-transformers]'" in error.value.hint


def test_a_model_that_cannot_be_loaded_or_says_nonsense() -> None:
    def missing() -> Any:
        raise OSError("no such model\nanywhere")

    for load, problem in [
        (missing, "OSError: no such model anywhere"),
        (lambda: lambda texts: [[1.0, 2.0]], "one length"),
    ]:
        with pytest.raises(EmbedError, match=problem) as error:
            LocalModel("invented", 0.5, load).embed(["a", "b", "c"])
        assert error.value.where == "invented"


def test_a_model_is_loaded_once_and_only_when_used() -> None:
    loads: list[Callable[..., Any]] = []

    def load() -> Any:
        loads.append(load)
        return lambda texts: [[1.0, 1.0]] * len(texts)

    model = LocalModel("invented", 0.5, load)
    assert loads == []

    assert model.embed(["a"]).shape == model.embed(["b"]).shape == (1, 2)
    assert len(loads) == 1


@pytest.mark.skipif(find_spec("wordllama") is None, reason="the extra wordllama is not installed")
def test_word_llama_works_without_a_network() -> None:
    model = load_embedder("wordllama", connect=connect)

    robot, machine, star, empty = model.embed(["robot arms grasp cups", "a manipulator lifts mugs", "old stars", ""])

    assert robot @ machine > 0.3 > robot @ star
    assert np.linalg.norm(robot) == pytest.approx(1)
    assert not empty.any()


@pytest.mark.skipif(find_spec("model2vec") is None, reason="the extra model2vec is not installed")
def test_a_folder_of_model2vec(tmp_path: Any) -> None:
    from model2vec import StaticModel
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"robot": 0, "star": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    StaticModel(np.array([[3, 4], [0, 2], [0, 0]], dtype=np.float32), tokenizer).save_pretrained(tmp_path)

    found = load_embedder(f"model2vec:{tmp_path}", connect=connect).embed(["robot", "star", ""])

    assert found == pytest.approx(np.array([[0.6, 0.8], [0, 1], [0, 0]]))


def test_choosing_a_model_does_not_load_numpy_models() -> None:
    load_embedder("openai:https://a.example/v1#m", connect=connect)

    assert not {"torch", "sentence_transformers"} & set(sys.modules)
