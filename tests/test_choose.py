"""What an edition holds besides the day's matches, morning after morning."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from digest.choose import choose_editions, weigh_paper
from digest.errors import PermanentDeliverError
from digest.listener import Listener
from digest.model import (
    Announcement,
    DeliveryState,
    Edition,
    Entry,
    Feedback,
    FollowUpKind,
    Link,
    LinkKind,
    PaperKey,
    Poll,
    Signals,
    Subscriber,
    Topic,
    Verdict,
)
from digest.pipeline import run_pass
from digest.ports import OwedEdition
from digest.world import Choice
from tests.builders import NOW, a_subscriber, an_entry
from tests.mornings import Morning

DAY = timedelta(days=1)
EARLIER = NOW - timedelta(hours=3)
INVENTED = Topic(name="Inventions", any=("invented",))
CODE = Link(LinkKind.CODE, "https://github.com/example/invented")
NOTICE = "This paper has been withdrawn by the authors."


def test_choosing_ends_once_it_is_told_to(tmp_path: Path) -> None:
    morning = Morning(tmp_path, *(a_subscriber(name, topics=(INVENTED,)) for name in ("Ada", "Ben", "Cleo")))
    morning.announce(an_entry(1))
    chosen: list[OwedEdition] = []

    editions = choose_editions(morning.world, morning.now, Choice(), (), [], [], stop=lambda: bool(chosen))
    chosen.extend([next(editions)])

    assert list(editions) == []
    assert not any(choose_editions(morning.world, morning.now, Choice(), (), [], [], stop=lambda: True))


def edition(morning: Morning) -> Edition:
    """What the one subscriber would get now."""
    [chosen] = run_pass(morning.world, None, morning.now, Choice(), Listener()).editions
    return chosen


def matched(chosen: Edition) -> list[str]:
    return [match.paper.title for match in chosen.matched]


def test_what_the_limit_cut_has_one_more_chance_and_says_so(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,), limit=2))
    morning.announce(*(an_entry(number) for number in range(1, 6)))
    first = edition(morning)
    morning.run()

    morning.now += DAY
    second = edition(morning)
    morning.run()
    morning.now += DAY
    third = edition(morning)

    assert len(first.matched) == 2
    assert len(first.rest) == 3
    assert set(matched(second)) < {paper.title for paper in first.rest}
    assert all(match.labels[-1].name == first.date.isoformat() for match in second.matched)
    assert second.rest == ()
    assert third.is_empty


def test_a_carried_paper_competes_with_what_is_new(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,), limit=1))
    morning.announce(an_entry(1, title="Invented twice: invented"), an_entry(2, title="Other", abstract="Invented."))
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(3))

    assert matched(edition(morning)) == ["Invented Paper 3"]


def test_a_paper_that_took_off_after_its_day_comes_back_once(tmp_path: Path) -> None:
    reader = a_subscriber(topics=(Topic(name="Zoo", any=("zebra",)),), trending=1, rising=2)
    morning = Morning(tmp_path, reader)
    morning.announce(
        *(an_entry(each, signals=Signals(upvotes=3 * each), published=EARLIER) for each in (1, 2)), source="huggingface"
    )
    assert [paper.title for paper in edition(morning).trending] == ["Invented Paper 2"]
    morning.run()

    morning.now += DAY
    morning.announce(
        an_entry(1, signals=Signals(upvotes=60)), an_entry(2, signals=Signals(upvotes=99)), source="huggingface"
    )
    risen = edition(morning)
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(1, signals=Signals(upvotes=400)), source="huggingface")

    [rise] = risen.rising
    assert (rise.paper.title, rise.signal, rise.before, rise.now) == ("Invented Paper 1", "upvotes", 3, 60)
    assert edition(morning).is_empty


def test_who_wants_no_trending_papers_hears_only_of_risen_ones_on_their_topics(tmp_path: Path) -> None:
    reader = a_subscriber(topics=(Topic(name="Zoo", any=("zebra",)),), rising=5)
    morning = Morning(tmp_path, reader)
    for upvotes in (1, 90):
        morning.now += DAY
        entries = [an_entry(each, signals=Signals(upvotes=upvotes), published=EARLIER) for each in (1, 2)]
        morning.announce(*entries, source="huggingface")
        assert morning.run().counts == {DeliveryState.SKIPPED: 1}
    morning.now += timedelta(minutes=1)

    # A topic that came later would have wanted one of them.
    topics = (*reader.topics, Topic(name="Second", query="invented title:2"))
    morning.world = replace(morning.world, subscribers=[replace(reader, topics=topics)])

    assert [rise.paper.title for rise in edition(morning).rising] == ["Invented Paper 2"]


def test_a_near_miss_is_named_with_its_word_and_is_no_reason_for_a_mail(tmp_path: Path) -> None:
    topic = Topic(name="Both", all=("invented", "zebra"))
    morning = Morning(tmp_path, a_subscriber(topics=(topic,), near_misses=3))
    morning.announce(an_entry(1), an_entry(2, abstract="Zebras."))
    chosen = edition(morning)
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(3))

    assert matched(chosen) == ["Invented Paper 2"]
    [near] = chosen.near_misses
    assert (near.paper.title, near.topic, near.missing) == ("Invented Paper 1", "Both", "zebra")
    assert morning.run().counts == {DeliveryState.SKIPPED: 1}


def test_a_near_miss_comes_in_full_once_a_topic_wants_it(tmp_path: Path) -> None:
    reader = a_subscriber(topics=(Topic(name="Both", all=("invented", "zebra")),), near_misses=3)
    morning = Morning(tmp_path, reader)
    morning.announce(an_entry(1), an_entry(2, abstract="Zebras."))
    morning.run()

    assert morning.world.ledger.sent_keys(reader.id) == {"arxiv:2611.00002"}


def test_more_like_this_comes_first(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,), limit=20))
    zebras, kettles = "Zebras graze on stripes and savannah.", "Kettles boil water with steam."
    morning.announce(an_entry(1, abstract=zebras), an_entry(2, abstract=kettles))
    morning.run()
    reader = morning.world.subscribers[0]
    morning.world.feedback.give(reader.id, Feedback(PaperKey("arxiv:2611.00002"), more=True, at=NOW))
    morning.world.feedback.give(reader.id, Feedback(PaperKey("arxiv:2611.00001"), more=False, at=NOW))
    morning.now += DAY
    morning.announce(an_entry(3, abstract=zebras), an_entry(4, abstract=kettles))

    chosen = edition(morning)

    assert matched(chosen) == ["Invented Paper 4", "Invented Paper 3"]
    assert chosen.matched[0].score.relevance > 0 > chosen.matched[1].score.relevance


def test_a_description_finds_papers_and_the_mail_says_how_near_they_are(tmp_path: Path) -> None:
    topic = Topic(name="Animals", about="zebras grazing in the savannah")
    morning = Morning(tmp_path, a_subscriber(topics=(topic,)))
    morning.announce(
        an_entry(1, title="Grazing zebras", abstract="We watch zebras graze in the savannah for a year."),
        an_entry(2, title="Kettles", abstract="Kettles boil water with steam."),
    )

    chosen = edition(morning)
    morning.run()

    assert matched(chosen) == ["Grazing zebras"]
    [message] = morning.backend.sent
    near = chosen.matched[0].topics[0].evidence[0].found
    assert f"near to “zebras grazing in the savannah” ({near})" in " ".join(message.text.split())


def test_a_paper_is_weighed_as_the_pass_weighed_it(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED, Topic(name="Zoo", any=("zebra",)))))
    morning.announce(an_entry(1))
    [match] = edition(morning).matched

    weighed = weigh_paper(morning.world, morning.world.subscribers[0], match.paper, morning.now)

    assert weighed.score == match.score
    assert [judgement.wants for judgement in weighed.judgements] == [True, False]


def test_many_readers_are_chosen_for_as_each_alone(tmp_path: Path) -> None:
    words = (
        "invented",
        "paper",
        "sentences",
        "two -paper",
        "cat:cs.CL",
        "author:Example",
        "zebra",
        "title:3 OR title:5",
    )
    readers = [
        a_subscriber(f"Reader {number}", topics=(Topic(name="It", query=query),)) for number, query in enumerate(words)
    ]
    together = Morning(tmp_path, *readers)
    together.announce(*(an_entry(number) for number in range(1, 9)))
    chosen = run_pass(together.world, None, together.now, Choice(), Listener()).editions

    for reader, its in zip(readers, chosen, strict=True):
        alone = Morning(tmp_path / reader.id, reader)
        alone.announce(*(an_entry(number) for number in range(1, 9)))
        assert edition(alone).papers == its.papers


def newer(number: int, **changes: Any) -> Entry:
    """A newer version of a paper, as arXiv lists it."""
    return an_entry(number, announcement=Announcement.REPLACE, version=2, **changes)


def followed_up(chosen: Edition) -> dict[str, tuple[FollowUpKind, ...]]:
    return {each.paper.title: each.kinds for each in chosen.follow_ups}


def told(morning: Morning, *entries: Entry) -> dict[str, tuple[FollowUpKind, ...]]:
    """What the next morning's mail tells of papers that were sent, once these are listed."""
    morning.now += DAY
    morning.announce(*entries)
    chosen = edition(morning)
    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}
    return followed_up(chosen)


