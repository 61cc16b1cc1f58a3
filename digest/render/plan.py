"""An edition as a tree of parts: what stands in its mail, in which order, and what gives way where there is no room."""

import itertools
import sys
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple
from urllib.parse import quote

from digest.model import Edition, Match, Paper, Rise, Subscriber
from digest.render.compile import LAYOUT
from digest.render.language import find_language
from digest.render.parts import HTML_SIDE, SLOTS, TEXT_SIDE, Node, Sheet, Slot, Stock
from digest.render.press import Gap, number_slot
from digest.render.theme import Theme
from digest.render.view import (
    ListView,
    MailView,
    MoreView,
    ReaderView,
    SectionView,
    safe_title,
    view_health,
    view_item,
    view_paper,
    view_week,
)
from digest.render.why import say_discussed, say_follow_up, say_missing, say_schedule, say_score
from digest.render.words import nowrap, plain
from digest.text.clean import fit
from digest.tokens import Keyring

FIRST_SENTENCES: Final = 250
"""To so many characters an abstract is cut first."""
_LINES_SHOWN: Final = (100, 30, 10, 3, 0)
"""So many lines of each list have room, the fewer the less room there is."""
_KEPT: Final = 30
"""So many matched papers are kept in full longer than those that are trending or rising."""
_PREHEADER: Final = 90
_SECTION_AND_TOPIC: Final = itemgetter(1, 2)
"""Of a card."""
_NOTHING: Final[Mapping[str, Sequence[Node]]] = {}


@dataclass(frozen=True, slots=True)
class Answers:
    """Where readers' answers go."""

    mailbox: str = ""
    """A bare address; empty for none."""
    feedback_url: str = ""
    """With ``{reader}``, ``{paper}`` and ``{verdict}``, which is ``more`` or ``less``."""
    unsubscribe_url: str = ""
    """With ``{reader}``."""
    keyring: Keyring | None = None
    """Makes the tokens that tell who answers; without it nothing does, and the operator has to ask."""
    bounces: str = ""
    """A bare address whose mailbox takes ``name+anything@``, for what cannot be delivered; empty for the sender's."""

    def token(self, reader: Subscriber, purpose: str) -> str:
        """What stands for a reader in an address: neither their name nor their own address ever does."""
        return self.keyring.token(reader, purpose) if self.keyring else ""


class Room(NamedTuple):
    """How much of an edition is shown; more is larger in each."""

    full: int
    """Cards with an abstract as long as the reader wants it; the others have their first sentences."""
    cards: int
    """Papers with a card; the others are named by title."""
    lines: int
    """Lines in each list."""


_SLOTS: Final = {name: Gap(name) for name in SLOTS}
READER: Final = ReaderView(
    name=_SLOTS["reader.name"],
    heading=_SLOTS["reader.heading"],
    contents=_SLOTS["reader.contents"],
    preheader=_SLOTS["reader.preheader"],
    standing=_SLOTS["reader.standing"],
    unsubscribe=_SLOTS["reader.unsubscribe"],
    pause=_SLOTS["reader.pause"],
    archive=_SLOTS["reader.archive"],
)


Join = Callable[[Node, int], bytes]


class _Card(NamedTuple):
    number: int
    """Its place in the whole mail, from 1."""
    section: str
    topic: str
    paper: Paper
    match: Match | None
    rise: Rise | None


