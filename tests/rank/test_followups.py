from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import FollowUpKind, Link, LinkKind, PaperKey, Placed, Sent
from digest.rank.followups import MOST, find_news, is_withdrawn, read_kinds, read_told, standing_of
from tests.builders import a_paper

DAY = timedelta(days=1)
FIRST = date(2026, 11, 16)
ONE, TWO, THREE = (PaperKey(f"arxiv:2611.{number:05d}") for number in (1, 2, 3))
CODE, ACCEPTED, WITHDRAWN = FollowUpKind


def sent(day: int, key: PaperKey, had: Sequence[str] | None = (), section: str = "matched") -> Sent:
    return Sent(FIRST + day * DAY, Placed(section, key, {} if had is None else {"had": [*had]}))


def told(day: int, key: PaperKey, *kinds: str) -> Sent:
    return Sent(FIRST + day * DAY, Placed("followup", key, {"kinds": [*kinds]}))


@pytest.mark.parametrize(
    "abstract",
    [
        pytest.param("This paper has been withdrawn by the author due to a critical error in Lemma 3.", id="arxiv"),
        pytest.param("Paper withdrawn", id="two words"),
        pytest.param("Withdrawn due to an error in the proof.", id="a reason only"),
        pytest.param("Withdrawn.", id="one word"),
        pytest.param("This submission is temporarily withdrawn.", id="for now"),
        pytest.param("We prove a theorem. This paper has been withdrawn by the authors.", id="behind the abstract"),
        pytest.param("[This article was retracted.] We prove a theorem.", id="in brackets"),
        pytest.param("The authors have withdrawn this manuscript owing to a mistake.", id="biorxiv"),
        pytest.param("This article has been retracted: please see the policy.", id="a publisher"),
        pytest.param("Notice of Retraction. After review we hereby retract the content.", id="ieee"),
        pytest.param("arXiv admin note: This paper has been withdrawn by arXiv.", id="arxiv's own note"),
        pytest.param("The article is retracted because of errors.", id="the article"),
        pytest.param("We prove a theorem. [The article was retracted.]", id="the article, in brackets"),
        pytest.param("Paper withdrawn. We prove a theorem.", id="a remark before the abstract"),
        pytest.param("Withdrawn from arXiv. We prove a theorem.", id="from arxiv"),
        pytest.param("This paper was withdrawn from bioRxiv by its authors.", id="from biorxiv"),
    ],
)
def test_a_notice_in_place_of_the_abstract_says_that_a_paper_is_withdrawn(abstract: str) -> None:
    assert is_withdrawn(a_paper(abstract=abstract))


@pytest.mark.parametrize(
    "title",
    [
        pytest.param("WITHDRAWN: An Invented Paper", id="in capitals"),
        pytest.param("Retracted: An Invented Paper", id="in small letters"),
        pytest.param("[Retracted] An Invented Paper", id="in brackets"),
        pytest.param("RETRACTED ARTICLE: An Invented Paper", id="with what it is"),
    ],
)
def test_a_word_before_the_title_says_so_too(title: str) -> None:
    assert is_withdrawn(a_paper(title=title))


@pytest.mark.parametrize(
    ("title", "abstract"),
    [
        pytest.param("Retracted Papers and Who Cites Them", "We study 300 papers.", id="about retractions"),
        pytest.param("Retraction in Hyperbolic Space", "Spaces are withdrawn.", id="a term of art"),
        pytest.param("A Drug", "The drug was withdrawn from the market, and the paper shows why.", id="a drug"),
        pytest.param("A Cohort", "Two patients were withdrawn. Withdrawn patients are counted.", id="patients"),
        pytest.param("Citations", "Of papers that were retracted, most are cited still.", id="of other papers"),
        pytest.param("Withdrawn Animals in Captivity", "Withdrawn animals graze less.", id="a word of the subject"),
        pytest.param("It", "Submission withdrawn from ICLR 2026; resubmitted to TMLR", id="from a conference"),
        pytest.param("It", "This paper was withdrawn from ICLR 2026. We invent.", id="this one from a conference"),
        pytest.param("It", "A trial won. The study was retracted two weeks later. We trace it.", id="another study"),
        pytest.param("It", "We ask. The study was retracted. We trace what cites it.", id="another one, and no more"),
        pytest.param("It", "We ask. The preprint was withdrawn within days in 3% of cases.", id="one of many"),
        pytest.param("It", "Study retracted papers at scale, and learn.", id="an advice"),
        pytest.param("It", "Why? Work retracted for fraud is cited still.", id="works"),
        pytest.param("It", "The draft was withdrawn before the vote. We model bargaining.", id="a law"),
        pytest.param("It", "Withdrawn as a symptom: adolescents at home.", id="a symptom"),
    ],
)
def test_papers_about_what_is_withdrawn_are_not(title: str, abstract: str) -> None:
    assert not is_withdrawn(a_paper(title=title, abstract=abstract))


