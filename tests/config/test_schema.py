import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are a package of their own
from ruamel.yaml import YAML

from digest.config.schema import PATH, schema_text
from digest.paths import shipped


@pytest.fixture
def example() -> Any:
    return YAML(typ="safe", pure=True).load(shipped("subscribers.example.yaml"))


@pytest.fixture
def schema() -> Draft202012Validator:
    shipped_schema = json.loads(PATH.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(shipped_schema)
    return Draft202012Validator(shipped_schema)


def test_the_shipped_schema_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == schema_text(), "run: python -m digest.config.schema"


def test_the_example_names_the_schema_where_it_is() -> None:
    first = shipped("subscribers.example.yaml").read_text(encoding="utf-8").splitlines()[0]

    assert first == "# yaml-language-server: $schema=digest/config/subscribers.schema.json"
    assert PATH.parts[-3:] == ("digest", "config", "subscribers.schema.json")


def test_an_editor_accepts_the_example(schema: Draft202012Validator, example: Any) -> None:
    assert [error.message for error in schema.iter_errors(example)] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["subscribers"][0].update(topcis=[]),
        lambda file: file["subscribers"][0]["topics"][0].update(al=["x"]),
        lambda file: file["subscribers"][0].update(limit="many"),
        lambda file: file["subscribers"][0].update(trending=51),
        lambda file: file["subscribers"][0].update(abstract="long"),
        lambda file: file["subscribers"][0].update(abstract=5001),
        lambda file: file["subscribers"][0].update(theme=["ink"]),
        lambda file: file["subscribers"][0].update(at_least=0),
        lambda file: file["subscribers"][0].update(links="2"),
        lambda file: file["defaults"].update(links=2),
        lambda file: file["subscribers"][0].pop("email"),
        lambda file: file["sources"].append({"arxvi": ["cs.CL"]}),
        lambda file: file["sources"].append({"arxiv": "cs.CL", "announce": ["news"]}),
        lambda file: file["sources"].append({"openalex": {"topic": "T10653"}}),
        lambda file: file["sources"].append({"opml": "feeds.opml", "url": "https://example.org/"}),
        lambda file: file.update(subscriber=[]),
    ],
)
def test_an_editor_marks_a_mistake(schema: Draft202012Validator, example: Any, change: Any) -> None:
    change(example)

    assert not schema.is_valid(example)


@pytest.mark.parametrize("abstract", [0, 5000, "full", "none"])
def test_an_editor_accepts_every_length_of_abstracts(
    schema: Draft202012Validator, example: Any, abstract: object
) -> None:
    example["subscribers"][0] |= {"abstract": abstract, "theme": "ink", "archive": "https://papers.example.org"}

    assert schema.is_valid(example)


def test_an_editor_accepts_when_a_mail_comes(schema: Draft202012Validator, example: Any) -> None:
    example["defaults"] |= {"quiet": "2026-12-24..2027-01-02", "holidays": "DE-BE", "at_least": 3}
    example["subscribers"][0] |= {"quiet": ["2026-12-24"], "latest_send": "10:00", "links": 2}

    assert schema.is_valid(example)


def test_an_editor_accepts_one_word_for_a_list(schema: Draft202012Validator, example: Any) -> None:
    example["subscribers"][0]["topics"][0]["any"] = "CLIP"
    example["subscribers"][0]["schedule"] = ["Monday", "Friday"]

    assert schema.is_valid(example)


@pytest.mark.parametrize(
    "source",
    [
        {"arxiv": "cs.CL", "announce": "replace", "listing_url": "https://mirror.example/"},
        {"huggingface": "weekly"},
        {"biorxiv": "all"},
        {"medrxiv": ["epidemiology"]},
        {"pubmed": "crispr"},
        {"crossref": ["1476-4687"]},
        {"openreview": "ICLR.cc/2026/Conference"},
        {"openalex": "graphs"},
        {"openalex": {"topics": ["T10653"], "search": "graphs"}},
        {"semantic_scholar": "enrich"},
        {"hackernews": "points"},
        {"github": "stars"},
        {"opml": "feeds.opml", "allow_private": True},
    ],
    ids=str,
)
def test_an_editor_accepts_every_kind_of_source(
    schema: Draft202012Validator, example: Any, source: dict[str, object]
) -> None:
    example["sources"].append(source)
    example["subscribers"][0]["language"] = "pt-BR"

    assert schema.is_valid(example)
