"""One work is one paper, whatever it was listed as, and in whatever order the names became known."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from digest.model import (
    Announcement,
    Delivery,
    DeliveryState,
    Edition,
    Entry,
    Feedback,
    FollowUp,
    FollowUpKind,
    Label,
    LabelKind,
    Match,
    NearMiss,
    PaperKey,
    Placed,
    Poll,
    Signals,
    SubscriberId,
    Verdict,
)
from digest.store.database import open_database, reading, writing
from digest.store.feedback import Feedbacks
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from digest.store.schema import announcement, metadata
from digest.store.wordings import Wordings
from tests.builders import NOW, a_match, an_edition, an_entry
from tests.store.ledgers import claim_one, claimed, move, open_edition

ADA = SubscriberId("ada")
ARXIV, DOI, PMID = an_entry().key, PaperKey("doi:10.1000/1"), PaperKey("pmid:1")
TITLE = "A Title Long Enough to Tell One Work from Another"


@pytest.fixture
def papers(engine: Engine) -> Papers:
    return Papers(engine)


@pytest.fixture
def ledger(engine: Engine) -> SqlLedger:
    return SqlLedger(engine)


def record(papers: Papers, *entries: Entry, source: str = "s") -> tuple[int, int, int]:
    recorded = papers.record(Poll(source=source, verdict=Verdict.FRESH, entries=entries), NOW)
    return recorded.new, recorded.merged, recorded.seen


def known(papers: Papers, *names: PaperKey) -> list[PaperKey]:
    return [paper.key for paper in papers.papers(names)]


PREPRINT = an_entry(title="Preprint")
ARTICLE = an_entry(key=DOI, title="Article")
BRIDGE = an_entry(key=PMID, ids=(ARXIV, DOI), title="Of a bridge")


class TestIdentity:
    def test_an_entry_that_states_a_known_name_is_of_the_same_paper(self, papers: Papers) -> None:
        record(papers, PREPRINT, source="arxiv:cs.CL")
        article = replace(ARTICLE, ids=(ARXIV,), venue="Nature")

        assert record(papers, article, source="nature") == (0, 1, 0)
        assert record(papers, replace(article, ids=()), source="nature") == (0, 0, 1)

        (paper,) = papers.papers([DOI])
        assert (paper.key, paper.title, paper.venue, paper.ids) == (ARXIV, "Preprint", "Nature", (DOI,))

    def test_one_listing_can_say_it_of_its_own_entries(self, papers: Papers) -> None:
        assert record(papers, PREPRINT, ARTICLE, BRIDGE) == (1, 0, 2)
        assert papers.count() == papers.latest_seq() == 1

    def test_an_entry_that_bridges_two_papers_unites_them(self, papers: Papers) -> None:
        record(papers, replace(ARTICLE, signals=Signals(upvotes=1)), source="nature")
        record(papers, replace(PREPRINT, signals=Signals(upvotes=2)), source="arxiv:cs.CL")

        assert record(papers, BRIDGE, source="pubmed") == (0, 1, 0)

        assert known(papers, PMID, ARXIV, DOI) == [DOI]
        (paper,) = papers.announced(0, 99)
        assert (paper.key, paper.title, paper.sources) == (DOI, "Preprint", ("nature", "arxiv:cs.CL", "pubmed"))
        assert set(paper.ids) == {ARXIV, PMID}
        assert papers.announced(1, 2) == [paper]
        assert {each.paper for each in papers.observations(NOW)} == {DOI}
        assert papers.count() == 1
        for text in (ARXIV, DOI, PMID, "10.1000/1", "https://arxiv.org/abs/2611.00001"):
            assert papers.find_paper(text) == paper

    def test_a_mention_can_bridge_but_is_no_paper_of_its_own(self, papers: Papers) -> None:
        mention = replace(BRIDGE, announcement=Announcement.MENTION)
        record(papers, mention)
        assert papers.count() == 0

        record(papers, ARTICLE)
        record(papers, PREPRINT)
        record(papers, mention)

        assert papers.count() == 1
        assert papers.latest_seq() == 2

    def test_a_mention_before_the_news_in_the_same_listing(self, papers: Papers) -> None:
        mention = replace(BRIDGE, announcement=Announcement.MENTION, signals=Signals(stars=3))

        assert record(papers, mention, PREPRINT) == (1, 0, 1)

        (paper,) = papers.papers([DOI])
        assert (paper.key, paper.signals, paper.title) == (ARXIV, Signals(stars=3), "Preprint")


class TestTitle:
    def test_is_enough_where_no_other_name_is_shared(self, papers: Papers) -> None:
        record(papers, replace(PREPRINT, title=TITLE, authors=("Ada Example",)))

        recorded = record(papers, replace(ARTICLE, title=TITLE.upper(), authors=("Example, A.",)), source="nature")

        assert recorded == (0, 1, 0)
        assert known(papers, DOI) == [ARXIV]
        assert papers.seen("nature", [replace(BRIDGE, ids=(), title=TITLE)]) == {PMID}

    def test_is_enough_within_one_listing(self, papers: Papers) -> None:
        assert record(papers, replace(PREPRINT, title=TITLE), replace(ARTICLE, title=TITLE)) == (1, 0, 1)

    @pytest.mark.parametrize("at_once", [True, False])
    def test_is_not_enough_where_the_names_tell_two_works(self, papers: Papers, at_once: bool) -> None:
        one, two = (an_entry(number, title=TITLE) for number in (1, 2))
        for entries in [(one, two)] if at_once else [(one,), (two,)]:
            record(papers, *entries)

        assert known(papers, one.key, two.key) == [one.key, two.key]

    def test_does_not_count_beside_a_shared_name(self, papers: Papers) -> None:
        record(papers, replace(ARTICLE, title=TITLE))
        record(papers, PREPRINT)

        record(papers, replace(PREPRINT, title=TITLE), source="hf")

        assert known(papers, ARXIV, DOI) == [ARXIV, DOI]


def open_with(ledger: SqlLedger, papers: Papers, keys: Sequence[PaperKey], days: int = 0, since: int = 0) -> bool:
    edition = an_edition(
        date=NOW.date() + timedelta(days=days), matched=tuple(a_match(paper) for paper in papers.papers(keys))
    )
    return open_edition(ledger, edition, since_seq=since, through_seq=papers.latest_seq())


def send(ledger: SqlLedger) -> list[PaperKey]:
    delivery = claimed(ledger)
    contents = [placed.paper for placed in ledger.edition_papers(delivery)]
    assert move(ledger, delivery, DeliveryState.ACCEPTED)
    return contents


class TestEditions:
    @pytest.mark.parametrize("sent", [ARXIV, DOI])
    def test_what_was_sent_under_either_name_was_sent(self, papers: Papers, ledger: SqlLedger, sent: PaperKey) -> None:
        record(papers, ARTICLE, PREPRINT)
        open_with(ledger, papers, [sent])
        send(ledger)

        record(papers, BRIDGE, source="pubmed")

        assert ledger.sent_keys(ADA) == {DOI}
        assert not open_with(ledger, papers, [ARXIV], days=1)

    def test_both_waiting_in_one_edition_come_once(self, papers: Papers, ledger: SqlLedger) -> None:
        record(papers, ARTICLE, an_entry(2), PREPRINT)
        open_with(ledger, papers, [ARXIV, an_entry(2).key, DOI])

        record(papers, BRIDGE, source="pubmed")

        assert send(ledger) == [DOI, an_entry(2).key]

    def test_what_waits_gives_back_what_was_sent(self, papers: Papers, ledger: SqlLedger) -> None:
        record(papers, ARTICLE, an_entry(2), PREPRINT)
        open_with(ledger, papers, [ARXIV])
        send(ledger)
        open_with(ledger, papers, [DOI, an_entry(2).key], days=1)

        record(papers, BRIDGE, source="pubmed")

        assert send(ledger) == [an_entry(2).key]

    def test_an_edition_with_nothing_left_is_skipped(self, papers: Papers, ledger: SqlLedger) -> None:
        record(papers, ARTICLE, PREPRINT)
        open_with(ledger, papers, [ARXIV])
        send(ledger)
        open_with(ledger, papers, [DOI], days=1, since=2)

        record(papers, BRIDGE, source="pubmed")

        assert [row.state for row in ledger.editions()] == [DeliveryState.SKIPPED, DeliveryState.ACCEPTED]
        assert claim_one(ledger) is None

    def test_one_in_hand_with_nothing_left_is_not_tried_again(self, papers: Papers, ledger: SqlLedger) -> None:
        record(papers, ARTICLE, PREPRINT)
        open_with(ledger, papers, [ARXIV])
        send(ledger)
        open_with(ledger, papers, [DOI], days=1)
        in_hand = claimed(ledger)

        record(papers, BRIDGE, source="pubmed")
        assert move(ledger, in_hand, DeliveryState.PENDING)

        assert claim_one(ledger) is None

    def test_a_run_that_chose_before_writes_the_names_of_now(self, papers: Papers, ledger: SqlLedger) -> None:
        record(papers, ARTICLE, PREPRINT)
        chosen = an_edition(matched=tuple(a_match(paper) for paper in papers.papers([ARXIV, DOI])))

        record(papers, BRIDGE, source="pubmed")
        assert open_edition(ledger, chosen, since_seq=0, through_seq=2, now=NOW)

        assert send(ledger) == [DOI]
        assert not open_edition(
            ledger, replace(chosen, date=NOW.date() + timedelta(days=1)), since_seq=0, through_seq=3, now=NOW
        )

    @pytest.mark.parametrize("section", ["matched", "rest"])
    def test_what_was_only_named_may_still_be_shown(self, papers: Papers, ledger: SqlLedger, section: str) -> None:
        record(papers, ARTICLE, an_entry(2), PREPRINT)
        named, other, waiting = papers.papers([ARXIV, an_entry(2).key, DOI])
        open_edition(ledger, an_edition(matched=(), rest=(named,)), since_seq=0, through_seq=3, now=NOW)
        send(ledger)
        edition = an_edition(date=NOW.date() + timedelta(days=1), matched=(a_match(other),))
        if section == "matched":
            edition = replace(edition, matched=(a_match(waiting), a_match(other)))
        else:
            edition = replace(edition, rest=(waiting,))
        open_edition(ledger, edition, since_seq=0, through_seq=3, now=NOW)

        record(papers, BRIDGE, source="pubmed")

        assert send(ledger) == ([DOI, other.key] if section == "matched" else [other.key])

    def test_what_was_a_near_miss_was_not_sent(self, papers: Papers, ledger: SqlLedger) -> None:
        record(papers, ARTICLE, an_entry(2), PREPRINT)
        near, other = papers.papers([ARXIV, an_entry(2).key])
        miss = NearMiss(paper=near, topic="Everything", missing="ether")
        open_edition(
            ledger, an_edition(matched=(a_match(other),), near_misses=(miss,)), since_seq=0, through_seq=3, now=NOW
        )
        send(ledger)
        open_with(ledger, papers, [DOI], days=1)

        record(papers, BRIDGE, source="pubmed")

        assert ledger.sent_keys(ADA) == {other.key}
        assert send(ledger) == [DOI]

    def test_a_near_miss_alone_is_no_edition(self, papers: Papers, ledger: SqlLedger) -> None:
        record(papers, ARTICLE, an_entry(2), PREPRINT)
        open_with(ledger, papers, [ARXIV])
        send(ledger)
        late, near = papers.papers([DOI, an_entry(2).key])
        edition = an_edition(
            date=NOW.date() + timedelta(days=1),
            matched=(a_match(late),),
            near_misses=(NearMiss(paper=near, topic="Everything", missing="ether"),),
        )
        open_edition(ledger, edition, since_seq=3, through_seq=3, now=NOW)

        record(papers, BRIDGE, source="pubmed")

        assert [row.state for row in ledger.editions()] == [DeliveryState.SKIPPED, DeliveryState.ACCEPTED]
        assert claim_one(ledger) is None

    @pytest.mark.parametrize("section", ["updated", "follow_ups"])
    def test_news_of_what_was_sent_stays(self, papers: Papers, ledger: SqlLedger, section: str) -> None:
        record(papers, ARTICLE, an_entry(2), PREPRINT)
        open_with(ledger, papers, [ARXIV])
        send(ledger)
        sent, other = papers.papers([ARXIV, an_entry(2).key])
        follow_up = FollowUp(paper=sent, kinds=(FollowUpKind.CODE,))
        news: Any = {"updated": (sent,), "follow_ups": (follow_up,)}[section]
        edition = an_edition(date=NOW.date() + timedelta(days=1), matched=(a_match(other),), **{section: news})
        open_edition(ledger, edition, since_seq=3, through_seq=3, now=NOW)

        record(papers, BRIDGE, source="pubmed")

        assert send(ledger) == [other.key, DOI]

    def test_written_texts_go_over_unless_there_are_some(self, papers: Papers, engine: Engine) -> None:
        record(papers, ARTICLE, PREPRINT)
        wordings = Wordings(engine)
        wordings.keep(ARXIV, "de", "title", by="m", text="Vorabdruck", at=NOW)
        wordings.keep(ARXIV, "de", "summary", by="m", text="Kurz.", at=NOW)
        wordings.keep(DOI, "de", "title", by="m", text="Artikel", at=NOW)

        record(papers, BRIDGE, source="pubmed")

        kept = wordings.wordings([DOI], "de")[DOI]
        assert (kept.title, kept.summary) == ("Artikel", "Kurz.")


class TestFeedback:
    def test_goes_over(self, papers: Papers, engine: Engine) -> None:
        record(papers, ARTICLE, PREPRINT)
        feedbacks = Feedbacks(engine)
        feedbacks.give(ADA, Feedback(ARXIV, more=True, at=NOW))

        record(papers, BRIDGE, source="pubmed")

        assert feedbacks.of(ADA) == [Feedback(DOI, more=True, at=NOW)]

    @given(
        said=st.lists(
            st.tuples(st.sampled_from(["ada", "ben"]), st.sampled_from([DOI, ARXIV, PMID]), st.booleans()),
            max_size=6,
        )
    )
    @settings(max_examples=40)
    def test_of_what_was_said_of_all_of_them_the_newest_counts(
        self, said: list[tuple[SubscriberId, PaperKey, bool]]
    ) -> None:
        papers, _, engine = a_clean_database()
        record(papers, ARTICLE, PREPRINT, replace(BRIDGE, ids=()), an_entry(2))
        feedbacks = Feedbacks(engine)
        last = {}
        for number, (who, key, more) in enumerate(said):
            last[who] = Feedback(key, more=more, at=NOW + timedelta(minutes=number))
            feedbacks.give(who, last[who])
        other = Feedback(an_entry(2).key, more=False, at=NOW - timedelta(days=1))
        feedbacks.give(ADA, other)

        record(papers, BRIDGE, source="pubmed")

        (paper,) = papers.papers([DOI])
        for who in (ADA, SubscriberId("ben")):
            theirs = [replace(last[who], paper=paper.key)] if who in last else []
            assert feedbacks.of(who) == ([other, *theirs] if who == ADA else theirs)

    def test_is_given_and_taken_back_under_any_name(self, papers: Papers, engine: Engine) -> None:
        record(papers, ARTICLE, PREPRINT)
        record(papers, BRIDGE, source="pubmed")
        feedbacks = Feedbacks(engine)

        feedbacks.give(ADA, Feedback(ARXIV, more=True, at=NOW))

        assert feedbacks.of(ADA) == [Feedback(DOI, more=True, at=NOW)]
        assert feedbacks.take_back(ADA, PMID)
        assert not feedbacks.take_back(ADA, DOI)
        assert feedbacks.of(ADA) == []


NAMES = [PaperKey(f"{kind}:{number}") for kind in ("one", "other") for number in range(2)]
_sets = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)


def classes(sets: Iterable[Sequence[PaperKey]]) -> list[frozenset[PaperKey]]:
    """The transitive closure, the slow and plain way."""
    found: list[frozenset[PaperKey]] = []
    for names in sets:
        touched = [each for each in found if not each.isdisjoint(names)]
        found = [each for each in found if each not in touched]
        found.append(frozenset(names).union(*touched))
    return found


Step = str | tuple[str, list[list[PaperKey]]]
_polls: st.SearchStrategy[Step] = st.tuples(st.sampled_from("ab"), st.lists(_sets, min_size=1, max_size=2))
_steps = st.lists(_polls | st.sampled_from(["deliver", "open", "claim", "settle", "release"]), min_size=6, max_size=16)


ENGINES: list[Engine] = []


def a_clean_database() -> tuple[Papers, SqlLedger, Engine]:
    if not ENGINES:
        ENGINES.append(open_database("sqlite://"))
    (engine,) = ENGINES
    with writing(engine) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.exec_driver_sql("DELETE FROM sqlite_sequence")
    return Papers(engine), SqlLedger(engine), engine


class Reader:
    """A subscriber and the runs that write to them; the inbox holds names, not papers.

    They are shown one paper an edition, and the titles of the others, which are carried over.
    """

    def __init__(self, papers: Papers, ledger: SqlLedger) -> None:
        self.papers, self.ledger = papers, ledger
        self.days = count()
        self.listed: list[tuple[str, list[PaperKey]]] = []
        self.inbox: list[Placed] = []
        self.in_hand: Delivery | None = None
        self.message: list[Placed] = []

    def owed(self) -> tuple[Edition, int, int]:
        through = self.papers.latest_seq()
        since = self.ledger.owed_since(ADA) or 0
        sent = self.ledger.sent_keys(ADA)
        owed = [paper for paper in self.papers.announced(since, through) if paper.key not in sent]
        edition = an_edition(
            date=NOW.date() + timedelta(days=next(self.days)),
            matched=(*self.carried(), *map(a_match, owed[:1])),
            rest=tuple(owed[1:]),
        )
        return edition, since, through

    def carried(self) -> list[Match]:
        history = self.ledger.history(ADA, NOW.date())
        shown = {each.placed.paper for each in history if each.placed.section == "matched"}
        named = [each.placed.paper for each in history if each.placed.section == "rest"]
        label = Label(LabelKind.CARRIED, NOW.date().isoformat())
        return [
            a_match(paper, labels=(label,)) for paper in self.papers.papers([key for key in named if key not in shown])
        ]

    def take(self, step: Step) -> None:
        if not isinstance(step, str):
            source, sets = step
            self.listed += [(source, names) for names in sets]
            entries = [an_entry(key=names[0], ids=tuple(names[1:]), title=f"From {source}") for names in sets]
            self.papers.record(Poll(source=source, verdict=Verdict.FRESH, entries=tuple(entries)), NOW)
        elif step == "deliver":
            for part in ("open", "claim", "settle"):
                self.take(part)
        elif step == "open":
            edition, since, through = self.owed()
            open_edition(self.ledger, edition, since_seq=since, through_seq=through)
        elif step == "claim" and not self.in_hand:
            self.in_hand = claim_one(self.ledger)
            if self.in_hand:
                self.message = list(self.ledger.edition_papers(self.in_hand))
                assert self.message
                self.is_no_repeat(self.message)
        elif self.in_hand and step in ("settle", "fail", "release"):
            if step == "release":
                assert move(self.ledger, self.in_hand, DeliveryState.PENDING)
            else:
                state = DeliveryState.ACCEPTED if step == "settle" else DeliveryState.FAILED
                assert move(self.ledger, self.in_hand, state)
                self.inbox += self.message if step == "settle" else []
            self.in_hand = None

    def is_no_repeat(self, message: Sequence[Placed]) -> None:
        """As far as can be known now, nothing in a message is twice in it or was sent before; but what was only named
        may be shown.
        """
        by_name = {name: work for work in classes(names for _, names in self.listed) for name in work}
        works = {by_name[placed.paper]: placed.section for placed in message}
        assert len(works) == len(message)
        before = {(by_name[placed.paper], placed.section) for placed in self.inbox}
        for work, section in works.items():
            assert (work, "matched") not in before
            assert section == "matched" or (work, "rest") not in before


def known_late(*steps: Step) -> list[Step]:
    """One name is sent; these steps are made with the other, and then it turns out that both are one work."""
    one, other = NAMES[:2]
    return [("a", [[one]]), "deliver", ("a", [[other]]), *steps, ("b", [[other, one]]), "release", "claim", "settle"]


# Chance finds these once in hundreds of examples.
@given(_steps)
@example(known_late())
@example(known_late("open"))
@example(known_late("open", "claim"))
@example(known_late("deliver"))
@example(
    [("a", [[NAMES[0]], [NAMES[1]]]), "deliver", ("a", [[NAMES[2]]]), "open", "claim", ("b", [NAMES[1:3]]), "settle"]
)
@example([("a", [[NAMES[0]], [NAMES[1]]]), "deliver", ("a", [[NAMES[2]]]), "deliver", ("b", [NAMES[1:3]]), "deliver"])
@settings(max_examples=80)
def test_uniting_neither_loses_a_paper_nor_sends_one_twice(steps: list[Step]) -> None:
    papers, ledger, engine = a_clean_database()
    reader = Reader(papers, ledger)
    for step in steps:
        before = papers.latest_seq()
        reader.take(step)
        works = classes(names for _, names in reader.listed)
        assert papers.count() == len(works)
        for work in works:
            (paper,) = papers.papers(sorted(work))
            assert {paper.key, *paper.ids} == work
        with reading(engine) as connection:
            rows = connection.execute(select(announcement).order_by(announcement.c.seq)).all()
        # Numbers are never given up, and a source announces a work that it has not announced.
        assert [row.seq for row in rows] == list(range(1, papers.latest_seq() + 1))
        by_name = {name: work for work in works for name in work}
        assert {(by_name[row.paper_key], row.source) for row in rows} == {
            (by_name[names[0]], source) for source, names in reader.listed
        }
        assert papers.latest_seq() >= before
    reader.take("settle")
    for _ in range(3):
        reader.take("deliver")

    by_name = {name: work for work in classes(names for _, names in reader.listed) for name in work}
    assert {by_name[placed.paper] for placed in reader.inbox} == set(by_name.values())
    assert not reader.owed()[0].matched


@given(st.lists(_sets, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_names_does_not_matter(sets: list[list[PaperKey]], chance: Random) -> None:
    entries = [
        an_entry(key=names[0], ids=tuple(names[1:]), title=f"Title {number}", abstract="x" * number)
        for number, names in enumerate(sets)
    ]

    def listed(order: Sequence[Entry], size: int) -> set[object]:
        papers, _, _ = a_clean_database()
        for start in range(0, len(order), size):
            poll = Poll(source="s", verdict=Verdict.FRESH, entries=tuple(order[start : start + size]))
            papers.record(poll, NOW)
        return {
            (frozenset((paper.key, *paper.ids)), paper.title, paper.abstract, paper.sources)
            for paper in papers.papers(NAMES)
        }

    first = listed(entries, 1)
    chance.shuffle(entries)

    assert listed(entries, 1) == first
    assert listed(entries, 3) == first


def test_an_id_that_two_works_state_does_not_make_them_one(papers: Papers) -> None:
    """The DOI of a volume of proceedings, or a mistake."""
    shared = PaperKey("doi:10.1000/volume")
    one, other = an_entry(1, ids=(shared,)), an_entry(2, title="Another Work", ids=(shared,))

    record(papers, one, source="arxiv:cs.CL")
    record(papers, one, other, source="arxiv:cs.LG")
    record(papers, replace(other, key=shared, ids=(), title="The Volume"), source="journal")

    assert papers.count() == 2
    assert [paper.title for paper in papers.papers([one.key, other.key])] == ["Invented Paper 1", "Another Work"]
