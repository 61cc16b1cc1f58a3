"""Sources answer in any order; what becomes of a paper must not depend on it."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.merge import merge_entry, unite
from digest.model import Announcement, Entry, Link, LinkKind, Paper, PaperKey, Signals
from tests.builders import NOW, an_entry

ARXIV, HF, FEED, S2 = "arxiv:cs.CL", "huggingface:daily", "blog", "semanticscholar"
DOI = PaperKey("doi:10.1000/published")
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
    ids=st.lists(st.sampled_from([DOI, PaperKey("pmid:7"), PaperKey("doi:10.1101/123456")]), max_size=2).map(tuple),
    venue=st.sampled_from(["", "ICML", "Nature"]),
    summary=words,
)
of_arxiv = entries.filter(lambda entry: bool(entry.abstract))  # arXiv never lacks an abstract
mentions = entries.map(lambda entry: replace(entry, announcement=Announcement.MENTION))


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


def facts(paper: Paper) -> object:
    sets = [frozenset(part) for part in (paper.categories, paper.links, paper.sources, paper.ids)]
    return paper.key, paper.title, paper.abstract, paper.authors, paper.venue, paper.summary, sets


@given(of_arxiv, entries, entries, mentions)
def test_the_order_of_sources_does_not_matter(arxiv: Entry, hf: Entry, feed: Entry, mention: Entry) -> None:
    said = {ARXIV: arxiv, HF: hf, FEED: feed, S2: mention}
    orders = [order for order in permutations(said.items()) if order[0][0] != S2]

    papers = [merged(*order) for order in orders]

    assert all(facts(paper) == facts(papers[0]) for paper in papers)
    for paper in papers:
        origins = dict(paper.origins)
        for name in ("title", "abstract", "authors", "venue", "summary"):
            value = getattr(paper, name)
            assert (name in origins) == bool(value)
            assert not value or getattr(said[origins[name]], name) == value


@given(of_arxiv, entries, entries, mentions)
def test_two_papers_unite_as_if_they_had_been_one(arxiv: Entry, hf: Entry, feed: Entry, mention: Entry) -> None:
    other = replace(hf, key=DOI)
    one, two = [(ARXIV, arxiv), (FEED, feed)], [(HF, other), (S2, replace(mention, key=DOI))]

    together, apart = merged(*one, *two), unite(merged(*one), merged(*two))

    assert facts(apart) == facts(together)


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


@pytest.mark.parametrize(
    ("said", "venue", "source"),
    [
        pytest.param([(ARXIV, "ICML 2026", ())], "ICML 2026", ARXIV, id="accepted at"),
        pytest.param([(ARXIV, "ICML 2026, an oral", ()), (FEED, "PMLR", (DOI,))], "PMLR", FEED, id="then published"),
        pytest.param([(FEED, "PMLR", (DOI,)), (ARXIV, "ICML 2026, an oral", ())], "PMLR", FEED, id="published before"),
        pytest.param(
            [(FEED, "bioRxiv", (PaperKey("doi:10.1101/2026.01.02.123456"),)), (S2, "Nature", (DOI,))],
            "Nature",
            S2,
            id="a preprint's doi is no publication",
        ),
        pytest.param([(ARXIV, "", (DOI,)), (HF, "ICML", ())], "ICML", HF, id="a doi without a venue"),
    ],
)
def test_where_it_is_published_beats_where_it_was_accepted(
    said: list[tuple[str, str, tuple[PaperKey, ...]]], venue: str, source: str
) -> None:
    paper = merged(*((source, an_entry(venue=venue, ids=ids)) for source, venue, ids in said))

    assert (paper.venue, dict(paper.origins)["venue"]) == (venue, source)
    assert paper.key == an_entry().key


def test_a_mention_only_fills_what_is_missing() -> None:
    said = an_entry(abstract="", links=(), authors=("Ada",))
    link = Link(LinkKind.CODE, "https://code.example/")
    mention = an_entry(
        title="Another Title",
        abstract="From elsewhere.",
        authors=("Ada", "Ben"),
        links=(link,),
        ids=(DOI,),
        venue="Nature",
        summary="In short.",
        signals=Signals(citations=3),
        announcement=Announcement.MENTION,
    )

    paper = merged((FEED, said), (S2, mention))

    assert (paper.title, paper.authors, paper.abstract) == (said.title, ("Ada",), "From elsewhere.")
    assert (paper.venue, paper.summary, paper.links, paper.ids) == ("Nature", "In short.", (link,), (DOI,))
    assert paper.signals == Signals(citations=3)
    assert paper.sources == (FEED,)


def test_what_was_only_mentioned_gives_way_to_what_is_announced() -> None:
    mention = an_entry(abstract="A very long text from elsewhere.", announcement=Announcement.MENTION)

    paper = merged((FEED, an_entry(abstract="")), (S2, mention), (HF, an_entry(abstract="Short.")))

    assert paper.abstract == "Short."


def test_a_replacement_of_another_source_does_not_overrule_arxiv() -> None:
    paper = merged((ARXIV, an_entry(title="Said")), (HF, an_entry(title="Other", announcement=Announcement.REPLACE)))

    assert paper.title == "Said"


def test_of_two_papers_the_first_keeps_its_key_and_the_most_of_each_signal_counts() -> None:
    one = merged((FEED, an_entry(key=DOI, ids=(PaperKey("pmid:1"),), signals=Signals(upvotes=3))))
    two = merged((HF, an_entry(ids=(PaperKey("pmid:1"),), signals=Signals(upvotes=1, stars=2))))

    paper = unite(one, two)

    assert (paper.key, paper.ids) == (DOI, ("pmid:1", an_entry().key))
    assert paper.signals == Signals(upvotes=3, stars=2)
    assert paper.sources == (FEED, HF)