def test_what_became_of_a_paper_is_told_once(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,)))
    morning.announce(an_entry(1), an_entry(2, venue="Invented Letters"))
    morning.run()

    assert told(morning, an_entry(3), an_entry(1, links=(CODE,))) == {"Invented Paper 1": (FollowUpKind.CODE,)}
    assert told(morning, an_entry(4), an_entry(1, links=(CODE,))) == {}
    assert told(morning, an_entry(5), an_entry(1, venue="ICML 2027")) == {"Invented Paper 1": (FollowUpKind.ACCEPTED,)}
    assert told(morning, an_entry(6)) == {}


def test_a_paper_that_was_named_by_title_is_followed_up_unless_it_comes_in_full(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,), limit=1))
    morning.announce(an_entry(1, title="Invented twice: invented"), an_entry(2, published=EARLIER), an_entry(3))
    named = [paper.key for paper in edition(morning).rest]
    morning.run()
    assert named == [an_entry(3).key, an_entry(2).key]

    # The first is carried over, and shows its code itself.
    both = (an_entry(2, links=(CODE,)), an_entry(3, links=(CODE,)))
    assert told(morning, *both) == {"Invented Paper 2": (FollowUpKind.CODE,)}
    assert told(morning, an_entry(4), an_entry(3, venue="ICML 2027")) == {"Invented Paper 3": (FollowUpKind.ACCEPTED,)}


