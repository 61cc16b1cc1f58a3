from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from digest.model import (
    NEWS,
    Announcement,
    Entry,
    Link,
    LinkKind,
    Observation,
    Paper,
    PaperKey,
    Poll,
    Signals,
    Validators,
    Verdict,
)
from digest.ports import SourceState
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


def state_of(papers: Papers, source: str = "arxiv:cs.CL") -> SourceState:
    state = papers.source_state(source)
    assert state
    return state


@pytest.fixture
def papers(engine: Engine) -> Papers:
    return Papers(engine)


def test_a_paper_comes_back_as_it_was(papers: Papers) -> None:
    entry = an_entry(
        title="Ünïcode “quotes” 论文 🙂",
        links=(Link(LinkKind.PDF, "https://x.test/ä?b='c'"), Link(LinkKind.CODE, "https://x.test/c")),
        signals=Signals(upvotes=0, comments=1, stars=12, points=3, citations=4),
        published=None,
        ids=(PaperKey("doi:10.1000/ä"),),
        venue="Ünïversity Press",
        summary="In short 🙂.",
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
        ids=entry.ids,
        venue=entry.venue,
        summary=entry.summary,
        origins=tuple((name, "arxiv:cs.CL") for name in ("title", "abstract", "authors", "venue", "doi", "summary")),
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
            covers=False,
            took_s=2.5,
            validators=(("https://x.test/", Validators("b")),),
        ),
        LATER,
    )

    assert (recorded.new, recorded.merged, recorded.seen) == (0, 0, 0)
    assert papers.count() == 1
    assert papers.validators() == dict(validators)
    (state,) = papers.source_states()
    assert state == state_of(papers)
    assert state == SourceState(
        name="arxiv:cs.CL",
        verdict=Verdict.FAILED,
        polled_at=LATER,
        last_good_at=NOW,
        fresh_at=NOW,
        listed=1,
        new=0,
        merged=0,
        seen=0,
        took_s=2.5,
        problem="HTTP 503",
    )


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("covers", [True, False])
def test_a_source_was_read_completely_if_the_window_was_covered_by_what_can_be_believed(
    papers: Papers, verdict: Verdict, covers: bool
) -> None:
    is_complete = covers and verdict not in (Verdict.FAILED, Verdict.SUSPICIOUS, Verdict.STALE)
    validators = (("https://x.test/", Validators("b")),)

    papers.record(a_poll(1, verdict=verdict, covers=covers, validators=validators), NOW)

    assert papers.count() == (0 if verdict is Verdict.FAILED else 1)
    assert state_of(papers).last_good_at == (NOW if is_complete else None)
    assert papers.validators() == (dict(validators) if is_complete else {})


def test_a_source_is_fresh_when_it_lists_what_it_never_listed(papers: Papers) -> None:
    now = NOW

    def fresh_at(*numbers: int, source: str = "arxiv:cs.CL", **changes: object) -> datetime | None:
        nonlocal now
        now += timedelta(hours=1)
        papers.record(a_poll(*numbers, source=source, **changes), now)
        return state_of(papers, source).fresh_at

    assert fresh_at() is None
    assert fresh_at(1) == now
    assert fresh_at(1, verdict=Verdict.STALE) == now - timedelta(hours=1)
    assert fresh_at(1, source="hf") == now
    assert fresh_at(1, 2) == now
    newer = an_entry(1, announcement=Announcement.REPLACE, version=2)
    assert fresh_at(entries=(newer,)) == now - timedelta(hours=1)
    assert fresh_at(entries=(newer,), announce=NEWS | {Announcement.REPLACE}) == now
    assert fresh_at(entries=(newer,), announce=NEWS | {Announcement.REPLACE}) == now - timedelta(hours=1)


def test_how_many_were_listed_is_remembered_until_the_next_whole_listing(papers: Papers) -> None:
    papers.record(a_poll(1, 2), NOW)
    for verdict in (Verdict.UNCHANGED, Verdict.SUSPICIOUS, Verdict.FAILED):
        papers.record(a_poll(verdict=verdict), LATER)
        assert state_of(papers).listed == 2

    papers.record(a_poll(verdict=Verdict.QUIET), LATER)

    assert state_of(papers).listed == 0


def test_validators_follow_the_newest_good_poll(papers: Papers) -> None:
    for etag in ("a", "b"):
        papers.record(
            a_poll(validators=(("https://x.test/", Validators(etag, "Fri")), ("https://y.test/", Validators()))), NOW
        )

    assert papers.validators() == {"https://x.test/": Validators("b", "Fri"), "https://y.test/": Validators()}


def test_an_unchanged_source_is_good(papers: Papers) -> None:
    papers.record(a_poll(1), NOW)
    papers.record(a_poll(verdict=Verdict.UNCHANGED), LATER)

    assert state_of(papers).last_good_at == LATER
    assert papers.source_state("another") is None
    assert papers.latest_seq() == 1


