from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.match.panel import Panel
from digest.match.topics import Reading
from digest.model import SubscriberId, Topic
from tests.builders import a_paper, a_subscriber

PAPERS = [
    a_paper(1, title="Graph networks for retrieval", abstract="With a benchmark."),
    a_paper(2, title="Graph networks", abstract="Nothing more."),
    a_paper(3, title="Retrieval", abstract="A survey with a benchmark."),
]
TOPICS = [
    Topic(name="Graphs", any=("graph network",)),
    Topic(name="Both", all=("graph network", "retrieval")),
    Topic(name="No surveys", query="benchmark -survey"),
    Topic(name="Class", categories=("cs.*",)),
]


def _names(panel: Panel, subscriber: str) -> dict[int, tuple[str, ...]]:
    return dict(panel.ask([Reading(paper) for paper in PAPERS]).of(SubscriberId(subscriber)))


def test_each_subscriber_hears_which_topics_want_a_paper_in_their_order() -> None:
    ada, ben = a_subscriber("Ada", topics=(TOPICS[2], TOPICS[0])), a_subscriber("Ben", topics=(TOPICS[1],))

    panel = Panel([ada, ben])

    assert _names(panel, "ada") == {0: ("No surveys", "Graphs"), 1: ("Graphs",)}
    assert _names(panel, "ben") == {0: ("Both",)}


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True), max_size=6))
def test_a_panel_that_was_changed_asks_as_a_new_one(mornings: list[list[int]]) -> None:
    panel = Panel()
    subscriber = a_subscriber("Ada")
    for chosen in mornings:
        subscriber = a_subscriber("Ada", topics=tuple(TOPICS[number] for number in chosen))
        panel.update([subscriber, a_subscriber("Ben", topics=(TOPICS[chosen[0]],))])
    panel.update([subscriber])

    assert _names(panel, "ada") == _names(Panel([subscriber]), "ada")


def test_a_near_miss_lacks_one_word_where_others_are_there() -> None:
    ada = a_subscriber("Ada", topics=(TOPICS[1],), near_misses=3)

    wanted = Panel([ada]).ask([Reading(paper) for paper in PAPERS])

    assert wanted.near_misses(ada.id) == [1, 2]


@pytest.mark.parametrize("topic", [TOPICS[0], TOPICS[3], Topic(name="x", any=("zebra",), categories=("cs.CL",))])
def test_a_topic_with_one_word_has_no_near_misses(topic: Topic) -> None:
    ada = a_subscriber("Ada", topics=(topic,), near_misses=3)

    assert Panel([ada]).ask([Reading(paper) for paper in PAPERS]).near_misses(ada.id) == []


def test_what_another_topic_wants_is_no_near_miss() -> None:
    ada = a_subscriber("Ada", topics=(TOPICS[1], TOPICS[0]), near_misses=3)

    assert Panel([ada]).ask([Reading(paper) for paper in PAPERS]).near_misses(ada.id) == [2]


def test_however_often_topics_change_the_panel_asks_the_last_ones_only() -> None:
    panel, ben = Panel(), a_subscriber("Ben", topics=(TOPICS[1],), near_misses=2)
    for number in range(2_500):
        changing = a_subscriber("Ada", topics=(Topic(name="It", query=f"retrieval OR w{number} NEAR/3 x{number}"),))
        panel.update([changing, ben])

    assert _names(panel, "ada") == {0: ("It",), 2: ("It",)}
    assert _names(panel, "ben") == {0: ("Both",)}
    assert panel.ask([Reading(paper) for paper in PAPERS]).near_misses(ben.id) == [1, 2]


def test_topics_that_cannot_be_used_concern_their_subscriber_only() -> None:
    ada, ben = a_subscriber("Ada", topics=(Topic(name="Empty"),)), a_subscriber("Ben", topics=(TOPICS[0],))
    panel = Panel([ada, ben])

    assert _names(panel, "ben") == {0: ("Graphs",), 1: ("Graphs",)}
    with pytest.raises(ValueError, match="wants nothing"):
        _names(panel, "ada")

    panel.update([replace(ada, topics=(TOPICS[0],)), ben])
    assert _names(panel, "ada") == {0: ("Graphs",), 1: ("Graphs",)}
