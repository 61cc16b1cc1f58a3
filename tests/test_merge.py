"""Sources answer in any order; what becomes of a paper must not depend on it."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.merge import merge_entry
from digest.model import Announcement, Entry, Link, LinkKind, Paper, Signals
from tests.builders import NOW, an_entry

ARXIV, HF, FEED = "arxiv:cs.CL", "huggingface:daily", "blog"
words = st.text(alphabet="ab ", max_size=6)
names = st.lists(st.sampled_from(["Ada", "Ben", "Cid"]), max_size=3).map(tuple)
entries = st.builds(
    an_entry,
    title=st.text(alphabet="xyz", min_size=1, max_size=5),
    abstract=words,
    authors=names,
    categories=st.lists(st.sampled_from(["cs.CL", "cs.CV", "cs.LG"]), max_size=3).map(tuple),
    links=st.lists(st.sampled_from([Link(kind, "https://x.example/") for kind in LinkKind]), max_size=3).map(tuple),
    published=st.none() | st.integers(-9, 9).map(lambda hours: NOW + timedelta(hours=hours)),
    signals=st.builds(Signals, upvotes=st.none() | st.integers(0, 9)),
)


def merged(*said: tuple[str, Entry]) -> Paper:
    paper: Paper | None = None
    for source, entry in said:
        paper = merge_entry(paper, entry, source, NOW)
    assert paper is not None
    return paper


@given(entries)
def test_hearing_the_same_twice_changes_nothing(entry: Entry) -> None:
    once = merged((ARXIV, entry))

    assert merge_entry(once, entry, ARXIV, NOW + timedelta(days=1)) == once


@given(entries.filter(lambda entry: bool(entry.abstract)), entries, entries)  # arXiv never lacks an abstract
def test_the_order_of_sources_does_not_matter(of_arxiv: Entry, of_hf: Entry, of_feed: Entry) -> None:
    def facts(paper: Paper) -> object:
        sets = [frozenset(part) for part in (paper.categories, paper.links, paper.sources)]
        return paper.key, paper.title, paper.abstract, paper.authors, sets

    said = [(ARXIV, of_arxiv), (HF, of_hf), (FEED, of_feed)]

    results = [facts(merged(*order)) for order in permutations(said)]

    assert all(result == results[0] for result in results)


@given(entries, entries)
def test_published_is_the_earliest_that_anybody_says(one: Entry, other: Entry) -> None:
    stated = [entry.published for entry in (one, other) if entry.published]

    assert merged((ARXIV, one), (HF, other)).published <= min([*stated, NOW] if one.published is None else stated)


def test_arxiv_has_the_last_word_on_the_title() -> None:
    paper = merged((HF, an_entry(title="A Title Longer Than arXiv's")), (ARXIV, an_entry(title="The Title")))

    assert paper.title == "The Title"


@pytest.mark.parametrize("kind", [Announcement.REPLACE, Announcement.REPLACE_CROSS])
def test_a_replacement_updates_title_and_abstract(kind: Announcement) -> None:
    first = an_entry(title="A Very Long First Title", abstract="A long first abstract.")

    paper = merged((ARXIV, first), (ARXIV, an_entry(title="New", abstract="Short.", announcement=kind)), (HF, first))

    assert (paper.title, paper.abstract) == ("New", "Short.")


def test_an_empty_abstract_never_wins() -> None:
    paper = merged((HF, an_entry(abstract="Known.")), (ARXIV, an_entry(abstract="", announcement=Announcement.REPLACE)))

    assert paper.abstract == "Known."


def test_the_latest_stated_signal_counts() -> None:
    paper = merged(
        (HF, an_entry(signals=Signals(upvotes=5, stars=2))),
        (HF, an_entry(signals=Signals(upvotes=3))),
        (ARXIV, an_entry()),
    )

    assert paper.signals == Signals(upvotes=3, stars=2)


def test_first_seen_stays_and_sources_are_named_once() -> None:
    paper = merged((ARXIV, an_entry()), (HF, an_entry()))

    again = merge_entry(paper, an_entry(), ARXIV, NOW + timedelta(days=3))

    assert (again.first_seen, again.sources) == (NOW, (ARXIV, HF))


def test_a_paper_without_any_date_is_dated_when_we_saw_it() -> None:
    assert merged((FEED, replace(an_entry(), published=None))).published == NOW
