"""What a template gets to see: clean, bounded text and checked addresses, and no subscriber's address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from digest.model import Edition, Evidence, Field, LinkKind, Match, Paper, TopicMatch
from digest.render.words import listed, plain, shorten
from digest.text.links import check_url

_AUTHORS_SHOWN = 4
_FOLLOWED_SHOWN = 4
_CATEGORIES_SHOWN = 4
_HITS_SHOWN = 6
_LABELS = {
    LinkKind.ABSTRACT: "Abstract",
    LinkKind.PDF: "PDF",
    LinkKind.CODE: "Code",
    LinkKind.PROJECT: "Project",
    LinkKind.DISCUSSION: "Discussion",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of an edition is shown, so that no client clips it."""

    abstract_chars: int
    matched: int
    """Matched papers shown in full; the others are named by title, before the rest."""
    trending: int
    """Trending papers shown in full; the others are named by title, after the matched ones."""
    rest: int
    """Papers that the HTML names by title; the text, which no client clips, names them all."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperView:
    """A paper shown in full."""

    number: int
    """From 1, through all sections."""
    title: str
    url: str | None
    abstract: str
    """Shortened at the end of a sentence."""
    authors: tuple[AuthorView, ...]
    """The first few and those whom the reader follows, in the paper's order."""
    author_count: int
    categories: tuple[str, ...]
    date: date
    upvotes: int | None
    comments: int | None
    stars: int | None
    links: tuple[LinkView, ...]
    """At most one of a kind."""
    reasons: tuple[ReasonView, ...]
    found: tuple[str, ...]
    """The words that hit, as the paper prints them; for the filter ``marked``."""

    @property
    def authors_left(self) -> int:
        """How many authors are not named."""
        return self.author_count - len(self.authors)


@dataclass(frozen=True, slots=True)
class TitleView:
    """A paper named by its title only."""

    title: str
    url: str | None


@dataclass(frozen=True, slots=True)
class SectionView:
    """Papers under one heading: ``matched`` or ``trending``."""

    name: str
    papers: tuple[PaperView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionView:
    """The edition as a whole."""

    date: date
    name: str
    """Whom it is for, by name."""
    schedule: str
    zone: str
    count: int
    """All papers, those named by title included."""
    topics: tuple[str, ...]
    """The topics that matched something, in the reader's order."""
    sections: tuple[SectionView, ...]
    rest: tuple[TitleView, ...]
    """All that are named by title."""
    rest_shown: int
    """So many of them have room in the HTML; the text has room for all."""
    absent_sources: tuple[str, ...]


def view_edition(edition: Edition, sizes: Sizes) -> EditionView:
    """Turn an edition into what templates see."""
    shown = edition.matched[: sizes.matched]
    popular = edition.trending[: sizes.trending]
    rest = (
        *(match.paper for match in edition.matched[sizes.matched :]),
        *edition.rest,
        *edition.trending[sizes.trending :],
    )
    matched = tuple(_matched(match, number, sizes) for number, match in enumerate(shown, start=1))
    trending = tuple(_paper(paper, number, sizes) for number, paper in enumerate(popular, start=len(shown) + 1))
    hit = {topic.topic for match in edition.matched for topic in match.topics}
    return EditionView(
        date=edition.date,
        name=plain(edition.subscriber.name, 80),
        schedule=plain(edition.subscriber.schedule.text, 120),
        zone=plain(edition.subscriber.zone.key, 60),
        count=len(edition.papers),
        topics=tuple(plain(topic.name, 80) for topic in edition.subscriber.topics if topic.name in hit),
        sections=tuple(
            SectionView(name, papers) for name, papers in (("matched", matched), ("trending", trending)) if papers
        ),
        rest=tuple(TitleView(_title(paper), _safe_url(paper.url)) for paper in rest),
        rest_shown=min(len(rest), sizes.rest),
        absent_sources=tuple(plain(name, 80) for name in edition.absent_sources),
    )


def _safe_url(url: str | None) -> str | None:
    """Checked once more: stored papers may be older than the rule."""
    return check_url(url) if url else None


def _title(paper: Paper) -> str:
    return plain(paper.title, 300) or "Untitled"


def _matched(match: Match, number: int, sizes: Sizes) -> PaperView:
    evidence = [hit for topic in match.topics for hit in topic.evidence]
    reasons = tuple(ReasonView(plain(topic.topic, 80), _words(topic)) for topic in match.topics)
    return _paper(match.paper, number, sizes, evidence, reasons)


def _paper(
    paper: Paper,
    number: int,
    sizes: Sizes,
    evidence: Sequence[Evidence] = (),
    reasons: tuple[ReasonView, ...] = (),
) -> PaperView:
    followed = {plain(hit.found, 80) for hit in evidence if hit.field is Field.AUTHOR}
    return PaperView(
        number=number,
        title=_title(paper),
        url=_safe_url(paper.url),
        abstract=shorten(plain(paper.abstract, 20_000), sizes.abstract_chars),
        authors=_authors(paper.authors, followed),
        author_count=len(paper.authors),
        categories=tuple(plain(category, 40) for category in paper.categories[:_CATEGORIES_SHOWN]),
        # In UTC: sources date a day's listing at a midnight of theirs, which further west is still the day before.
        date=paper.published.date(),
        upvotes=paper.signals.upvotes,
        comments=paper.signals.comments,
        stars=paper.signals.stars,
        links=_links(paper),
        reasons=reasons,
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


def _links(paper: Paper) -> tuple[LinkView, ...]:
    links: list[LinkView] = []
    for kind, label in _LABELS.items():
        url = next((safe for link in paper.links if link.kind is kind and (safe := check_url(link.url))), None)
        if url and url not in (link.url for link in links):
            is_arxiv = kind is LinkKind.ABSTRACT and urlsplit(url).hostname == "arxiv.org"
            links.append(LinkView(kind.value, "arXiv" if is_arxiv else label, url))
    return tuple(links)


def _words(match: TopicMatch) -> str:
    found: dict[Field, dict[str, str]] = {field: {} for field in Field}
    for hit in match.evidence[:_HITS_SHOWN]:
        word = plain(hit.found or hit.term, 60)
        found[hit.field].setdefault(word.casefold(), word)
    phrases = []
    for field, words in found.items():
        if words:
            is_quoted = field in (Field.TITLE, Field.ABSTRACT)
            names = listed([f"“{word}”" if is_quoted else word for word in words.values()])
            phrases.append(_PHRASES[field].format(names))
    left = len(match.evidence) - _HITS_SHOWN
    if left > 0:
        phrases.append(f"{left} more")
    return ", ".join(phrases)


_PHRASES = {
    Field.TITLE: "{} in the title",
    Field.ABSTRACT: "{} in the abstract",
    Field.AUTHOR: "by {}",
    Field.CATEGORY: "listed in {}",
}
