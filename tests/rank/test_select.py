from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from digest.model import Paper, Signals
from digest.rank.select import community_signal, rank_matches, rank_trending, select_edition
from tests.builders import NOW, a_match, a_paper, a_subscriber


def test_strength_comes_before_signal_and_signal_before_recency() -> None:
    strong = a_match(a_paper(1), strength=4)
    liked = a_match(a_paper(2, signals=Signals(upvotes=50)), strength=3)
    fresh = a_match(a_paper(3), strength=3)
    old = a_match(a_paper(4, published=NOW - timedelta(days=2)), strength=3)

    assert rank_matches([old, fresh, liked, strong]) == [strong, liked, fresh, old]


def test_an_upvote_weighs_more_than_a_comment_and_a_comment_more_than_a_star() -> None:
    upvoted = a_match(a_paper(3, signals=Signals(upvotes=9)))
    commented = a_match(a_paper(2, signals=Signals(comments=9)))
    starred = a_match(a_paper(1, signals=Signals(stars=9)))

    assert rank_matches([starred, commented, upvoted]) == [upvoted, commented, starred]


def test_trending_is_by_upvotes_and_needs_one() -> None:
    none = a_paper(1)
    zero = a_paper(2, signals=Signals(upvotes=0, stars=9000))
    few = a_paper(3, signals=Signals(upvotes=3))
    many = a_paper(4, signals=Signals(upvotes=30))

    assert rank_trending([none, zero, few, many]) == [many, few]


def test_a_matched_paper_is_not_repeated_as_trending() -> None:
    both = a_paper(1, signals=Signals(upvotes=99))
    other = a_paper(2, signals=Signals(upvotes=1))

    edition = select_edition(a_subscriber(trending=5), NOW.date(), [both, other], [a_match(both)])

    assert edition.papers == (both, other)
    assert edition.trending == (other,)


def test_what_is_over_the_limit_is_named_and_never_trending() -> None:
    papers = [a_paper(n, signals=Signals(upvotes=100 - n)) for n in range(1, 5)]

    edition = select_edition(
        a_subscriber(limit=2, trending=3), NOW.date(), papers, [a_match(paper) for paper in papers]
    )

    assert [match.paper for match in edition.matched] == papers[:2]
    assert edition.rest == tuple(papers[2:])
    assert edition.trending == ()


papers = st.lists(
    st.builds(
        lambda number, upvotes: a_paper(number, signals=Signals(upvotes=upvotes)),
        st.integers(1, 99),
        st.none() | st.integers(0, 5),
    ),
    unique_by=lambda paper: paper.key,
)


@given(papers, st.integers(1, 5), st.integers(0, 5), st.data())
def test_an_edition_names_every_match_once_in_an_order_of_its_own(
    owed: list[Paper], limit: int, trending: int, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(owed), unique_by=lambda paper: paper.key)) if owed else []
    shuffled = data.draw(st.permutations(owed))
    subscriber = a_subscriber(limit=limit, trending=trending)

    edition = select_edition(subscriber, NOW.date(), owed, [a_match(paper) for paper in wanted])
    again = select_edition(subscriber, NOW.date(), shuffled, [a_match(p) for p in shuffled if p in wanted])

    assert edition == again
    assert len({paper.key for paper in edition.papers}) == len(edition.papers)
    assert {paper.key for paper in wanted} <= {paper.key for paper in edition.papers}


@given(st.builds(Signals, upvotes=st.none() | st.integers(-5, 10**9), stars=st.none() | st.integers(-5, 10**9)))
def test_the_signal_is_a_number_from_zero(signals: Signals) -> None:
    assert community_signal(signals) >= 0
