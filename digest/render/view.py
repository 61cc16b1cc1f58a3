"""What a template gets to see: clean, bounded text and checked addresses, and no subscriber's address."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import count, groupby
from urllib.parse import urlsplit

from digest.model import Edition, Evidence, Field, Link, LinkKind, Match, Paper, Rise, Wording
from digest.render.why import say_evidence, say_growth, say_labels, say_missing, say_score
from digest.render.words import plain, shorten
from digest.text.clean import fit
from digest.text.links import check_url

_AUTHORS_SHOWN = 4
_FOLLOWED_SHOWN = 4
_CATEGORIES_SHOWN = 4
_SHORT_ABSTRACT = 200
"""Says less than one sentence about the whole."""
_GAPS_SHOWN = 10
_GAP_CHARS = 160
_LABELS = {
    LinkKind.ABSTRACT: "Abstract",
    LinkKind.PDF: "PDF",
    LinkKind.CODE: "Code",
    LinkKind.PROJECT: "Project",
    LinkKind.DATASET: "Dataset",
    LinkKind.MODEL: "Model",
    LinkKind.DISCUSSION: "Discussion",
}
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


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of an edition is shown, so that no client clips it."""

    abstract_chars: int
    """Where it is less than `_SHORT_ABSTRACT`, papers with a summary go without."""
    matched: int
    """Matched papers shown in full; the others are named by title, before the rest."""
    trending: int
    """Trending papers shown in full, and as many rising ones; the others are named by title, after the matched ones."""
    rest: int
    """Papers that the HTML names by title, and as many near misses and updated ones; the text, which no client clips,
    names them all.
    """
    summary_chars: int = 300


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
class WrittenView:
    """What a machine wrote, and who it was."""

    text: str
    by: str
    language: str
    """A language tag, or empty for the paper's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperView:
    """A paper shown in full."""

    number: int
    """From 1, through all sections."""
    title: str
    translation: WrittenView | None
    """The title in the reader's language."""
    url: str | None
    summary: WrittenView | None
    """One sentence."""
    abstract: str
    """Shortened at the end of a sentence."""
    authors: tuple[AuthorView, ...]
    """The first few and those whom the reader follows, in the paper's order."""
    author_count: int
    categories: tuple[str, ...]
    venue: str
    date: date
    upvotes: int | None
    comments: int | None
    stars: int | None
    points: int | None
    citations: int | None
    links: tuple[LinkView, ...]
    """At most one with the same label."""
    found: tuple[str, ...]
    """The words that hit, as the paper prints them; for the filter ``marked``."""
    labels: tuple[str, ...] = ()
    """What is worth a word: ``first paper here by Ada Lovelace``; of a rising paper, its growth."""
    reasons: tuple[ReasonView, ...] = ()
    score: str = ""
    """What the place in the order is made of: ``9.4 = words 6 + author 3.4``; empty if no part counts."""

    @property
    def authors_left(self) -> int:
        """How many authors are not named."""
        return self.author_count - len(self.authors)


@dataclass(frozen=True, slots=True)
class TitleView:
    """A paper named by its title only."""

    title: str
    url: str | None
    note: str = ""
    """Of a near miss, what kept it out: ``Retrieval, without “reranking”``."""


@dataclass(frozen=True, slots=True)
class SectionView:
    """Papers under one heading."""

    name: str
    """``matched``, ``trending`` or ``rising``."""
    papers: tuple[PaperView, ...]
    topic: str = ""
    """For a reader who wants the matched papers by topic, theirs: then there is a section for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionView:
    """The edition as a whole."""

    date: date
    name: str
    """Whom it is for, by name."""
    schedule: str
    zone: str
    count: int
    """All papers, those named by title included; near misses and updated ones are left out."""
    contents: tuple[str, ...]
    """What it holds, in order: ``4 on your topics``, ``2 trending``, ``1 still rising``, ``9 more by title``."""
    topics: tuple[str, ...]
    """The topics that matched something, in the reader's order."""
    sections: tuple[SectionView, ...]
    rest: tuple[TitleView, ...]
    """All that are named by title."""
    rest_shown: int
    """So many of them have room in the HTML; the text has room for all."""
    near_misses: tuple[TitleView, ...]
    """All that one missing word kept out, each with a note."""
    near_misses_shown: int
    """So many of them have room in the HTML."""
    updated: tuple[TitleView, ...]
    """All that were sent before and replaced since."""
    updated_shown: int
    """So many of them have room in the HTML."""
    gaps: tuple[str, ...]
    """Which sources may have had more, and why: a line each."""


def view_edition(edition: Edition, sizes: Sizes) -> EditionView:
    """Turn an edition into what templates see.

    Args:
        edition: What to show.
        sizes: How much of it.
    """
    reader = edition.subscriber
    shown = edition.matched[: sizes.matched]
    trending = edition.trending[: sizes.trending]
    rising = edition.rising[: sizes.trending]
    rest = (
        *(match.paper for match in edition.matched[sizes.matched :]),
        *edition.rest,
        *edition.trending[sizes.trending :],
        *(rise.paper for rise in edition.rising[sizes.trending :]),
    )
    numbers = count(1)
    sections = [
        *(
            SectionView("matched", tuple(_matched(match, next(numbers), sizes, edition) for match in matches), topic)
            for topic, matches in groupby(shown, _first_topic if reader.by_topic else lambda _: "")
        ),
        SectionView("trending", tuple(_paper(paper, next(numbers), sizes, edition) for paper in trending)),
        SectionView("rising", tuple(_risen(rise, next(numbers), sizes, edition) for rise in rising)),
    ]
    hit = {topic.topic for match in edition.matched for topic in match.topics}
    return EditionView(
        date=edition.date,
        name=plain(reader.name, 80),
        schedule=plain(reader.schedule.text, 120),
        zone=plain(reader.zone.key, 60),
        count=len(edition.papers),
        contents=_contents(len(shown), len(trending), len(rising), len(rest)),
        topics=tuple(plain(topic.name, 80) for topic in reader.topics if topic.name in hit),
        sections=tuple(section for section in sections if section.papers),
        rest=_titles(rest),
        rest_shown=min(len(rest), sizes.rest),
        near_misses=tuple(_title_view(near.paper, say_missing(near)) for near in edition.near_misses),
        near_misses_shown=min(len(edition.near_misses), sizes.rest),
        updated=_titles(edition.updated),
        updated_shown=min(len(edition.updated), sizes.rest),
        gaps=_gaps(edition.gaps),
    )


