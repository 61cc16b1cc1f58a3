"""What the parts of a template get to see: clean, bounded text and checked addresses, and no subscriber's address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import assert_never
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from digest.model import Field, Gap, Growth, Label, Link, LinkKind, Paper, Rise, TopicMatch, Verdict, Week, Wording
from digest.rank.sparkline import draw_sparkline
from digest.render.language import Language
from digest.render.why import say_evidence, say_grown, say_growth, say_labels, say_signal
from digest.render.words import columns, nowrap, plain, shorten
from digest.text.clean import fit
from digest.text.links import check_url

_AUTHORS_SHOWN = 4
_FOLLOWED_SHOWN = 4
_CATEGORIES_SHOWN = 4
_SHORT_ABSTRACT = 200
"""Says less than one sentence about the whole."""
_GAPS_SHOWN = 10
_BAR = 20
"""So many blocks stand for the day with most papers."""
_KINDS = (
    LinkKind.ABSTRACT,
    LinkKind.PDF,
    LinkKind.HTML,
    LinkKind.CODE,
    LinkKind.PROJECT,
    LinkKind.DATASET,
    LinkKind.MODEL,
    LinkKind.DISCUSSION,
    LinkKind.BIBTEX,
)
"""In this order."""
_HOST_LABELS = {
    (LinkKind.ABSTRACT, "arxiv.org"): "arXiv",
    (LinkKind.DISCUSSION, "news.ycombinator.com"): "Hacker News",
}
_ORIGINS = {
    "arxiv": "arXiv",
    "huggingface": "Hugging Face",
    "openalex": "OpenAlex",
    "semantic_scholar": "Semantic Scholar",
}
"""Of summaries, by the first part of the source's name; other sources are called as the operator does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailView:
    """The mail as a whole: ``mail`` in every part."""

    date: date
    title: str
    """Of the document: ``Paperround, Friday, 20 November 2026``."""
    language: str
    """A language tag."""
    dir: str
    """``ltr`` or ``rtl``."""
    has_contents: bool = False
    """Whether ``reader.contents`` says more than ``reader.heading``."""
    has_archive: bool = False
    """Whether ``reader.archive`` leads anywhere."""
    has_feedback: bool = False
    """Whether ``paper.more`` and ``paper.less`` of matched papers lead anywhere."""
    has_pause: bool = False
    """Whether ``reader.pause`` leads anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderView:
    """Whom it is for: ``reader`` in every part; each of these can only be printed."""

    name: object
    heading: object
    """``12 papers for Ada Lovelace``."""
    contents: object
    """``4 on your topics · 2 trending · 9 more by title``."""
    preheader: object
    """What mail programs show behind the subject."""
    standing: object
    """``Paperround for Ada Lovelace: weekdays at 07:30 (Europe/London).``"""
    unsubscribe: object
    """An address, https or mailto."""
    pause: object
    """A mail that asks for two weeks without any; print it only where ``mail.has_pause``."""
    archive: object
    """The address of this edition on the web; print it only where ``mail.has_archive``."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link with the word that stands for it."""

    kind: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class AuthorView:
    """A name, and whether the reader follows it."""

    name: str
    followed: bool


@dataclass(frozen=True, slots=True)
class ReasonView:
    """Why a paper came: the topic, and what hit as words: ``“CLIP” in the title``."""

    topic: str
    words: str


@dataclass(frozen=True, slots=True)
class SignalView:
    """What a community did with a paper."""

    text: str
    """``128 upvotes``."""
    grown: str = ""
    """``▁▂▄█ +93 since Mon 16 Nov``, or empty."""


