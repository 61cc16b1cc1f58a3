"""What each part of the subscribers file may hold; the JSON Schema for editors is made from these models."""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from digest.config.checks import (
    MAX_ABSTRACT,
    check_abstract,
    check_archive,
    check_biorxiv_category,
    check_category,
    check_dates,
    check_email,
    check_file,
    check_holidays,
    check_id,
    check_issn,
    check_language,
    check_latest_send,
    check_like,
    check_line,
    check_medrxiv_category,
    check_name,
    check_openalex_topic,
    check_query,
    check_quiet,
    check_schedule,
    check_template,
    check_theme,
    check_threshold,
    check_url,
    check_venue,
    check_word,
    check_zone,
)
from digest.config.problems import ComplaintError, shown

DEFAULT_SCHEDULE = "daily at 07:30"


_Item = TypeVar("_Item")


def _as_tuple(value: object) -> object:
    """A single word stands for a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _once(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(items))


def _or_text(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"type": "string", "minLength": 1}, {"$ref": schema.pop("$ref")}]


def _words_schema(description: str, *known: str) -> WithJsonSchema:
    word = {"type": "string", "enum": list(known)} if known else {"type": "string", "minLength": 1}
    return WithJsonSchema({"anyOf": [{"type": "array", "items": word}, word], "description": description})


_Several = Annotated[tuple[_Item, ...], BeforeValidator(_as_tuple), AfterValidator(_once)]
_Words = _Several[Annotated[str, AfterValidator(check_word)]]
_Categories = _Several[Annotated[str, AfterValidator(check_category)]]
_Name = Annotated[str, AfterValidator(check_name)]
_Url = Annotated[str, AfterValidator(check_url)]
_Zone = Annotated[str, BeforeValidator(check_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]
_Schedule = Annotated[
    str,
    BeforeValidator(check_schedule),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "examples": [
                DEFAULT_SCHEDULE,
                "weekdays at 07:30",
                "weekly on Monday at 07:30",
                "monthly on 1",
                "30 7 * * 1-5",
            ],
        }
    ),
]
_Quiet = Annotated[
    _Several[Annotated[str, AfterValidator(check_dates)]],
    AfterValidator(check_quiet),
    _words_schema(
        "Dates without an edition: 2026-12-24, or 2026-12-24..2027-01-02; the next one carries their papers."
    ),
]
_Holidays = Annotated[str, AfterValidator(check_holidays), Field(examples=["DE", "DE-BE", "US-CA"])]
_LatestSend = Annotated[str, BeforeValidator(check_latest_send), Field(examples=["10:00"])]
_Limit = Annotated[int, Field(ge=1, le=500)]
_Trending = Annotated[int, Field(ge=0, le=50)]
_UpTo20 = Annotated[int, Field(ge=0, le=20)]
_Like = Annotated[
    _Several[Annotated[str, BeforeValidator(check_like)]],
    # An id without quotes is a number to YAML: told as such, not as a missing list.
    BeforeValidator(lambda value: (value,) if isinstance(value, float) else value),
    _words_schema(
        "Works that are near to what is wanted: files (.bib, .ris, .json, .txt, .sqlite), seen from the folder of this"
        " one, arXiv ids or DOIs."
    ),
]
_Threshold = Annotated[
    float | str,
    BeforeValidator(check_threshold),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "minLength": 1}]},
    ),
]
_Template = Annotated[str, AfterValidator(check_template)]
_Theme = Annotated[str, AfterValidator(check_theme)]
_Abstract = Annotated[
    int,
    BeforeValidator(check_abstract),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_ABSTRACT}, {"enum": ["full", "none"]}]}),
]
_Archive = Annotated[str, AfterValidator(check_archive)]
_Language = Annotated[str, AfterValidator(check_language), Field(examples=["de", "fr", "pt-BR", "zh"])]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class TopicEntry(_Part):
    """One named filter: a paper passes when it meets every part that is given."""

    name: _Name
    """Shown in the mail as the reason why a paper is in it."""
    query: Annotated[str, Field(examples=['title:(agent OR "tool use") -survey'])] = ""
    """What is wanted, on one line; docs/queries.md explains the language."""
    any: Annotated[
        _Words, _words_schema("Words or phrases of which at least one must be in the title or abstract.")
    ] = ()
    all: Annotated[_Words, _words_schema("Words or phrases that must all be in the title or abstract.")] = ()
    none: Annotated[_Words, _words_schema("Words or phrases that must not be in the title or abstract.")] = ()
    less: Annotated[_Words, _words_schema("Words or phrases that lower a paper in the order, and keep none out.")] = ()
    categories: Annotated[
        _Categories,
        _words_schema("arXiv categories, of which the paper has at least one: cs.CL, hep-th, or cs.* for all."),
    ] = ()
    authors: Annotated[
        _Words, _words_schema("Authors, of whom at least one wrote the paper: Yann LeCun, or He, Kaiming.")
    ] = ()

    about: Annotated[str, AfterValidator(check_line)] = ""
    """A description of the subject, compared by meaning: a sentence or a paragraph."""
    like: _Like = ()
    threshold: _Threshold | None = None
    """From 0 to 1: how near a paper must be to about and like; or an arXiv id or DOI: as near as that paper."""
    limit: _Limit | None = None
    """At most this many papers of the topic are shown in full."""

    @model_validator(mode="after")
    def _wants_something(self) -> Self:
        if not (self.query or self.any or self.all or self.categories or self.authors or self.about or self.like):
            is_given = self.none or self.less or self.threshold is not None or self.limit is not None
            problem = "does not say what it wants" if is_given else "is empty"
            if self.none and not self.less:
                problem = "says only what it does not want"
            raise ComplaintError(
                f"the topic {shown(self.name)} {problem}",
                "say what it wants: query, any, all, categories, authors, about or like",
            )
        if self.threshold is not None and not (self.about or self.like):
            raise ComplaintError(
                f"the topic {shown(self.name)} has a threshold, but nothing to compare with",
                'it goes with about and like; in a query, write about:"…"~0.5',
            )
        return self


class Defaults(_Part):
    """What holds for every subscriber who says nothing else."""

    timezone: _Zone = "UTC"
    """An IANA name, such as Europe/Berlin."""
    schedule: _Schedule = DEFAULT_SCHEDULE
    """daily, weekdays, a list of days, weekly on Monday, monthly on 1, or a cron expression; each with ``at 07:30``."""
    quiet: _Quiet = ()
    holidays: _Holidays = ""
    """A country or a part of one, DE or DE-BE: no edition on its public holidays."""
    at_least: Annotated[int, Field(ge=1, le=100)] = 1
    """An edition with fewer papers is not sent; they come with the next."""
    latest_send: _LatestSend = ""
    """While a source is late, editions wait until this local time at most."""
    limit: _Limit = 20
    """At most this many papers are shown in full; the rest is named by title."""
    trending: _Trending = 0
    """Besides the matches, this many of the most upvoted papers of the window."""
    rising: _UpTo20 | None = None
    """At most this many older papers that took off since; without it 3 if there are trending papers, else none."""
    near_misses: _UpTo20 = 0
    """At most this many papers that one missing word kept out, named by title with the word."""
    by_topic: bool = False
    """Whether the matched papers stand under their topics, in the order of the topics."""
    template: _Template = "daily"
    """The folder of the template: daily, weekly, compact, or one of your own."""
    theme: _Theme = "paper"
    """Colours, fonts and logo: paper, plain, ink, or one of your own."""
    language: _Language = ""
    """A language tag: the mail's own words are in it (de, en, es, fr, ja, pt, zh), and titles and summaries are
    translated into it, if an endpoint is set that can."""
    abstract: _Abstract = 600
    """At most so many characters of each abstract; full or none of it."""
    archive: _Archive = ""
    """Where the editions are published, an https address: mails link to it."""


class SubscriberEntry(Defaults):
    """An address with topics and a schedule."""

    name: _Name
    """For people; stands in logs, so it holds no address."""
    email: Annotated[str, AfterValidator(check_email)]
    """An address, or a reference to the environment such as ${VISION_GROUP_EMAIL}."""
    id: Annotated[str, AfterValidator(check_id)] | None = None
    """Names the subscriber in logs and in the database; made from the name unless given. Keep it when you rename."""
    links: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Raised by one, the links of all earlier mails are void: unsubscribe, pause, feedback."""
    paused: bool = False
    """Receives nothing while this is true."""
    topics: list[TopicEntry] = []
    """Papers that fit at least one topic are sent."""


