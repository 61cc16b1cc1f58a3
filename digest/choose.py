"""Chooses what each subscriber is owed: all of them are asked about the papers of one pass at once."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import takewhile

from digest.errors import DigestError, StoreError
from digest.match.panel import Panel
from digest.match.query import About
from digest.match.topics import Judgement, Reading, TopicFilter, compile_topics
from digest.model import (
    DeliveryState,
    Edition,
    FollowUp,
    FollowUpKind,
    Gap,
    NearMiss,
    Observation,
    Paper,
    PaperKey,
    Rise,
    Score,
    Sent,
    Subscriber,
)
from digest.ports import EditionState, OwedEdition
from digest.rank.corpus import Corpus
from digest.rank.followups import find_news, is_withdrawn, read_told, standing_of
from digest.rank.meaning import Meaning, NearnessOf
from digest.rank.score import Candidate, score_candidate
from digest.rank.select import select_edition
from digest.rank.taste import Taste, learn_taste
from digest.rank.trending import expected_notice, find_rising
from digest.schedule.days_off import DaysOff
from digest.schedule.due import Due, Plan, edition_now, plan_edition, wait_until
from digest.world import Choice, World

log = logging.getLogger(__name__)

RISES_FOR = timedelta(days=14)
"""So long after it was first seen a paper may still rise."""
REMEMBERED = timedelta(days=92)
"""So far back a reader's editions count for what is worth a word, and their papers are followed up."""
WAITS_AT_MOST = timedelta(days=14)
"""So long after their last mail a reader's edition waits for more papers."""
_BACKGROUND = 3_000
"""So many papers besides those of the pass tell how rare a word is."""


def due(world: World, subscriber: Subscriber, now: datetime) -> Due | None:
    """The edition this subscriber should get by now, if any; it may wait for its sources, see `choose_editions`."""
    return _plan(world, subscriber, now).due


def _plan(world: World, subscriber: Subscriber, now: datetime, *, everyone: bool = False) -> Plan:
    """What this subscriber should get by now; today's edition for ``everyone``, whatever their schedule."""
    zone = subscriber.zone
    settled = world.ledger.settled_date(subscriber.id, today=now.astimezone(zone).date())
    if not everyone:
        return plan_edition(
            subscriber.schedule,
            zone,
            now,
            settled,
            world.catch_up,
            policy=world.catch_up_policy,
            off=DaysOff.of(subscriber),
            latest=subscriber.latest_send,
        )
    today = edition_now(subscriber.schedule, zone, now)
    return Plan(today if settled is None or settled < today.date else None)


@dataclass(frozen=True, slots=True)
class Reader:
    """A subscriber who is due, and from where on."""

    subscriber: Subscriber
    due: Due
    since_seq: int
    """They are owed what was announced after this number."""
    carried: Mapping[PaperKey, date]
    """What the limit cut from their last edition, with its date."""
    through_seq: int | None = None
    """They are owed what was announced up to this number; ``None`` for all."""
    is_cut: bool = False
    """Whether something before ``since_seq`` is left out for good."""

    @classmethod
    def of(cls, world: World, subscriber: Subscriber, edition_due: Due) -> "Reader":
        """Look up what they were sent; a subscriber without editions is owed what was first seen since the send time
        before this one.
        """
        owed = world.ledger.owed_since(subscriber.id)
        since = world.papers.seq_before(edition_due.previous_at) if owed is None else owed
        start = since
        if edition_due.since and _is_delivered(_newest_edition(world, subscriber)):
            start = max(since, world.papers.seq_before(edition_due.since))
        return cls(
            subscriber,
            edition_due,
            start,
            world.ledger.carried(subscriber.id),
            world.papers.seq_before(edition_due.until) if edition_due.until else None,
            is_cut=start > since,
        )