@dataclass(frozen=True, slots=True)
class WrittenView:
    """What a machine wrote, and who it was."""

    text: str
    by: str
    language: str
    """A language tag, or empty for the paper's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperView:
    """A paper shown in full: ``paper`` in the part ``card``."""

    number: object
    """From 1, through all sections; can only be printed."""
    title: str
    translation: WrittenView | None
    """The title in the reader's language."""
    url: str | None
    summary: WrittenView | None
    """One sentence."""
    abstract: str
    """Shortened at the end of a sentence; may be empty."""
    authors: tuple[AuthorView, ...]
    """The first few and those whom the reader follows, in the paper's order."""
    author_count: int
    categories: tuple[str, ...]
    venue: str
    date: date
    signals: tuple[SignalView, ...]
    links: tuple[LinkView, ...]
    """At most one with the same label."""
    found: tuple[str, ...]
    """The words that hit, as the paper prints them; for the filter ``marked``."""
    labels: tuple[str, ...]
    """What is worth a word: ``first paper here by Ada Lovelace``; of a rising paper, its growth."""
    reasons: tuple[ReasonView, ...]
    has_score: bool
    score: object
    """What the place in the order is made of: ``9.4 = words 6 + author 3.4``; can only be printed."""
    has_feedback: bool
    more: object
    """Where a reader says that they want more like this; can only be printed."""
    less: object

    @property
    def authors_left(self) -> int:
        """How many authors are not named."""
        return self.author_count - len(self.authors)


@dataclass(frozen=True, slots=True)
class SectionView:
    """Papers under one heading: ``section`` in the part ``section``, whose hole ``cards`` they fill."""

    name: str
    """``matched``, ``trending`` or ``rising``."""
    heading: str
    """``4 papers on your topics``, ``Still rising``."""
    topic: str = ""
    """Theirs, where it is only one."""


@dataclass(frozen=True, slots=True)
class ListView:
    """Papers named by title: ``list`` in the parts ``rest``, ``near``, ``updated``, ``follow_ups``, ``discussed`` and
    ``sent``, whose hole ``lines`` they fill.
    """

    name: str
    """That of the part."""
    heading: str


@dataclass(frozen=True, slots=True)
class ItemView:
    """A paper named by its title only: ``item`` in the part ``line``."""

    title: str
    url: str | None
    note: str = ""
    """Of a near miss, what kept it out; of a paper that was followed up, what became of it."""


@dataclass(frozen=True, slots=True)
class MoreView:
    """How many papers of a list have no room: ``more`` in the part ``more``."""

    text: str
    """``and 12 more``, and where they are."""
    url: str | None


@dataclass(frozen=True, slots=True)
class DayView:
    """One day of the week's chart."""

    label: str
    """``Mon 16 Nov``."""
    announced: str
    matched: str
    padding: str
    """So many blanks make all labels equally wide in plain text."""
    bar: str
    """Blocks: as many in proportion as papers matched; empty for none."""


@dataclass(frozen=True, slots=True)
class WeekView:
    """The week's shape: ``week`` in the part ``week``."""

    heading: str
    days: tuple[DayView, ...]
    line: str
    """The same as one line of signs: ``▃▅▂·▇▁▁``."""


@dataclass(frozen=True, slots=True)
class HealthView:
    """Which sources may have had more, and why: ``health`` in the part ``health``."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FactView:
    """A line of a letter: ``SMTP server`` and what is to say of it."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterView:
    """A mail without papers: ``letter`` in the templates ``confirm`` and ``notice``."""

    heading: str
    paragraphs: tuple[str, ...]
    facts: tuple[FactView, ...] = ()
    button: str = ""
    """What its link is called, or empty."""
    url: str | None = None
    closing: tuple[str, ...] = ()
    """After the link, in small print."""