def test_numbers_by_time(papers: Papers) -> None:
    papers.record(a_poll(1, 2), NOW)
    papers.record(a_poll(3), LATER)

    assert papers.seq_before(NOW) == 0
    assert papers.seq_before(LATER) == 2
    assert papers.seq_before(LATER + timedelta(seconds=1)) == 3


def test_papers_by_the_time_of_their_first_announcement(papers: Papers) -> None:
    papers.record(a_poll(2, 1), NOW)
    papers.record(a_poll(1, 3, source="hf"), LATER)
    papers.record(a_poll(4), LATER + timedelta(hours=1))

    def between(since: datetime, until: datetime) -> list[tuple[datetime, int]]:
        return [(at, int(paper.key[-5:])) for at, paper in papers.announced_at(since, until)]

    assert between(NOW, LATER) == [(NOW, 2), (NOW, 1)]
    assert between(LATER, LATER + timedelta(hours=1)) == [(LATER, 3)], "1 was announced before, 4 is later"
    assert between(NOW - LATER.resolution, NOW) == []
    everything = papers.announced_at(NOW, LATER + timedelta(days=1))
    assert [paper for _, paper in everything] == papers.announced(0, papers.latest_seq())
    assert [at for at, _ in everything] == [NOW, NOW, LATER, LATER + timedelta(hours=1)]


def test_united_papers_were_announced_with_the_first_of_them(papers: Papers) -> None:
    article = PaperKey("doi:10.1000/1")
    papers.record(a_poll(1), NOW)
    papers.record(
        Poll(source="nature", verdict=Verdict.FRESH, entries=(an_entry(key=article, title="Article"),)), LATER
    )
    assert len(papers.announced_at(LATER, LATER + timedelta(days=1))) == 1

    papers.record(Poll(source="s", verdict=Verdict.FRESH, entries=(an_entry(ids=(article,)),)), LATER)

    assert papers.announced_at(LATER, LATER + timedelta(days=1)) == []
    assert [at for at, _ in papers.announced_at(NOW, LATER + timedelta(days=1))] == [NOW]


def test_an_empty_database_has_nothing(papers: Papers) -> None:
    assert papers.latest_seq() == papers.count() == papers.seq_before(NOW) == 0
    assert not [*papers.announced(0, 0), *papers.papers([]), *papers.source_states()]
    assert not [*papers.observations(NOW), *papers.recent(NOW, 9), *papers.replaced(0, 9), *papers.seen("s", [])]
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

    assert len(statements) < 50
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


def newer(version: int | None, number: int = 1, kind: Announcement = Announcement.REPLACE) -> Entry:
    return an_entry(number, version=version, announcement=kind)


class TestNewerVersions:
    def listed(self, papers: Papers, *entries: Entry, source: str = "arxiv:cs.CL") -> tuple[int, int, int]:
        poll = a_poll(entries=entries, source=source, announce=NEWS | {Announcement.REPLACE})
        recorded = papers.record(poll, LATER)
        return recorded.new, recorded.merged, recorded.seen

    def test_each_is_announced_once_if_they_are_news(self, papers: Papers) -> None:
        papers.record(a_poll(1), NOW)

        counts = [self.listed(papers, newer(version)) for version in (2, 2, 3, 2)]

        assert counts == [(0, 0, 1)] * 4
        assert papers.latest_seq() == 3
        assert keys(papers.announced(1, 3)) == keys(papers.announced(2, 3)) == [1]

    def test_they_are_told_from_papers_that_are_announced_otherwise_too(self, papers: Papers) -> None:
        papers.record(a_poll(1, 2), NOW)
        self.listed(papers, newer(2, 1), newer(2, 2))
        papers.record(a_poll(2, source="hf"), LATER)

        assert papers.replaced(2, 4) == {an_entry(1).key, an_entry(2).key}
        assert papers.replaced(2, 5) == {an_entry(1).key}
        assert papers.replaced(0, 5) == frozenset()

    def test_without_a_number_there_is_nothing_to_tell_them_apart_by(self, papers: Papers) -> None:
        papers.record(a_poll(1), NOW)

        assert self.listed(papers, newer(None), newer(None, 2)) == (0, 0, 2)
        assert (papers.latest_seq(), papers.count()) == (1, 1)

    def test_only_the_kinds_that_are_news(self, papers: Papers) -> None:
        papers.record(a_poll(1), NOW)

        self.listed(papers, newer(2, kind=Announcement.REPLACE_CROSS))

        assert papers.latest_seq() == 1

    def test_of_an_unknown_work_it_is_a_new_paper(self, papers: Papers) -> None:
        assert self.listed(papers, newer(2)) == (1, 0, 0)
        assert self.listed(papers, an_entry(1)) == (0, 0, 1)
        assert self.listed(papers, an_entry(1), source="hf") == (0, 1, 0)
        assert papers.replaced(0, 1) == {an_entry().key}


