from pathlib import Path
from textwrap import indent

import pytest

from digest.config.subscribers import Roster, load_subscribers
from digest.model import Example, PaperKey, Subscriber, Topic

LIBRARY = """[
  {"title": "How cells age", "abstract": "They do.", "DOI": "10.1000/x1"},
  {"title": "What models know", "URL": "https://arxiv.org/abs/2401.01234"},
  {"type": "article"}
]"""


def load(tmp_path: Path, subscriber: str, defaults: str = "{}") -> Roster:
    path = tmp_path / "subscribers.yaml"
    head = f"sources: [{{huggingface: daily}}]\ndefaults: {defaults}\nsubscribers:\n  - name: Ada\n"
    path.write_text(f"{head}    email: ada@example.org\n{indent(subscriber, '    ')}\n", encoding="utf-8")
    return load_subscribers(path, {})


def ada(roster: Roster) -> Subscriber:
    assert [str(problem) for problem in roster.problems] == []
    (only,) = roster.subscribers
    return only


def test_every_part_of_a_topic_is_read(tmp_path: Path) -> None:
    roster = load(
        tmp_path,
        """\
topics:
  - name: Ageing
    query: title:(cell OR tissue) -survey
      less:poster
    less: [review, case report]
    about: How cells age.
    like: ["2401.01234v2", "https://doi.org/10.1000/X1"]
    threshold: arXiv:2402.00001
    limit: 3
  - {name: Near, about: cells, threshold: 1}
  - {name: One, like: "2401.01234"}""",
    )

    ageing, near, one = ada(roster).topics
    assert ageing == Topic(
        name="Ageing",
        query="title:(cell OR tissue) -survey less:poster",
        less=("review", "case report"),
        about="How cells age.",
        like=(Example(keys=(PaperKey("arxiv:2401.01234"),)), Example(keys=(PaperKey("doi:10.1000/x1"),))),
        threshold=PaperKey("arxiv:2402.00001"),
        limit=3,
    )
    assert isinstance(near.threshold, float)
    assert one.like == (Example(keys=(PaperKey("arxiv:2401.01234"),)),)


def test_works_are_read_from_a_file_beside_the_subscribers(tmp_path: Path) -> None:
    (tmp_path / "library.json").write_text(LIBRARY, encoding="utf-8")

    roster = load(tmp_path, "topics: [{name: T, like: [library.json, '2402.00001']}]")

    *read, last = ada(roster).topics[0].like
    assert [work.title for work in read] == ["How cells age", "What models know"]
    assert last == Example(keys=(PaperKey("arxiv:2402.00001"),))
    assert roster.files == (tmp_path / "subscribers.yaml", tmp_path / "library.json")
    (note,) = roster.notes
    assert note.startswith("subscriber (ada), topic 'T': ")


def test_a_file_of_works_that_is_missing_costs_its_topic_only_and_is_watched(tmp_path: Path) -> None:
    roster = load(tmp_path, "topics:\n  - {name: good, any: clip}\n  - {name: T, any: clip, like: gone.json}")

    assert [topic.name for topic in roster.subscribers[0].topics] == ["good"]
    (told,) = map(str, roster.problems)
    assert "subscribers.yaml:8 (ada): " in told
    assert "gone.json" in told
    assert tmp_path / "gone.json" in roster.files


def test_a_query_that_cannot_be_read_is_told_with_line_topic_and_place(tmp_path: Path) -> None:
    roster = load(tmp_path, 'topics:\n  - {name: good, any: clip}\n  - name: Robots\n    query: robot (arm OR "leg"')

    assert [topic.name for topic in roster.subscribers[0].topics] == ["good"]
    (told,) = map(str, roster.problems)
    place, *block, hint = told.splitlines()
    assert place.endswith("subscribers.yaml:9 (ada): the query of the topic 'Robots': the parenthesis is not closed")
    assert block == ['  robot (arm OR "leg"', "        ^"]
    assert hint.startswith("  hint: add ‘)’; until then this topic finds nothing")


def test_an_address_in_a_query_is_not_repeated(tmp_path: Path) -> None:
    roster = load(tmp_path, "topics: [{name: T, query: '(ada.canary@example.org'}]")

    (told,) = map(str, roster.problems)
    assert "ada.canary" not in told


@pytest.mark.parametrize(
    ("defaults", "subscriber", "rising"),
    [
        pytest.param("{}", "topics: [{name: T, any: clip}]", 0, id="nothing said"),
        pytest.param("{}", "trending: 5", 3, id="with trending papers"),
        pytest.param("{}", "trending: 5\nrising: 0", 0, id="none of them"),
        pytest.param("{rising: 4}", "topics: [{name: T, any: clip}]", 4, id="as a default"),
        pytest.param("{trending: 5, rising: 4}", "rising: 7", 7, id="over a default"),
    ],
)
def test_who_sees_trending_papers_sees_rising_ones(tmp_path: Path, defaults: str, subscriber: str, rising: int) -> None:
    assert ada(load(tmp_path, subscriber, defaults)).rising == rising


def test_near_misses_and_the_order_by_topic_are_asked_for(tmp_path: Path) -> None:
    asked = ada(load(tmp_path, "topics: [{name: T, any: clip}]\nnear_misses: 5", "{by_topic: true}"))
    silent = ada(load(tmp_path, "topics: [{name: T, any: clip}]"))

    assert (asked.near_misses, asked.by_topic) == (5, True)
    assert (silent.near_misses, silent.by_topic) == (0, False)


@pytest.mark.parametrize("key", ["rising: 21", "near_misses: 21", "rising: -1", "by_topic: 1"])
def test_what_is_out_of_range_is_told(tmp_path: Path, key: str) -> None:
    roster = load(tmp_path, f"topics: [{{name: T, any: clip}}]\n{key}")

    (told,) = map(str, roster.problems)
    assert f"'{key.partition(':')[0]}' must be" in told