def view_paper(
    paper: Paper,
    *,
    number: object,
    language: Language,
    abstract: int,
    zone: ZoneInfo,
    day: date,
    topics: Sequence[TopicMatch] = (),
    labels: Sequence[Label] = (),
    rise: Rise | None = None,
    growth: Growth | None = None,
    wording: Wording | None = None,
    wording_language: str = "",
    has_score: bool = False,
    score: object = "",
    has_feedback: bool = False,
    more: object = "",
    less: object = "",
) -> PaperView:
    """What a card shows.

    Args:
        paper: Any stored paper.
        number: Its place, from 1.
        language: Of the mail.
        abstract: So many characters of it at most.
        zone: The reader's.
        day: The edition's local date.
        topics: Why it matched.
        labels: What is worth a word.
        rise: Why it stands under "still rising".
        growth: Of its signals.
        wording: What a language model wrote of it.
        wording_language: The tag of the language in which it did.
        has_score: Whether there is a score to print.
        score: In words.
        has_feedback: Whether the two addresses lead anywhere.
        more: Where to ask for more like this.
        less: Where to ask for less.
    """
    evidence = [hit for topic in topics for hit in topic.evidence]
    summary = _summary(paper, wording_language, wording, 300 if abstract >= _SHORT_ABSTRACT else 160, language)
    risen = (say_growth(rise, zone, language),) if rise else ()
    return PaperView(
        number=number,
        title=safe_title(paper.title),
        translation=_translation(paper, wording_language, wording),
        url=safe_url(paper.url),
        summary=summary,
        abstract=shorten(plain(paper.abstract, 20_000), 0 if summary and abstract < _SHORT_ABSTRACT else abstract),
        authors=_authors(paper.authors, {plain(hit.found, 80) for hit in evidence if hit.field is Field.AUTHOR}),
        author_count=len(paper.authors),
        categories=tuple(plain(category, 40) for category in paper.categories[:_CATEGORIES_SHOWN]),
        venue=plain(paper.venue, 80),
        # In UTC: sources date a day's listing at a midnight of theirs, which further west is still the day before.
        date=paper.published.date(),
        # Of a rising paper the label tells it.
        signals=_signals(paper, None if rise else growth, zone, language),
        links=_links(paper, language),
        found=tuple(plain(hit.found) for hit in evidence if hit.field in (Field.TITLE, Field.ABSTRACT)),
        labels=(*risen, *say_labels(labels, day, language)),
        reasons=tuple(ReasonView(plain(topic.topic, 80), say_evidence(topic, language)) for topic in topics),
        has_score=has_score,
        score=score,
        has_feedback=has_feedback,
        more=more,
        less=less,
    )


def view_item(paper: Paper, note: str = "") -> ItemView:
    """What a line shows."""
    return ItemView(safe_title(paper.title), safe_url(paper.url), note)


def view_week(week: Week, language: Language) -> WeekView:
    """What the chart shows."""
    top = max((day.matched for day in week.days), default=0)
    matched = sum(day.matched for day in week.days)
    labels = [language.weekday_date(day.date) for day in week.days]
    widest = max(map(columns, labels), default=0)
    return WeekView(
        heading=language.count(
            "%(num)s paper on your topics in seven days", "%(num)s papers on your topics in seven days", matched
        ),
        days=tuple(
            DayView(
                label=label,
                padding=" " * (widest - columns(label)),
                announced=language.number(day.announced),
                matched=language.number(day.matched),
                bar="█" * max(round(_BAR * day.matched / top), 1) if day.matched else "",
            )
            for day, label in zip(week.days, labels, strict=True)
        ),
        line=draw_sparkline([day.matched for day in week.days]),
    )


def view_health(gaps: Sequence[Gap], language: Language) -> HealthView:
    """Which sources may have had more."""
    shown = [_say_gap(gap, language) for gap in gaps[:_GAPS_SHOWN]]
    more = len(gaps) - len(shown)
    return HealthView((*shown, language.count("%(num)s more", "%(num)s more", more)) if more else tuple(shown))


def _say_gap(gap: Gap, language: Language) -> str:
    match gap.verdict:
        case Verdict.STALE:
            why = language.say("no new batch where one was due")
        case Verdict.PARTIAL:
            why = language.say("not read in full")
        case Verdict.SUSPICIOUS:
            why = language.say("its answer cannot be right")
        case _:
            why = language.say("could not be read")
    source = plain(gap.source, 80)
    if gap.fresh_on is None:
        return f"{source}: {why}"
    last = language.weekday_date(gap.fresh_on)
    return language.say("%(source)s: %(why)s, last new on %(date)s", source=source, why=why, date=last)


# A paper is viewed for many readers.
@lru_cache(maxsize=10_000)
def safe_url(url: str | None) -> str | None:
    """Checked once more: stored papers may be older than the rule."""
    return check_url(url) if url else None


@lru_cache(maxsize=10_000)
def safe_title(title: str) -> str:
    """Clean, at most 300 characters, never empty."""
    return plain(title, 300) or "—"


