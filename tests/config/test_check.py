from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.home import Home, a_home, reader

SOURCE = {"huggingface": "daily"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with a_home(tmp_path / "home") as home:
        yield home


def topics(*queries: str) -> list[dict[str, str]]:
    return [{"name": f"T{number}", "query": query} for number, query in enumerate(queries)]


def test_check_prints_the_normal_form_of_every_topic(home: Home) -> None:
    listed = {"name": "Lists", "any": ["RAG", "dense retrieval"], "none": "survey"}
    home.subscribe(reader("Ada", topics=[*topics('title:( a1 OR /x[12]/ ) -"b c"'), listed]), sources=[SOURCE])

    silent, asked = home.digest("check"), home.digest("check", "--queries")

    assert (silent.code, asked.code) == (0, 0)
    assert 'Ada, T0:\n  (title:a1 OR title:/x[12]/) NOT "b c"\n' in asked.out
    assert 'Ada, Lists:\n  (RAG OR "dense retrieval") NOT survey\n' in asked.out
    assert "Ada, T0:" not in silent.out


def test_check_notes_queries_that_hardly_mean_what_was_meant(home: Home) -> None:
    queries = topics("cat or dog", "cat -cat", "cat cat:cs", "cat cat:sc.CL", "cat (cat:cs.CL OR cat:neuroscience)")
    home.subscribe(reader("Ada", topics=queries), sources=[SOURCE])

    done = home.digest("check")

    notes = [line for line in done.out.splitlines() if line.startswith("note: subscriber Ada")]
    assert done.code == 0
    assert [note.partition("topic ")[2][:2] for note in notes] == ["T0", "T1", "T2", "T3"]
    for note, words in zip(notes, ("‘OR’", "can hardly match", "‘cat:cs.*’", "not an arXiv category"), strict=True):
        assert words in note


def test_check_shows_where_a_query_is_wrong(home: Home) -> None:
    home.subscribe(reader("Ada", topics=topics("cat", "cat (dog OR [cow]")), sources=[SOURCE])

    done = home.digest("check")

    assert done.code == 2
    assert (
        "(ada): the query of the topic 'T1': the parenthesis is not closed\n  cat (dog OR [cow]\n      ^\n" in done.err
    )


def test_check_notes_a_model_that_cannot_be_used(home: Home) -> None:
    home.subscribe(reader("Ada", topics=topics("cat")), sources=[SOURCE])
    home.env["DIGEST_EMBEDDER"] = "guesswork:large"

    done = home.digest("check")

    assert done.code == 0
    assert "note: DIGEST_EMBEDDER: no model is called 'guesswork:large'; words alone are compared (known: " in done.out


def test_check_reads_the_dkim_key_and_says_what_does_not_count(home: Home) -> None:
    home.subscribe(reader("Ada", quiet="2026-11-01..2026-11-18"), reader("Ben", quiet="2026-11-19"), sources=[SOURCE])
    home.env |= {"DIGEST_DKIM__SELECTOR": "x", "DIGEST_DKIM__KEY": "none", "DIGEST_DKIM__DOMAIN": "other.test"}

    done = home.digest("check", now="2026-11-19T12:00")

    assert done.code == 2
    assert "error DIGEST_DKIM__KEY: the value is not a private key in PEM" in done.err
    assert "DIGEST_DKIM__DOMAIN: signatures of other.test do not count for paperround.test" in done.out
    assert "note: subscriber Ada: every date of 'quiet' is over" in done.out
    assert "subscriber Ben" not in done.out
