from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from digest.model import Announcement, Link, LinkKind, Paper, PaperKey, Poll, Signals, Validators, Verdict
from digest.store.database import open_database
from digest.store.papers import Papers
from tests.builders import NOW, an_entry

LATER = NOW + timedelta(days=1)


def a_poll(*numbers: int, source: str = "arxiv:cs.CL", **changes: object) -> Poll:
    poll = Poll(source=source, verdict=Verdict.FRESH, entries=tuple(an_entry(number) for number in numbers))
    return replace(poll, **changes)  # type: ignore[arg-type]


def keys(papers: "list[Paper] | object") -> list[int]:
    assert isinstance(papers, list)
    return [int(paper.key[-5:]) for paper in papers]


@pytest.fixture
def papers(engine: Engine) -> Papers:
    return Papers(engine)


def test_a_paper_comes_back_as_it_was(papers: Papers) -> None:
    entry = an_entry(
        title="Ünïcode “quotes” 论文 🙂",
        links=(Link(LinkKind.PDF, "https://x.test/ä?b='c'"), Link(LinkKind.CODE, "https://x.test/c")),
        signals=Signals(upvotes=0, stars=12),
        published=None,
    )
    papers.record(a_poll(entries=(entry,)), NOW)

    (paper,) = papers.announced(0, 1)

    assert paper == Paper(
        key=entry.key,
        title=entry.title,
        abstract=entry.abstract,
        authors=entry.authors,
        categories=entry.categories,
        links=entry.links,
        published=NOW,
        first_seen=NOW,
        signals=entry.signals,
        sources=("arxiv:cs.CL",),
    )


def test_announcements_are_numbered_in_the_order_they_came(papers: Papers) -> None:
    first = papers.record(a_poll(3, 1), NOW)
    second = papers.record(a_poll(2, 1), LATER)

    assert (first.new, first.merged, first.seen) == (2, 0, 0)
    assert (second.new, second.merged, second.seen) == (1, 0, 1)
    assert papers.latest_seq() == 3
    assert keys(papers.announced(0, 3)) == [3, 1, 2]
    assert keys(papers.announced(1, 2)) == [1]
    assert papers.count() == 3


def test_a_paper_that_another_source_lists_too_is_announced_again(papers: Papers) -> None:
    papers.record(a_poll(1, source="hf"), NOW)
    seen = papers.latest_seq()

    recorded = papers.record(a_poll(1, 2), LATER)

    assert (recorded.new, recorded.merged, recorded.seen) == (1, 1, 0)
    assert keys(papers.announced(seen, papers.latest_seq())) == [1, 2]
    assert keys(papers.announced(0, papers.latest_seq())) == [1, 2]
    assert papers.announced(0, 1)[0].sources == ("hf", "arxiv:cs.CL")


def test_a_replacement_refreshes_and_announces_nothing(papers: Papers) -> None:
    papers.record(a_poll(1), NOW)
    revised = an_entry(1, title="Revised", announcement=Announcement.REPLACE)
    unknown = an_entry(2, announcement=Announcement.REPLACE_CROSS)

    recorded = papers.record(a_poll(entries=(revised, unknown)), LATER)

    assert (recorded.new, recorded.merged, recorded.seen) == (0, 0, 2)
    assert papers.latest_seq() == 1
    assert [paper.title for paper in papers.announced(0, 9)] == ["Revised"]
    assert papers.announced(0, 9)[0].first_seen == NOW


def test_the_same_paper_twice_in_one_poll(papers: Papers) -> None:
    twice = (
        an_entry(1, announcement=Announcement.REPLACE),
        an_entry(1, categories=("cs.CL",)),
        an_entry(1, categories=("cs.CV",), announcement=Announcement.CROSS),
    )

    recorded = papers.record(a_poll(entries=twice), NOW)

    assert (recorded.new, recorded.merged, recorded.seen) == (1, 0, 2)
    assert [paper.categories for paper in papers.announced(0, 9)] == [("cs.CL", "cs.CV")]


def test_a_failed_poll_leaves_only_its_state(papers: Papers) -> None:
    validators = (("https://x.test/", Validators("a", None)),)
    papers.record(a_poll(1, validators=validators), NOW)

    recorded = papers.record(
        a_poll(
            2,
            verdict=Verdict.FAILED,
            problems=("HTTP 503", "again"),
            validators=(("https://x.test/", Validators("b")),),
        ),
        LATER,
    )

    assert (recorded.new, recorded.merged, recorded.seen) == (0, 0, 0)
    assert papers.count() == 1
    assert papers.validators() == dict(validators)
    assert papers.last_good("arxiv:cs.CL") == NOW
    (state,) = papers.source_states()
    assert (state.verdict, state.problem, state.polled_at, state.last_good_at) == ("failed", "HTTP 503", LATER, NOW)


