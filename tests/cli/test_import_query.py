"""``digest import-query`` as a person calls it, with files and pipes."""

from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from digest.cli import app
from digest.cli.import_query import print_topic
from digest.errors import ConfigError
from digest.match.parse import parse_query

SEARCH = '("Apnea, Central"[Mesh] OR apnea*[tiab]) AND night[ti] AND humans[mh]'
QUERY = '("Central Apnea" OR (Apnea Central) OR apnea*) title:night'


def run(*words: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, ["import-query", *words], input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "search.txt"
    path.write_bytes(b"\xef\xbb\xbf" + SEARCH.encode() + b"\r\n")
    return path


def test_a_file_and_a_pipe_give_the_same_query_and_notes_apart(file: Path) -> None:
    for done in (run(str(file)), run(stdin=SEARCH), run("-", "--from", "pubmed", stdin=SEARCH)):
        assert done.exit_code == 0
        assert done.stdout.strip() == QUERY
        assert 'note "Apnea, Central"[Mesh] (column 2): sought as words' in done.stderr
        assert "note humans[mh] (column 60): left out" in done.stderr
        assert "2 notes" in done.stderr


def test_a_topic_is_yaml_that_reads_back(file: Path) -> None:
    long = " OR ".join(f'"word number {number}"' for number in range(60))
    done = run("--topic", 'Sleep: "central" #1', stdin=long)

    [topic] = YAML(typ="safe").load(done.stdout)
    assert topic["name"] == 'Sleep: "central" #1'
    assert parse_query(topic["query"]) == parse_query(long)
    assert max(map(len, done.stdout.splitlines())) <= 110
    assert done.stderr == ""


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(str.strip))
def test_every_query_survives_folding(query: str) -> None:
    query = query.strip()
    [topic] = YAML(typ="safe").load(StringIO(print_topic("T", query)))

    assert topic == {"name": "T", "query": query}


def test_mistakes_name_the_file_and_the_place(file: Path, tmp_path: Path) -> None:
    file.write_text("humans[mh]")
    missing = tmp_path / "missing.txt"

    unusable, unread = run(str(file)), run(str(missing))

    assert isinstance(unusable.exception, ConfigError)
    assert str(unusable.exception).startswith(f"{file}: column 1: nothing in this search can be sought")
    assert "\n  humans[mh]\n  ^\n  hint: " in str(unusable.exception)
    assert isinstance(unread.exception, ConfigError)
    assert f"{missing}: cannot be read: No such file" in str(unread.exception)


def test_help_teaches_by_example() -> None:
    assert "$ digest import-query search.txt" in run("--help").stdout