def _signals(paper: Paper, growth: Growth | None, zone: ZoneInfo, language: Language) -> tuple[SignalView, ...]:
    counts = {
        "upvotes": paper.signals.upvotes,
        "comments": paper.signals.comments,
        "stars": paper.signals.stars,
        # One point is the submitter's own.
        "points": paper.signals.points if (paper.signals.points or 0) > 1 else None,
        "citations": paper.signals.citations,
    }
    return tuple(
        SignalView(
            nowrap(say_signal(name, number, language)),
            say_grown(growth, zone, language) if growth and growth.signal == name else "",
        )
        for name, number in counts.items()
        if number
    )


def _authors(names: Sequence[str], followed: set[str]) -> tuple[AuthorView, ...]:
    are_all = len(names) <= _AUTHORS_SHOWN + 1
    first = len(names) if are_all else _AUTHORS_SHOWN - 1
    later = names[first:] if followed else ()
    shown, others = (
        [AuthorView(text, text in followed) for text in (plain(n, 80) for n in part)] for part in (names[:first], later)
    )
    return (*shown, *[view for view in others if view.followed][:_FOLLOWED_SHOWN])


def _translation(paper: Paper, language: str, wording: Wording | None) -> WrittenView | None:
    text = plain(wording.title, 300) if wording and language else ""
    if not wording or not text or text.casefold() == safe_title(paper.title).casefold():
        return None
    return WrittenView(text, plain(wording.by, 60), language)


def _summary(paper: Paper, tag: str, wording: Wording | None, limit: int, language: Language) -> WrittenView | None:
    """What was written for this reader, else what a source has."""
    if wording and wording.summary:
        text, by = wording.summary, plain(wording.by, 60)
    else:
        text, by, tag = paper.summary, _origin(dict(paper.origins).get("summary", ""), language), ""
    text = fit(plain(text, 1_000), limit) if limit else ""
    return WrittenView(text, by, tag) if text else None


def _origin(source: str, language: Language) -> str:
    return _ORIGINS.get(source.partition(":")[0]) or plain(source, 60) or language.say("a machine")


def _links(paper: Paper, language: Language) -> tuple[LinkView, ...]:
    links: dict[str, LinkView] = {}
    for link in sorted((*paper.links, *_derived_links(paper)), key=lambda link: _KINDS.index(link.kind)):
        url = safe_url(link.url)
        if url and url not in (known.url for known in links.values()):
            label = _label(link, url, language)
            links.setdefault(label, LinkView(link.kind.value, label, url))
    return tuple(links.values())


def _derived_links(paper: Paper) -> tuple[Link, ...]:
    """Of an arXiv paper, what every one of them has."""
    kind, _, number = paper.key.partition(":")
    if kind != "arxiv":
        return ()
    at = "https://arxiv.org"
    bibtex = Link(LinkKind.BIBTEX, f"{at}/bibtex/{number}")
    # Papers before that have no HTML; see https://info.arxiv.org/about/accessible_HTML.html, read 2026-11-22.
    return (Link(LinkKind.HTML, f"{at}/html/{number}"), bibtex) if number >= "2312" and "/" not in number else (bibtex,)


def _label(link: Link, url: str, language: Language) -> str:
    named = _HOST_LABELS.get((link.kind, urlsplit(url).hostname or ""))
    return named or _say_kind(link.kind, language)


def _say_kind(kind: LinkKind, language: Language) -> str:
    match kind:
        case LinkKind.ABSTRACT:
            return language.say("Abstract")
        case LinkKind.PDF:
            return "PDF"
        case LinkKind.HTML:
            return "HTML"
        case LinkKind.CODE:
            return language.say("Code")
        case LinkKind.PROJECT:
            return language.say("Project")
        case LinkKind.DATASET:
            return language.say("Dataset")
        case LinkKind.MODEL:
            return language.say("Model")
        case LinkKind.DISCUSSION:
            return language.say("Discussion")
        case LinkKind.BIBTEX:
            return "BibTeX"
        case _:
            assert_never(kind)