def test_a_partial_poll_keeps_its_papers_and_asks_again_for_everything(papers: Papers) -> None:
    papers.record(a_poll(1, verdict=Verdict.PARTIAL, validators=(("https://x.test/", Validators("b")),)), NOW)

    assert papers.count() == 1
    assert papers.validators() == {}
    assert papers.last_good("arxiv:cs.CL") is None


def test_validators_follow_the_newest_good_poll(papers: Papers) -> None:
    for etag in ("a", "b"):
        papers.record(
            a_poll(validators=(("https://x.test/", Validators(etag, "Fri")), ("https://y.test/", Validators()))), NOW
        )

    assert papers.validators() == {"https://x.test/": Validators("b", "Fri"), "https://y.test/": Validators()}


def test_an_unchanged_source_is_good(papers: Papers) -> None:
    papers.record(a_poll(1), NOW)
    papers.record(a_poll(verdict=Verdict.UNCHANGED), LATER)

    assert papers.last_good("arxiv:cs.CL") == LATER
    assert papers.last_good("another") is None
    assert papers.latest_seq() == 1


def test_numbers_by_time(papers: Papers) -> None:
    papers.record(a_poll(1, 2), NOW)
    papers.record(a_poll(3), LATER)

    assert papers.seq_before(NOW) == 0
    assert papers.seq_before(LATER) == 2
    assert papers.seq_before(LATER + timedelta(seconds=1)) == 3


def test_an_empty_database_has_nothing(papers: Papers) -> None:
    assert papers.latest_seq() == papers.count() == papers.seq_before(NOW) == 0
    assert not [*papers.announced(0, 0), *papers.papers([]), *papers.source_states()]
    assert papers.find_paper("anything") is None


def test_papers_come_in_the_order_asked(papers: Papers) -> None:
    papers.record(a_poll(*range(1, 1201)), NOW)
    asked = [an_entry(number).key for number in (1100, 3, 700)]

    assert [paper.key for paper in papers.papers([asked[0], PaperKey("arxiv:none"), *asked[1:]])] == asked


def test_a_large_poll_takes_few_statements(papers: Papers, engine: Engine) -> None:
    from sqlalchemy import event

    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    papers.record(a_poll(*range(1, 1601)), NOW)
    papers.record(a_poll(*range(1, 1601), source="hf"), LATER)

    assert len(statements) < 40
    assert papers.latest_seq() == 3200
    assert len(papers.announced(0, 3200)) == 1600


@pytest.mark.parametrize(
    "text",
    [
        "arxiv:2611.00002",
        "2611.00002",
        "arXiv:2611.00002v3",
        "https://arxiv.org/abs/2611.00002v1",
        "https://arxiv.org/pdf/2611.00002",
        "https://code.test/two",
        "invented paper 2",
        " INVENTED paper 2 ",
    ],
)
def test_a_paper_is_found_by_what_a_person_types(papers: Papers, text: str) -> None:
    two = an_entry(2, links=(Link(LinkKind.CODE, "https://code.test/two"),))
    papers.record(a_poll(entries=(an_entry(1), two, an_entry(3))), NOW)

    found = papers.find_paper(text)

    assert found is not None
    assert found.key == "arxiv:2611.00002"


@pytest.mark.parametrize("text", ["", "  ", "%", "_", "100%", "https://code.test/t"])
def test_signs_of_like_are_only_signs(papers: Papers, text: str) -> None:
    papers.record(a_poll(1), NOW)

    assert papers.find_paper(text) is None


def test_of_several_titles_the_newest_is_found(papers: Papers) -> None:
    papers.record(a_poll(1), NOW)
    papers.record(a_poll(2), LATER)

    found = papers.find_paper("invented")

    assert found is not None
    assert found.key == "arxiv:2611.00002"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.lists(st.tuples(st.integers(1, 4), st.sampled_from(list(Announcement))), max_size=5),
        ),
        max_size=6,
    )
)
def test_every_news_is_announced_once_per_source_whatever_the_order(
    polls: list[tuple[str, list[tuple[int, Announcement]]]],
) -> None:
    engine = open_database("sqlite://")
    papers = Papers(engine)
    expected: list[tuple[str, int]] = []
    read = 0
    reader: list[int] = []
    for source, listed in polls:
        entries = tuple(an_entry(number, announcement=kind) for number, kind in listed)
        recorded = papers.record(a_poll(source=source, entries=entries), NOW)
        news = [number for number, kind in listed if kind.is_news]
        expected += [(source, n) for n in dict.fromkeys(news) if (source, n) not in expected]
        reader += keys(papers.announced(read, papers.latest_seq()))
        read = papers.latest_seq()
        assert recorded.new + recorded.merged + recorded.seen == len(listed)

    assert papers.latest_seq() == len(expected)
    assert set(reader) == {number for _, number in expected}
    assert papers.count() == len(set(reader))
    engine.dispose()