def test_what_became_of_a_paper_is_no_reason_for_a_mail_and_is_kept_for_the_next(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,)))
    morning.announce(an_entry(1))
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(1, links=(CODE,)))

    assert morning.run().counts == {DeliveryState.SKIPPED: 1}
    morning.now += DAY
    morning.announce(an_entry(2))
    assert followed_up(edition(morning)) == {"Invented Paper 1": (FollowUpKind.CODE,)}
    assert morning.run().counts == {DeliveryState.ACCEPTED: 1}
    assert morning.world.ledger.sent_keys(morning.world.subscribers[0].id) == {an_entry(1).key, an_entry(2).key}
    assert "code appeared" in morning.backend.sent[1].text


def test_news_that_could_not_be_delivered_is_told_with_the_next(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,)))
    morning.announce(an_entry(1))
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(1, links=(CODE,)), an_entry(2))
    morning.backend.errors["ada@example.org"] = PermanentDeliverError("550 no")
    morning.run()
    morning.backend.errors.clear()
    morning.now += DAY

    assert followed_up(edition(morning)) == {"Invented Paper 1": (FollowUpKind.CODE,)}


def test_a_withdrawn_paper_is_told_to_who_was_sent_it_and_sent_to_nobody(tmp_path: Path) -> None:
    ada, ben = a_subscriber(topics=(INVENTED,), near_misses=5, trending=5), a_subscriber("Ben", topics=(INVENTED,))
    morning = Morning(tmp_path, ada)
    arxiv = "arxiv:cs.CL"
    morning.announce(an_entry(1), source=arxiv)
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(2), an_entry(3), source=arxiv)
    morning.announce(*(newer(number, abstract=NOTICE, signals=Signals(upvotes=9)) for number in (1, 2)), source=arxiv)
    morning.world = replace(morning.world, subscribers=[ada, ben])

    of_ada, of_ben = run_pass(morning.world, None, morning.now, Choice(), Listener()).editions

    assert matched(of_ada) == matched(of_ben) == ["Invented Paper 3"]
    assert (of_ada.trending, of_ada.rest, of_ada.near_misses) == ((), (), ())
    assert followed_up(of_ada) == {"Invented Paper 1": (FollowUpKind.WITHDRAWN,)}
    assert of_ben.follow_ups == ()


def test_a_paper_is_followed_up_or_updated_and_not_both(tmp_path: Path) -> None:
    morning = Morning(tmp_path, a_subscriber(topics=(INVENTED,)))
    everything = frozenset(Announcement)
    morning.announce(an_entry(1), an_entry(2))
    morning.run()
    morning.now += DAY
    morning.announce(an_entry(3))
    poll = Poll(source="arxiv", verdict=Verdict.FRESH, entries=(newer(1), newer(2, links=(CODE,))), announce=everything)
    morning.world.papers.record(poll, morning.now)

    chosen = edition(morning)

    assert [paper.title for paper in chosen.updated] == ["Invented Paper 1"]
    assert followed_up(chosen) == {"Invented Paper 2": (FollowUpKind.CODE,)}


def test_a_reader_who_stays_away_gets_the_days_since_their_last_edition(tmp_path: Path) -> None:
    daily, weekly = a_subscriber("Daily", topics=(INVENTED,)), _weekly(a_subscriber("Weekly", topics=(INVENTED,)))
    morning = Morning(tmp_path, daily, weekly)
    for number in range(1, 9):
        morning.announce(an_entry(number))
        morning.run()
        morning.now += DAY

    titles = morning.titles()

    assert len(titles) == 16
    assert all(titles.count(f"Invented Paper {number}") == 2 for number in range(1, 9))


def _weekly(subscriber: Subscriber) -> Subscriber:
    return replace(subscriber, schedule=replace(subscriber.schedule, text="weekly", cron="30 7 * * 5"))