def _contents(matched: int, trending: int, rising: int, rest: int) -> tuple[str, ...]:
    counts = {"on your topics": matched, "trending": trending, "still rising": rising, "more by title": rest}
    return tuple(f"{number:,} {what}" for what, number in counts.items() if number)


def _first_topic(match: Match) -> str:
    return plain(match.topics[0].topic, 80) if match.topics else ""


# A long edition is viewed in many sizes, and a paper by many readers.
@lru_cache(maxsize=10_000)
def _safe_url(url: str | None) -> str | None:
    """Checked once more: stored papers may be older than the rule."""
    return check_url(url) if url else None


@lru_cache(maxsize=10_000)
def _safe_title(title: str) -> str:
    return plain(title, 300) or "Untitled"


def _titles(papers: Sequence[Paper]) -> tuple[TitleView, ...]:
    return tuple(map(_title_view, papers))


def _title_view(paper: Paper, note: str = "") -> TitleView:
    return TitleView(_safe_title(paper.title), _safe_url(paper.url), note)


def _gaps(gaps: Sequence[str]) -> tuple[str, ...]:
    shown = [plain(gap, _GAP_CHARS) for gap in gaps[:_GAPS_SHOWN]]
    more = len(gaps) - len(shown)
    return (*shown, f"{more:,} more") if more else tuple(shown)


def _matched(match: Match, number: int, sizes: Sizes, edition: Edition) -> PaperView:
    view = _paper(match.paper, number, sizes, edition, [hit for topic in match.topics for hit in topic.evidence])
    return replace(
        view,
        labels=say_labels(match.labels, edition.date),
        reasons=tuple(ReasonView(plain(topic.topic, 80), say_evidence(topic)) for topic in match.topics),
        score=say_score(match.score),
    )


def _risen(rise: Rise, number: int, sizes: Sizes, edition: Edition) -> PaperView:
    view = _paper(rise.paper, number, sizes, edition)
    return replace(view, labels=(say_growth(rise, edition.subscriber.zone),))


def _paper(paper: Paper, number: int, sizes: Sizes, edition: Edition, evidence: Sequence[Evidence] = ()) -> PaperView:
    language = plain(edition.subscriber.language, 35)
    wording = edition.wordings.get(paper.key)
    summary = _summary(paper, language, wording, sizes.summary_chars)
    abstract_chars = 0 if summary and sizes.abstract_chars < _SHORT_ABSTRACT else sizes.abstract_chars
    followed = {plain(hit.found, 80) for hit in evidence if hit.field is Field.AUTHOR}
    return PaperView(
        number=number,
        title=_safe_title(paper.title),
        translation=_translation(paper, language, wording),
        url=_safe_url(paper.url),
        summary=summary,
        abstract=shorten(plain(paper.abstract, 20_000), abstract_chars),
        authors=_authors(paper.authors, followed),
        author_count=len(paper.authors),
        categories=tuple(plain(category, 40) for category in paper.categories[:_CATEGORIES_SHOWN]),
        venue=plain(paper.venue, 80),
        # In UTC: sources date a day's listing at a midnight of theirs, which further west is still the day before.
        date=paper.published.date(),
        upvotes=paper.signals.upvotes,
        comments=paper.signals.comments,
        stars=paper.signals.stars,
        points=paper.signals.points,
        citations=paper.signals.citations,
        links=_links(paper),
        found=tuple(plain(hit.found) for hit in evidence if hit.field in (Field.TITLE, Field.ABSTRACT)),
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
    if not wording or not text or text.casefold() == _safe_title(paper.title).casefold():
        return None
    return WrittenView(text, plain(wording.by, 60), language)


def _summary(paper: Paper, language: str, wording: Wording | None, limit: int) -> WrittenView | None:
    """What was written for this reader, else what a source has."""
    if wording and wording.summary:
        text, by = wording.summary, plain(wording.by, 60)
    else:
        text, by, language = paper.summary, _origin(dict(paper.origins).get("summary", "")), ""
    text = fit(plain(text, 1_000), limit) if limit else ""
    return WrittenView(text, by, language) if text else None


def _origin(source: str) -> str:
    return _ORIGINS.get(source.partition(":")[0]) or plain(source, 60) or "a machine"


def _links(paper: Paper) -> tuple[LinkView, ...]:
    links: dict[str, LinkView] = {}
    kinds = list(_LABELS)
    for link in sorted(paper.links, key=lambda link: kinds.index(link.kind)):
        url = _safe_url(link.url)
        if url and url not in (known.url for known in links.values()):
            label = _label(link, url)
            links.setdefault(label, LinkView(link.kind.value, label, url))
    return tuple(links.values())


def _label(link: Link, url: str) -> str:
    return _HOST_LABELS.get((link.kind, urlsplit(url).hostname or ""), _LABELS[link.kind])