def test_cross_lists_can_be_no_news(papers: Papers) -> None:
    cross = an_entry(1, announcement=Announcement.CROSS, categories=("cs.CV",))
    poll = a_poll(entries=(cross,), announce=frozenset({Announcement.NEW}))

    papers.record(poll, NOW)
    assert papers.count() == 0
    papers.record(a_poll(1, source="hf"), NOW)
    papers.record(poll, LATER)

    assert papers.latest_seq() == 1
    assert papers.announced(0, 1)[0].categories == ("cs.CL", "cs.CV")


def test_a_mention_says_more_of_what_is_known_and_announces_nothing(papers: Papers) -> None:
    def mention(number: int) -> Entry:
        return an_entry(number, announcement=Announcement.MENTION, venue="Nature", signals=Signals(citations=2))

    everything = frozenset(Announcement)
    papers.record(a_poll(1), NOW)
    recorded = papers.record(a_poll(entries=(mention(1), mention(2)), source="s2", announce=everything), LATER)

    assert (recorded.new, recorded.merged, recorded.seen) == (0, 0, 2)
    (paper,) = papers.announced(0, 99)
    assert (paper.venue, paper.signals, paper.sources) == ("Nature", Signals(citations=2), ("arxiv:cs.CL",))
    assert papers.seen("s2", [mention(1)]) == frozenset()


class TestObservations:
    def said(self, papers: Papers, now: datetime, source: str = "hf", number: int = 1, **signals: int) -> None:
        papers.record(a_poll(entries=(an_entry(number, signals=Signals(**signals)),), source=source), now)

    def test_what_changed_is_kept_with_its_time(self, papers: Papers) -> None:
        hours = [NOW + timedelta(hours=number) for number in range(6)]
        self.said(papers, hours[0], upvotes=5)
        self.said(papers, hours[1], upvotes=5)
        self.said(papers, hours[2], "code", stars=7)
        self.said(papers, hours[3], upvotes=9)
        self.said(papers, hours[4])
        self.said(papers, hours[5], upvotes=5)
        key = an_entry().key

        assert papers.observations(NOW) == [
            Observation(key, "hf", hours[0], Signals(upvotes=5)),
            Observation(key, "code", hours[2], Signals(stars=7)),
            Observation(key, "hf", hours[3], Signals(upvotes=9)),
            Observation(key, "hf", hours[5], Signals(upvotes=5)),
        ]
        assert len(papers.observations(hours[3])) == 2
        assert papers.announced(0, 1)[0].signals == Signals(upvotes=5, stars=7)

    def test_of_some_papers_only(self, papers: Papers) -> None:
        for number in (1, 2, 3):
            self.said(papers, NOW, number=number, points=number)

        found = papers.observations(NOW, [an_entry(3).key, an_entry(1).key])

        assert [each.signals.points for each in found] == [1, 3]
        assert papers.observations(NOW, []) == []

    def test_one_for_each_poll(self, papers: Papers) -> None:
        twice = (an_entry(signals=Signals(upvotes=1)), an_entry(signals=Signals(upvotes=2, comments=1)))
        papers.record(a_poll(entries=twice), NOW)
        papers.record(a_poll(entries=twice), LATER)

        assert [each.signals for each in papers.observations(NOW)] == [Signals(upvotes=2, comments=1)]


def test_recent_papers_come_newest_first(papers: Papers) -> None:
    papers.record(a_poll(1), NOW)
    papers.record(a_poll(1, 2), LATER)
    old = an_entry(3, published=NOW - timedelta(days=9))
    papers.record(a_poll(entries=(old,)), LATER)

    assert keys(papers.recent(NOW, 9)) == [2, 3, 1]
    assert keys(papers.recent(LATER, 1)) == [2]


def test_what_a_source_announced_is_seen_under_every_name(papers: Papers) -> None:
    doi, pmid = PaperKey("doi:10.1000/1"), PaperKey("pmid:1")
    papers.record(a_poll(entries=(an_entry(1, ids=(doi,)),)), NOW)
    by_doi = an_entry(key=pmid, ids=(doi,))

    assert papers.seen("arxiv:cs.CL", [an_entry(1), an_entry(2), by_doi]) == {an_entry(1).key, pmid}
    assert papers.seen("hf", [an_entry(1), by_doi]) == frozenset()


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
        news = [number for number, kind in listed if kind in NEWS]
        expected += [(source, n) for n in dict.fromkeys(news) if (source, n) not in expected]
        reader += keys(papers.announced(read, papers.latest_seq()))
        read = papers.latest_seq()
        assert recorded.new + recorded.merged + recorded.seen == len(listed)

    assert papers.latest_seq() == len(expected)
    assert set(reader) == {number for _, number in expected}
    assert papers.count() == len(set(reader))
    engine.dispose()