def choose_editions(
    world: World,
    now: datetime,
    choice: Choice,
    missing: tuple[Gap, ...],
    failures: list[DigestError],
    notes: list[str],
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[OwedEdition]:
    """The edition of everyone who is due; with `CatchUp.EACH` the oldest that they missed, so ask again once it is out.

    Before it comes an empty one that says which were missed for good.

    Args:
        world: What to work with.
        now: The pass's reference time.
        choice: Who is asked about.
        missing: The sources that may have had more.
        failures: Whatever keeps an edition from being chosen is added here; the others get theirs.
        notes: What went without is added here.
        stop: Asked before each reader; once it says so, nobody else's edition is chosen.
    """
    readers: list[Reader] = []
    waiting = 0
    for subscriber in takewhile(lambda _: not stop(), choice.subscribers(world)):
        with _Guard(subscriber, failures):
            plan = _plan(world, subscriber, now, everyone=choice.everyone)
            if plan.left_out and (told := _tell_left_out(world, subscriber, plan.left_out)):
                yield told
            if plan.due is None:
                continue
            last = wait_until(plan.due.date, plan.due.at, subscriber.zone, subscriber.latest_send)
            if missing and now < last and not choice.everyone:
                waiting += 1
            else:
                readers.append(Reader.of(world, subscriber, plan.due))
    if waiting:
        notes.append(f"editions that wait for {', '.join(gap.source for gap in missing)}: {waiting}")
    if cut := sum(reader.is_cut for reader in readers):
        notes.append(f"editions without what missed ones would have had (DIGEST_CATCH_UP=latest): {cut}")
    if not readers or stop():
        return
    world.panel.update(world.subscribers)
    batch = Batch(world, readers, now)
    for reader in takewhile(lambda _: not stop(), readers):
        with _Guard(reader.subscriber, failures):
            owed = batch.owed(reader, missing)
            yield owed if choice.everyone else _wait_for_more(world, owed)
    notes += batch.notes


def _tell_left_out(world: World, subscriber: Subscriber, days: Sequence[date]) -> OwedEdition | None:
    """An edition without papers for the newest of these dates, unless the ledger knows it: it says what was missed."""
    newest, since = _newest_edition(world, subscriber), world.ledger.owed_since(subscriber.id)
    if since is None or (newest and newest.date >= days[0]):
        return None
    many = f"{len(days)} editions from {days[-1]} on were" if len(days) > 1 else "it was"
    return _without_papers(
        Edition(subscriber=subscriber, date=days[0]), since, f"{many} missed; the next one carries what they had"
    )


def _newest_edition(world: World, subscriber: Subscriber) -> EditionState | None:
    return next(iter(world.ledger.editions(subscriber.id, limit=1)), None)


def _is_delivered(edition: EditionState | None) -> bool:
    """Whether it left nothing that a later one has to carry; what was only late is no missed edition."""
    return edition is not None and edition.state in (DeliveryState.ACCEPTED, DeliveryState.SKIPPED)


def _wait_for_more(world: World, owed: OwedEdition) -> OwedEdition:
    """The edition, or nothing for now if it has fewer papers than its reader wants; they come along the next time."""
    edition, wanted = owed.edition, owed.edition.subscriber.at_least
    if edition.is_empty or len(edition.papers) >= wanted:
        return owed
    known = world.ledger.editions(edition.subscriber.id)
    mailed = (each.date for each in known if each.state is DeliveryState.ACCEPTED)
    last = next(mailed, known[-1].date if known else edition.date)
    if edition.date - last >= WAITS_AT_MOST:
        return owed
    papers = "1 paper" if len(edition.papers) == 1 else f"{len(edition.papers)} papers"
    return _without_papers(edition, owed.since_seq, f"{papers}, waits for {wanted}")


def _without_papers(edition: Edition, since_seq: int, detail: str) -> OwedEdition:
    return OwedEdition(
        edition=Edition(subscriber=edition.subscriber, date=edition.date),
        since_seq=since_seq,
        through_seq=since_seq,
        detail=detail,
    )


class _Guard:
    """Whatever is wrong with one reader's topics or one paper's words, the others get their mail."""

    def __init__(self, subscriber: Subscriber, failures: list[DigestError]) -> None:
        self._subscriber = subscriber
        self._failures = failures

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> bool:
        if not isinstance(exc, Exception) or isinstance(exc, StoreError):
            return False
        log.error("no edition could be chosen", exc_info=exc, extra={"subscriber": self._subscriber.id})
        problem = f"no edition could be chosen ({type(exc).__name__}: {exc})"
        hint = "please report this; what is owed waits, and the others are served"
        self._failures.append(DigestError(problem, where=self._subscriber.id, hint=hint))
        return True


def owed_edition(
    world: World, subscriber: Subscriber, edition_due: Due, now: datetime, missing: tuple[Gap, ...] = ()
) -> OwedEdition:
    """Everything announced since the subscriber's last settled edition that they were not sent, chosen from and ranked.

    Args:
        world: What to work with.
        subscriber: Who is due.
        edition_due: For which date.
        now: The reference time.
        missing: The sources that may have had more; see `digest.pipeline.gaps`.
    """
    reader = Reader.of(world, subscriber, edition_due)
    world.panel.update(world.subscribers)
    batch = Batch(world, [reader], now)
    return batch.owed(reader, missing)


def choose_papers(
    subscriber: Subscriber, day: date, now: datetime, papers: Sequence[Paper], *, missing: tuple[Gap, ...] = ()
) -> Edition:
    """Choose from papers that nobody was sent, each once, by what they themselves say."""
    papers = [paper for paper in papers if not is_withdrawn(paper)]
    panel = Panel([subscriber])
    readings = [Reading(paper) for paper in papers]
    meaning = Meaning(Corpus(papers), None, lambda keys: [paper for paper in papers if paper.key in keys])
    measure_nearness(meaning, panel.topics(subscriber.id), readings)
    wanted = panel.ask(readings)

    def notice(paper: Paper) -> float:
        return expected_notice(paper, (), now)

    return select_edition(
        subscriber,
        day,
        now,
        [
            Candidate(readings[place], _judge(panel, subscriber, readings[place], names), notice(papers[place]))
            for place, names in wanted.of(subscriber.id)
        ],
        owed=papers,
        notice=notice,
        near_misses=_near_misses(panel, subscriber, [readings[place] for place in wanted.near_misses(subscriber.id)]),
        gaps=missing,
    )


@dataclass(frozen=True, slots=True)
class Weighed:
    """What one paper is to one subscriber, with all reasons."""

    judgements: tuple[Judgement, ...]
    """Of every topic."""
    score: Score | None
    """``None`` if no topic wants it."""
    phrases: Mapping[About, Sequence[tuple[str, float]]]
    """What in it is nearest to each description."""
    liked: Sequence[tuple[str, float]]
    """Its words that feedback speaks for and against."""
    notes: tuple[str, ...]
    notice: float


def weigh_paper(world: World, subscriber: Subscriber, paper: Paper, now: datetime) -> Weighed:
    """Ask all topics of one subscriber about one paper, as a pass at this time would."""
    topics = compile_topics(subscriber)
    recent = world.papers.recent(now - REMEMBERED, _BACKGROUND)
    corpus = Corpus([paper, *recent])
    meaning = Meaning(corpus, world.embedder, world.papers.papers)
    reading = Reading(paper)
    measure_nearness(meaning, topics, [reading])
    judgements = tuple(topic.judge(reading) for topic in topics)
    taste = _learn(world, subscriber, lambda: corpus)
    observations = world.papers.observations(now - RISES_FOR, [paper.key])
    wanting = tuple(judgement for judgement in judgements if judgement.wants)
    candidate = Candidate(
        reading, wanting, expected_notice(paper, observations, now), taste.score([paper])[0] if taste else 0.0
    )
    return Weighed(
        judgements,
        score_candidate(candidate, now) if wanting else None,
        {about: meaning.nearest_phrases(about, paper) for topic in topics for about in topic.abouts},
        taste.words(paper) if taste else (),
        say_notes(meaning, [(subscriber, topic) for topic in topics]),
        candidate.notice,
    )


class Batch:
    """The papers of one pass, read and taken apart once for all readers."""

    def __init__(self, world: World, readers: Sequence[Reader], now: datetime) -> None:
        """Ask everybody's topics about everything that anybody is owed.

        Args:
            world: What to work with; its panel holds the readers' topics.
            readers: Who is due.
            now: The pass's reference time.
        """
        self._world = world
        self._readers = readers
        self._now = now
        self._latest_seq = world.papers.latest_seq()
        carried = {key for reader in readers for key in reader.carried}
        since = min(reader.since_seq for reader in readers)
        announced = world.papers.announced(since, self._latest_seq)
        papers = {paper.key: paper for paper in (*announced, *world.papers.papers([*carried]), *self._older)}
        self._readings = [Reading(paper) for paper in papers.values()]
        self._places = {key: place for place, key in enumerate(papers)}
        self._keys = {(since, self._latest_seq): frozenset(paper.key for paper in announced)}
        # Nobody is sent them as news; who was sent one before is told.
        self._withdrawn = frozenset(paper.key for paper in papers.values() if is_withdrawn(paper))
        self._standing: dict[PaperKey, tuple[FollowUpKind, ...]] = {}
        self._replaced: dict[tuple[int, int], frozenset[PaperKey]] = {}
        self._notices: dict[PaperKey, float] = {}
        self._risen: dict[datetime, Sequence[Rise]] = {}
        asked = [(reader.subscriber, each) for reader in readers for each in world.panel.topics(reader.subscriber.id)]
        self.notes: tuple[str, ...] = ()
        """What was not as readers or the operator would expect."""
        if any(topic.abouts for _, topic in asked):
            meaning = Meaning(self._corpus, world.embedder, world.papers.papers)
            try:
                measure_nearness(meaning, [topic for _, topic in asked], self._readings)
                self.notes = say_notes(meaning, asked)
            except Exception as exc:
                # What one reader describes must not keep the others from their mail.
                log.exception("descriptions could not be compared")
                self.notes = (
                    f"descriptions could not be compared, and find nothing now ({type(exc).__name__}: {exc})",
                )
        self._wanted = world.panel.ask(self._readings)

    def owed(self, reader: Reader, missing: tuple[Gap, ...]) -> OwedEdition:
        """Choose what one reader gets."""
        through = self._latest_seq if reader.through_seq is None else reader.through_seq
        window = (reader.since_seq, max(reader.since_seq, through))
        return OwedEdition(
            edition=self._edition(reader, window, missing),
            since_seq=window[0],
            through_seq=window[1],
            detail=f"without what was announced before {reader.due.since:%Y-%m-%d %H:%M} UTC" if reader.is_cut else "",
        )

    def _edition(self, reader: Reader, window: tuple[int, int], missing: tuple[Gap, ...]) -> Edition:
        subscriber, panel = reader.subscriber, self._world.panel
        announced = self._announced(window)
        sent = self._world.ledger.sent_keys(subscriber.id)
        told = announced | sent | self._withdrawn
        owed = announced - sent - self._withdrawn
        eligible = owed | ((reader.carried.keys() & self._places.keys()) - self._withdrawn)
        wanted = self._wanted.of(subscriber.id)
        candidates = [
            (reading, names) for place, names in wanted if (reading := self._readings[place]).paper.key in eligible
        ]
        taste = _learn(self._world, subscriber, lambda: self._corpus)
        liking = taste.score([reading.paper for reading, _ in candidates]) if taste else [0.0] * len(candidates)
        near = (self._readings[place] for place in self._wanted.near_misses(subscriber.id))
        history = self._world.ledger.history(subscriber.id, reader.due.date - REMEMBERED)
        edition = select_edition(
            subscriber,
            reader.due.date,
            self._now,
            [
                Candidate(
                    reading,
                    _judge(panel, subscriber, reading, names),
                    self._notice(reading.paper),
                    liked,
                    None if reading.paper.key in owed else reader.carried[reading.paper.key],
                )
                for (reading, names), liked in zip(candidates, liking, strict=True)
            ],
            owed=self._papers(owed),
            notice=self._notice,
            rising=self._rising(reader, told, [place for place, _ in wanted]) if subscriber.rising else (),
            near_misses=_near_misses(panel, subscriber, (each for each in near if each.paper.key in owed)),
            updated=self._papers(sent & self._replaced_in(window) & self._places.keys()),
            gaps=missing,
            history=history,
        )
        return self._follow_up(edition, history)

    def _follow_up(self, edition: Edition, history: Sequence[Sent]) -> Edition:
        """The edition with what became of papers that were sent; a newer version of these is not named, too."""
        named = {paper.key for paper in edition.papers}
        told = {key: had for key, had in read_told(history).items() if key not in named}
        for paper in self._world.papers.papers([key for key in told if key not in self._standing]):
            self._standing[paper.key] = standing_of(paper)
        news = find_news(told, self._standing)
        followed = self._world.papers.papers([*news]) if news else ()
        return replace(
            edition,
            follow_ups=tuple(FollowUp(paper=paper, kinds=news[paper.key]) for paper in followed if paper.key in news),
            updated=tuple(paper for paper in edition.updated if paper.key not in news),
        )

    def _papers(self, keys: Iterable[PaperKey]) -> list[Paper]:
        """These papers, in the order in which they were announced."""
        return [self._readings[place].paper for place in sorted(self._places[key] for key in keys)]

    def _announced(self, window: tuple[int, int]) -> frozenset[PaperKey]:
        if window not in self._keys:
            announced = self._world.papers.announced(*window)
            self._keys[window] = frozenset(paper.key for paper in announced if paper.key in self._places)
        return self._keys[window]

    def _replaced_in(self, window: tuple[int, int]) -> frozenset[PaperKey]:
        if window not in self._replaced:
            self._replaced[window] = self._world.papers.replaced(*window)
        return self._replaced[window]

    # What is made of papers

    @cached_property
    def _observations(self) -> Mapping[PaperKey, Sequence[Observation]]:
        by_paper: defaultdict[PaperKey, list[Observation]] = defaultdict(list)
        for each in self._world.papers.observations(self._now - RISES_FOR - timedelta(days=1)):
            by_paper[each.paper].append(each)
        return by_paper

    @cached_property
    def _older(self) -> Sequence[Paper]:
        """Papers of the last weeks of which anything was said, for those who want to know of risen ones."""
        if not any(reader.subscriber.rising for reader in self._readers):
            return ()
        since = self._now - RISES_FOR
        return [paper for paper in self._world.papers.papers([*self._observations]) if paper.first_seen >= since]

    def _notice(self, paper: Paper) -> float:
        if paper.key not in self._notices:
            self._notices[paper.key] = expected_notice(paper, self._observations.get(paper.key, ()), self._now)
        return self._notices[paper.key]

    def _rising(self, reader: Reader, told: Set[PaperKey], wanted: Iterable[int]) -> list[Rise]:
        """What took off since the reader's window began, but what they are told or were; who wants nothing that trends
        hears of what their topics want.
        """
        since = reader.due.previous_at
        if since not in self._risen:
            self._risen[since] = find_rising(self._older, self._observations, since, self._now)
        of_interest = {self._readings[place].paper.key for place in wanted}
        return [
            rise
            for rise in self._risen[since]
            if rise.paper.key not in told and (reader.subscriber.trending or rise.paper.key in of_interest)
        ]

    # What readers describe and like

    @cached_property
    def _corpus(self) -> Corpus:
        recent = self._world.papers.recent(self._now - REMEMBERED, _BACKGROUND)
        return Corpus([*(reading.paper for reading in self._readings), *recent])


def _learn(world: World, subscriber: Subscriber, corpus: Callable[[], Corpus]) -> Taste | None:
    said = world.feedback.of(subscriber.id)
    if not said:
        return None
    papers = {paper.key: paper for paper in world.papers.papers([each.paper for each in said])}
    more, less = (
        [papers[each.paper] for each in said if each.more is wanted and each.paper in papers]
        for wanted in (True, False)
    )
    return learn_taste(more, less, corpus())


def measure_nearness(meaning: Meaning, topics: Iterable[TopicFilter], readings: Sequence[Reading]) -> None:
    """Tell each paper how near it is to what topics describe."""
    abouts = dict.fromkeys(about for topic in topics for about in topic.abouts)
    if not abouts:
        return
    measured = meaning.measure([*abouts], [reading.paper for reading in readings])
    for place, reading in enumerate(readings):
        reading.nearness = NearnessOf(measured, place)


def say_notes(meaning: Meaning, asked: Iterable[tuple[Subscriber, TopicFilter]]) -> tuple[str, ...]:
    """What was not as one would expect when descriptions were compared, with the topic that it concerns."""
    owners: defaultdict[About, list[str]] = defaultdict(list)
    for subscriber, topic in asked:
        for about in topic.abouts:
            owners[about].append(f"{subscriber.name}, topic {topic.topic.name}: ")
    return tuple("".join(owners[about][:1] if about else []) + note for about, note in meaning.notes)


def _judge(panel: Panel, subscriber: Subscriber, reading: Reading, names: Sequence[str]) -> tuple[Judgement, ...]:
    return tuple(topic.judge(reading) for topic in panel.topics(subscriber.id) if topic.topic.name in names)


def _near_misses(panel: Panel, subscriber: Subscriber, readings: Iterable[Reading]) -> list[NearMiss]:
    """The papers that a topic nearly wants, the best first."""
    found = []
    for reading in readings:
        nearest = max(
            (judged for topic in panel.topics(subscriber.id) if (judged := topic.judge(reading)).missing),
            key=lambda judged: judged.strength + judged.follow,
            default=None,
        )
        if nearest:
            missed = NearMiss(paper=reading.paper, topic=nearest.topic, missing=nearest.missing)
            found.append((-nearest.strength - nearest.follow, -reading.paper.published.timestamp(), missed))
    return [missed for *_, missed in sorted(found, key=lambda each: (*each[:2], each[2].paper.key))]