class _SourceEntry(_Part):
    name: _Name | None = None
    """Shown where the source is named; must be unique."""
    url: _Url | None = None
    """A mirror that is read instead."""
    allow_private: bool = False
    """Whether the address may lead into a private network."""


class ArxivEntry(_SourceEntry):
    """The daily announcements of arXiv, all categories in one request."""

    arxiv: Annotated[_Categories, _words_schema("arXiv categories, such as cs.CL."), Field(min_length=1)]
    announce: Annotated[
        _Several[Literal["new", "cross", "replace"]],
        Field(min_length=1),
        _words_schema(
            "Which announcements are news: new, cross (listed from another category), replace (a newer version).",
            "new",
            "cross",
            "replace",
        ),
    ] = ("new", "cross")
    listing_url: _Url | None = None
    """A mirror of the listing pages, the second way to the announcements."""
    oai_url: _Url | None = None
    """A mirror of the OAI-PMH interface, the third way."""
    api_url: _Url | None = None
    """A mirror of the query API, the fourth way."""


class HuggingFaceEntry(_SourceEntry):
    """The papers that Hugging Face's community puts forward: upvotes, comments, GitHub stars, summaries."""

    huggingface: Literal["daily", "weekly", "monthly", "trending"]
    """Which list to read."""


class BiorxivEntry(_SourceEntry):
    """Preprints in biology, each with its abstract."""

    biorxiv: Annotated[
        _Several[Annotated[str, AfterValidator(check_biorxiv_category)]],
        Field(min_length=1),
        _words_schema("all, or bioRxiv's categories, such as neuroscience."),
    ]