class Plan:
    """What stands in the mail of one edition."""

    def __init__(
        self, edition: Edition, theme: Theme, *, unsubscribe: str, answers: Answers, stock: Stock | None = None
    ) -> None:
        """Plan a mail.

        Args:
            edition: What to say, and to whom.
            theme: Whose brand it names.
            unsubscribe: The address that ends it all.
            answers: Where feedback goes.
            stock: Has the sheets of other editions of one pass, of the same template and in the same language.
        """
        reader = edition.subscriber
        self.language = find_language(reader.language)
        self._edition = edition
        self._papers = edition.papers
        self._answers = answers
        self._unsubscribe = unsubscribe
        self._theme = theme
        self._stock = stock or Stock()
        self._say_score = partial(say_score, language=self.language)
        self._reader_tag = plain(reader.language, 35)
        self._archive = f"{reader.archive.rstrip('/')}/{edition.date}.html" if reader.archive else ""
        self._has_feedback = bool(answers.mailbox or answers.feedback_url)
        self._has_pause = bool(answers.mailbox and answers.keyring)
        kinds = (edition.matched, edition.trending, edition.rising, edition.rest, edition.follow_ups)
        self._has_contents = sum(map(bool, kinds)) > 1
        shared = (edition.date, self._reader_tag, self._has_contents, bool(self._archive), answers)
        self._shared = self._stock.number(shared)
        """What every part of this mail depends on."""
        topic = _first_topic if reader.by_topic else _no_topic
        number = itertools.count(1)
        self._cards = [
            *[_Card(next(number), "matched", topic(match), match.paper, match, None) for match in edition.matched],
            *[_Card(next(number), "trending", "", paper, None, None) for paper in edition.trending],
            *[_Card(next(number), "rising", "", rise.paper, None, rise) for rise in edition.rising],
        ]

    def rooms(self) -> Sequence[Room]:
        """In the order of giving way: abstracts, lines of lists, cards, lines again."""
        cards = len(self._cards)
        _, second, *others = _LINES_SHOWN
        shrinking = [
            *(self.most._replace(full=cards - short) for short in range(cards + 1)),
            *(Room(0, cards - cut, second) for cut in range(cards + 1)),
            *(Room(0, 0, lines) for lines in others),
        ]
        return list(dict.fromkeys(shrinking))

    @property
    def most(self) -> Room:
        """What the HTML shows where nothing has to give way."""
        return Room(len(self._cards), len(self._cards), _LINES_SHOWN[0])

    def join(self, join: Join, limit: int) -> tuple[bytes, bytes]:
        """The mail's bodies: as HTML what is within the limit, in bytes, and all of it as text, which no client clips.

        Where nothing else helps, the HTML holds no paper.
        """
        tree = self.tree(self.most)
        # Most editions have room for everything, and then both are made of the same nodes.
        whole = tree if self._longest_list() <= self.most.lines else self.tree(self.most._replace(lines=sys.maxsize))
        rich = join(tree, HTML_SIDE)
        if len(rich) > limit:
            rooms = self.rooms()

            def is_within(room: Room) -> bool:
                return len(join(self.tree(room), HTML_SIDE)) <= limit

            found = rooms[bisect_left(rooms, True, lo=1, hi=len(rooms) - 1, key=is_within)]
            rich = join(self.tree(found), HTML_SIDE)
        return rich, join(whole, TEXT_SIDE)

    def _longest_list(self) -> int:
        edition = self._edition
        lists = (edition.rest, edition.near_misses, edition.updated, edition.follow_ups)
        return max(*map(len, lists), len(edition.week.sent) if edition.week else 0)

    @property
    def count(self) -> int:
        """All papers, those named by title included."""
        return len(self._papers)

    @property
    def lead(self) -> str:
        """Title of the first paper, or empty."""
        return safe_title(self._papers[0].title) if self._papers else ""

    def mail(self) -> MailView:
        """The mail as a whole."""
        language = self.language
        return MailView(
            date=self._edition.date,
            title=f"{self._theme.brand}, {language.long_date(self._edition.date)}",
            language=language.tag,
            dir=language.dir,
            has_contents=self._has_contents,
            has_archive=bool(self._archive),
            has_feedback=self._has_feedback,
            has_pause=self._has_pause,
        )

    def tree(self, room: Room) -> Node:
        """The parts of the mail with so much room."""
        edition, language = self._edition, self.language
        shown, cut, short = self._part_cards(room)
        rest = [
            *(card.paper for card in cut if card.section == "matched"),
            *edition.rest,
            *(card.paper for card in cut if card.section != "matched"),
        ]
        inside: dict[str, Sequence[Node]] = {
            "head": [self._node("head", None)],
            "sections": self._sections(shown, short),
            "rest": self._list("rest", [(paper, "") for paper in rest], room.lines),
            "footer": [self._node("footer", None)],
        }
        if not self._papers:
            inside["empty"] = [self._node("empty", None)]
        if edition.near_misses:
            near = [(near.paper, say_missing(near, language)) for near in edition.near_misses]
            inside["near"] = self._list("near", near, room.lines)
        if edition.updated:
            inside["updated"] = self._list("updated", [(paper, "") for paper in edition.updated], room.lines)
        if edition.follow_ups:
            news = [(each.paper, say_follow_up(each.kinds, each.paper, language)) for each in edition.follow_ups]
            inside["follow_ups"] = self._list("follow_ups", news, room.lines)
        if edition.gaps:
            view = partial(view_health, edition.gaps, language)
            inside["health"] = [self._node("health", edition.gaps, health=view)]
        if week := edition.week:
            inside["week"] = [self._node("week", week.days, week=partial(view_week, week, language))]
            talked = [(paper, say_discussed(paper, language)) for paper in week.discussed]
            inside["discussed"] = self._list("discussed", talked, room.lines)
            inside["sent"] = self._list("sent", [(paper, "") for paper in week.sent], room.lines)
        return Node(self._node(LAYOUT, None).sheet, self._reader_slots(shown, len(rest)), inside)

    def _part_cards(self, room: Room) -> tuple[list[_Card], list[_Card], Set[int]]:
        """The cards that are shown, those that are not, and the numbers of those with a shortened abstract."""
        if room.full == len(self._cards):
            return self._cards, [], frozenset()
        matched = len(self._edition.matched)
        # Who gives way first, last: matched papers beyond the first few, then from the end.
        order = [*range(min(matched, _KEPT)), *range(matched, len(self._cards)), *range(_KEPT, matched)]
        kept, short = set(order[: room.cards]), {place + 1 for place in order[room.full :]}
        shown = [card for place, card in enumerate(self._cards) if place in kept]
        return shown, [card for place, card in enumerate(self._cards) if place not in kept], short

    def _node(self, part: str, key: Hashable, inside: Mapping[str, Sequence[Node]] = _NOTHING, **views: object) -> Node:
        full_key = (part, self._shared, key)
        sheet = self._stock.find(full_key) or self._stock.put(full_key, Sheet(part, partial(self._context, **views)))
        return Node(sheet, {}, inside)

    def _context(self, **views: object) -> dict[str, object]:
        """What every part gets, and views; those that are made here are needed only now."""
        made = {name: view() if isinstance(view, partial) else view for name, view in views.items()}
        return {"mail": self.mail(), "reader": READER} | made

    def _sections(self, shown: Sequence[_Card], short: Set[int]) -> list[Node]:
        sections = []
        for (name, topic), group in groupby(shown, key=_SECTION_AND_TOPIC):
            cards = self._card_nodes(group, short)
            view = SectionView(name, self._heading(name, topic, len(cards)), topic)
            sections.append(self._node("section", view, {"cards": cards}, section=view))
        return sections

    def _heading(self, name: str, topic: str, number: int) -> str:
        language = self.language
        match name:
            case "matched":
                only = topic or self._only_topic()
                if only:
                    one, many = "%(num)s paper on %(topic)s", "%(num)s papers on %(topic)s"
                    return language.count(one, many, number, topic=only)
                return language.count("%(num)s paper on your topics", "%(num)s papers on your topics", number)
            case "rising":
                return language.say("Still rising")
            case _:
                is_alone = not (self._edition.matched or self._edition.rising)
                return language.say("Trending") if is_alone else language.say("Trending, besides your topics")

    def _only_topic(self) -> str:
        """The topic on which all matched papers are, if it is one."""
        topics: set[str] = set()
        for match in self._edition.matched:
            topics.update([topic.topic for topic in match.topics])
            if len(topics) > 1:
                return ""
        return plain(next(iter(topics)), 80) if topics else ""

    def _card_nodes(self, cards: Iterable[_Card], shortened: Set[int]) -> list[Node]:
        # Most of a mail is cards, and most of the time that a mail takes is spent here: nothing is done for a card that
        # is known but to look it up.
        shared, stock, say = self._shared, self._stock, self._say_score
        growth, zone = self._edition.growth, self._edition.subscriber.zone.key
        whole = self._edition.subscriber.abstract
        short = min(FIRST_SENTENCES, whole)
        nodes = []
        for card in cards:
            number, _, _, paper, match, rise = card
            abstract = short if number in shortened else whole
            if match is None:
                slots = {"paper.number": number_slot(number)}
                said: Hashable = rise and (rise.signal, rise.before, rise.now, rise.since, zone)
            else:
                score = stock.score(match.score, say)
                slots = {"paper.number": number_slot(number), "paper.score": score}
                said = (stock.number(match.topics), match.labels, score.text != "")
            # Dates of growth are those of where the reader lives.
            key = (shared, paper.key, abstract, said, zone if paper.key in growth else "")
            sheet = stock.young.get(key) or stock.find(key)
            if sheet is None:
                sheet = stock.put(key, Sheet("card", partial(self._view_card, card, abstract)))
            nodes.append(Node(sheet, slots, _NOTHING))
        return nodes

    def _view_card(self, card: _Card, abstract: int) -> dict[str, object]:
        edition = self._edition
        paper, match, rise = card.paper, card.match, card.rise
        view = view_paper(
            paper,
            number=_SLOTS["paper.number"],
            language=self.language,
            abstract=abstract,
            zone=edition.subscriber.zone,
            day=edition.date,
            topics=match.topics if match else (),
            labels=match.labels if match else (),
            rise=rise,
            growth=edition.growth.get(paper.key),
            wording=edition.wordings.get(paper.key),
            wording_language=self._reader_tag,
            has_score=bool(match and say_score(match.score, self.language)),
            score=_SLOTS["paper.score"],
            has_feedback=self._has_feedback and match is not None,
            more=self._feedback(paper, "more"),
            less=self._feedback(paper, "less"),
        )
        return self._context(paper=view)

    def _list(self, name: str, papers: Sequence[tuple[Paper, str]], room: int) -> list[Node]:
        if not papers:
            return []
        lines = [
            self._node("line", (paper.key, note), item=partial(view_item, paper, note)) for paper, note in papers[:room]
        ]
        left = len(papers) - len(lines)
        if left:
            more = self._more(left)
            lines.append(self._node("more", more, more=more))
        view = ListView(name, self._list_heading(name, len(papers)))
        return [self._node(name, view, {"lines": lines}, list=view)]

    def _list_heading(self, name: str, number: int) -> str:
        language = self.language
        match name:
            case "rest":
                return language.count("%(num)s more by title", "%(num)s more by title", number)
            case "near":
                return language.say("Near misses")
            case "updated":
                return language.say("Updated since you got them")
            case "follow_ups":
                return language.say("What became of them")
            case "discussed":
                return language.say("Most discussed")
            case _:
                return language.say("What you were sent")

    def _more(self, left: int) -> MoreView:
        language = self.language
        if self._archive:
            return MoreView(
                language.count("and %(num)s more on the web", "and %(num)s more on the web", left), self._archive
            )
        return MoreView(
            language.count(
                "and %(num)s more, named in the plain-text part of this mail",
                "and %(num)s more, all named in the plain-text part of this mail",
                left,
            ),
            None,
        )

    def _reader_slots(self, shown: Sequence[_Card], rest: int) -> dict[str, Slot]:
        reader, language = self._edition.subscriber, self.language
        name = plain(reader.name, 80)
        heading = (
            language.count("%(num)s paper for %(name)s", "%(num)s papers for %(name)s", self.count, name=name)
            if self.count
            else language.say("Nothing new for %(name)s", name=name)
        )
        standing = language.say(
            "%(brand)s for %(name)s: %(schedule)s (%(zone)s).",
            brand=self._theme.brand,
            name=name,
            schedule=say_schedule(reader.schedule, language),
            zone=reader.zone.key,
        )
        return {
            "reader.name": Slot(name),
            "reader.heading": Slot(heading),
            "reader.contents": Slot(" · ".join(self._contents([card.section for card in shown], rest))),
            "reader.preheader": Slot(self._preheader(name)),
            "reader.standing": Slot(standing),
            "reader.unsubscribe": Slot(self._unsubscribe),
            "reader.pause": Slot(self._pause(reader)),
            "reader.archive": Slot(self._archive),
            "reader.id": Slot(self._answers.token(reader, "feedback") if self._has_feedback else ""),
        }

    def _pause(self, reader: Subscriber) -> str:
        if not self._has_pause:
            return ""
        return _mailto(self._answers.mailbox, "pause", "2", "weeks", self._answers.token(reader, "pause"))

    def _contents(self, sections: Sequence[str], rest: int) -> Iterator[str]:
        count = self.language.count
        if number := sections.count("matched"):
            yield nowrap(count("%(num)s on your topics", "%(num)s on your topics", number))
        if number := sections.count("trending"):
            yield nowrap(count("%(num)s trending", "%(num)s trending", number))
        if number := sections.count("rising"):
            yield nowrap(count("%(num)s still rising", "%(num)s still rising", number))
        if rest:
            yield nowrap(count("%(num)s more by title", "%(num)s more by title", rest))
        if number := len(self._edition.follow_ups):
            yield nowrap(count("news of %(num)s you had", "news of %(num)s you had", number))

    def _preheader(self, name: str) -> str:
        others = self._papers[1:4]
        if others:
            titles = " · ".join(safe_title(paper.title) for paper in others)
            return fit(self.language.say("Also: %(titles)s", titles=titles), _PREHEADER)
        return f"{name}, {self.language.long_date(self._edition.date)}"

    def _feedback(self, paper: Paper, verdict: str) -> Gap:
        """Where readers say what they think of a paper, but for who they are."""
        pattern = self._answers.feedback_url or _mailto(self._answers.mailbox, "{verdict}", "{reader}", "{paper}")
        values = {"paper": quote(paper.key, safe=""), "verdict": verdict}
        return Gap("reader.id", _put_in(pattern, values).split("{reader}"))


def unsubscribe_address(token: str, mailbox: str, answers: Answers) -> str:
    """Where a reader ends it all: a page of the operator's, else a mail that says so."""
    if answers.unsubscribe_url:
        return _put_in(answers.unsubscribe_url, {"reader": token})
    return unsubscribe_mail(token, mailbox, answers)


def unsubscribe_mail(token: str, mailbox: str, answers: Answers) -> str:
    """The mail that ends it all, as an address; mail programs send it for a reader who asks them to."""
    return _mailto(answers.mailbox or mailbox, "unsubscribe", token)


def _mailto(mailbox: str, *words: str) -> str:
    """A mail whose subject is these words."""
    return f"mailto:{quote(mailbox, safe='@')}?subject={'%20'.join(filter(None, words))}"


def _put_in(pattern: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


def _first_topic(match: Match) -> str:
    return plain(match.topics[0].topic, 80) if match.topics else ""


def _no_topic(match: Match) -> str:  # noqa: ARG001
    return ""