def test_what_there_is_to_tell_of_a_paper() -> None:
    code = Link(LinkKind.CODE, "https://github.com/example/invented")

    assert standing_of(a_paper()) == ()
    assert standing_of(a_paper(links=(code,))) == (CODE,)
    assert standing_of(a_paper(title="Withdrawn: It", venue="ICML 2027", links=(code,))) == tuple(FollowUpKind)


def test_the_reader_knows_what_it_had_and_what_they_were_told_since() -> None:
    history = [sent(0, ONE, ["accepted"]), sent(0, TWO, section="rest"), told(3, ONE, "code"), told(4, THREE, "code")]

    assert read_told(history) == {TWO: (), ONE: (ACCEPTED, CODE)}


def test_what_was_sent_last_comes_first() -> None:
    history = [sent(0, ONE, section="rest"), sent(0, TWO), sent(1, ONE, ["code"]), sent(2, THREE)]

    assert [*read_told(history)] == [THREE, ONE, TWO]
    assert read_told(history)[ONE] == (CODE,)


def test_places_of_older_releases_are_not_followed_up() -> None:
    assert read_told([sent(0, ONE, None), sent(0, TWO)]) == {TWO: ()}
    assert read_kinds(None) is None
    assert read_kinds("code") is None


@given(st.lists(st.none() | st.booleans() | st.integers() | st.text() | st.just("code") | st.just({"code": 1})))
def test_whatever_a_place_says_only_what_is_known_is_read(said: list[object]) -> None:
    assert read_kinds(said) == ((CODE,) if "code" in said else ())


def test_news_is_what_holds_and_was_not_told_withdrawn_papers_first() -> None:
    told = {ONE: [CODE], TWO: [], THREE: [ACCEPTED]}
    standing = {ONE: [CODE], TWO: [CODE, ACCEPTED], THREE: [ACCEPTED, WITHDRAWN]}

    assert [*find_news(told, standing).items()] == [(THREE, (WITHDRAWN,)), (TWO, (CODE, ACCEPTED))]


def test_papers_that_are_not_known_any_more_are_no_news() -> None:
    assert find_news({ONE: []}, {}) == {}


kinds = st.sets(st.sampled_from(FollowUpKind)).map(lambda some: tuple(kind for kind in FollowUpKind if kind in some))
keys = st.integers(1, 60).map(lambda number: PaperKey(f"arxiv:{number}"))


@given(st.dictionaries(keys, kinds), st.dictionaries(keys, kinds))
def test_each_news_is_told_once_and_none_is_lost(
    had: dict[PaperKey, tuple[FollowUpKind, ...]], standing: dict[PaperKey, tuple[FollowUpKind, ...]]
) -> None:
    """However many there are: what has no room comes with the editions after."""
    history = [sent(0, key, of_it) for key, of_it in had.items()]
    found: list[tuple[PaperKey, FollowUpKind]] = []
    day = 0
    while news := find_news(read_told(history), standing):
        day += 1
        assert len(news) <= MOST
        history += [told(day, key, *of_it) for key, of_it in news.items()]
        found += [(key, kind) for key, of_it in news.items() for kind in of_it]

    assert len(set(found)) == len(found)
    assert set(found) == {(key, kind) for key in had for kind in {*standing.get(key, ())} - {*had[key]}}