class MedrxivEntry(_SourceEntry):
    """Preprints in medicine, each with its abstract."""

    medrxiv: Annotated[
        _Several[Annotated[str, AfterValidator(check_medrxiv_category)]],
        Field(min_length=1),
        _words_schema("all, or medRxiv's categories, such as epidemiology."),
    ]


class PubmedEntry(_SourceEntry):
    """What PubMed took in for one of its queries."""

    pubmed: Annotated[str, AfterValidator(check_query)]
    """A query as PubMed's own search box takes it: "crispr[Title] AND review[pt]"."""


class CrossrefEntry(_SourceEntry):
    """New articles of journals, as their publishers register them."""

    crossref: Annotated[
        _Several[Annotated[str, AfterValidator(check_issn)]],
        Field(min_length=1),
        _words_schema("ISSNs of the journals, such as 1476-4687."),
    ]


class OpenReviewEntry(_SourceEntry):
    """The papers of one conference on OpenReview."""

    openreview: Annotated[str, AfterValidator(check_venue), Field(examples=["ICLR.cc/2026/Conference"])]
    """The venue's id."""


class OpenAlexQuery(_Part):
    """What to ask OpenAlex for: works that meet every part that is given."""

    topics: Annotated[
        _Several[Annotated[str, AfterValidator(check_openalex_topic)]],
        _words_schema("OpenAlex topics, of which a work has one: T10653."),
    ] = ()
    search: Annotated[str, AfterValidator(check_query)] | None = None
    """Words in title and abstract."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.topics or self.search):
            raise ComplaintError("'openalex' is empty", "say what to ask for: topics or search")
        return self


class OpenAlexEntry(_SourceEntry):
    """Works of every field; needs a key (DIGEST_KEYS__OPENALEX)."""

    openalex: Annotated[
        OpenAlexQuery, BeforeValidator(lambda value: {"search": value} if isinstance(value, str) else value)
    ] = Field(json_schema_extra=_or_text)
    """Words to search for, or topics and words."""


class SemanticScholarEntry(_SourceEntry):
    """Citations and one-sentence summaries of papers that other sources list."""

    semantic_scholar: Literal["enrich"]


class HackerNewsEntry(_SourceEntry):
    """Points and discussions on Hacker News of papers that other sources list."""

    hackernews: Literal["points"]


class GitHubEntry(_SourceEntry):
    """Stars of the code of papers that other sources list."""

    github: Literal["stars"]


class FeedEntry(_SourceEntry):
    """Any RSS or Atom feed."""

    feed: _Url
    """The address of the feed."""

    @property
    def address(self) -> str:
        """What is read."""
        return self.url or self.feed


class OpmlEntry(_Part):
    """Every feed of a list, as feed readers export it."""

    opml: Annotated[str, AfterValidator(check_file)]
    """The file, seen from the folder of this one."""
    allow_private: bool = False
    """Whether the addresses in it may lead into a private network."""


SourceEntry = (
    ArxivEntry
    | HuggingFaceEntry
    | BiorxivEntry
    | MedrxivEntry
    | PubmedEntry
    | CrossrefEntry
    | OpenReviewEntry
    | OpenAlexEntry
    | SemanticScholarEntry
    | HackerNewsEntry
    | GitHubEntry
    | FeedEntry
)
"""A source as it is written."""

SOURCE_KINDS: dict[str, type[SourceEntry | OpmlEntry]] = {
    "arxiv": ArxivEntry,
    "huggingface": HuggingFaceEntry,
    "biorxiv": BiorxivEntry,
    "medrxiv": MedrxivEntry,
    "pubmed": PubmedEntry,
    "crossref": CrossrefEntry,
    "openreview": OpenReviewEntry,
    "openalex": OpenAlexEntry,
    "semantic_scholar": SemanticScholarEntry,
    "hackernews": HackerNewsEntry,
    "github": GitHubEntry,
    "feed": FeedEntry,
    "opml": OpmlEntry,
}


class SubscribersFile(_Part):
    """The sources a Paperround reads and the people it writes to."""

    sources: list[SourceEntry | OpmlEntry]
    """Where papers come from."""
    defaults: Defaults = Defaults()
    """What holds for every subscriber who says nothing else."""
    subscribers: list[SubscriberEntry]
    """Who is written to."""
