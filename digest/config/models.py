"""What each part of the subscribers file may hold; the JSON Schema for editors is made from these models."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from digest.config.checks import (
    check_category,
    check_email,
    check_id,
    check_name,
    check_schedule,
    check_template,
    check_url,
    check_word,
    check_zone,
)
from digest.config.problems import ComplaintError, shown

DEFAULT_SCHEDULE = "daily at 07:30"


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _words_schema(description: str) -> WithJsonSchema:
    word = {"type": "string", "minLength": 1}
    return WithJsonSchema({"anyOf": [{"type": "array", "items": word}, word], "description": description})


_Words = Annotated[list[Annotated[str, AfterValidator(check_word)]], BeforeValidator(_as_list)]
_Categories = Annotated[list[Annotated[str, AfterValidator(check_category)]], BeforeValidator(_as_list)]
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
_Limit = Annotated[int, Field(ge=1, le=500)]
_Trending = Annotated[int, Field(ge=0, le=50)]
_Template = Annotated[str, AfterValidator(check_template)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class TopicEntry(_Part):
    """One named filter: a paper passes when it meets every part that is given."""

    name: _Name
    """Shown in the mail as the reason why a paper is in it."""
    any: Annotated[
        _Words, _words_schema("Words or phrases of which at least one must be in the title or abstract.")
    ] = []
    all: Annotated[_Words, _words_schema("Words or phrases that must all be in the title or abstract.")] = []
    none: Annotated[_Words, _words_schema("Words or phrases that must not be in the title or abstract.")] = []
    categories: Annotated[
        _Categories,
        _words_schema("arXiv categories, of which the paper has at least one: cs.CL, hep-th, or cs.* for all."),
    ] = []
    authors: Annotated[
        _Words, _words_schema("Authors, of whom at least one wrote the paper: Yann LeCun, or He, Kaiming.")
    ] = []

    @model_validator(mode="after")
    def _wants_something(self) -> Self:
        if not (self.any or self.all or self.categories or self.authors):
            problem = "says only what it does not want" if self.none else "is empty"
            raise ComplaintError(
                f"the topic {shown(self.name)} {problem}", "say what it wants: any, all, categories or authors"
            )
        return self


class Defaults(_Part):
    """What holds for every subscriber who says nothing else."""

    timezone: _Zone = "UTC"
    """An IANA name, such as Europe/Berlin."""
    schedule: _Schedule = DEFAULT_SCHEDULE
    """daily, weekdays, a list of days, weekly on Monday, monthly on 1, or a cron expression; each with ``at 07:30``."""
    limit: _Limit = 20
    """At most this many papers are shown in full; the rest is named by title."""
    trending: _Trending = 0
    """Besides the matches, this many of the most upvoted papers of the window."""
    template: _Template = "daily"
    """The folder of the template."""


class SubscriberEntry(Defaults):
    """An address with topics and a schedule."""

    name: _Name
    """For people; stands in logs, so it holds no address."""
    email: Annotated[str, AfterValidator(check_email)]
    """An address, or a reference to the environment such as ${VISION_GROUP_EMAIL}."""
    id: Annotated[str, AfterValidator(check_id)] | None = None
    """Names the subscriber in logs and in the database; made from the name unless given. Keep it when you rename."""
    paused: bool = False
    """Receives nothing while this is true."""
    topics: list[TopicEntry] = []
    """Papers that fit at least one topic are sent."""


class _SourceEntry(_Part):
    name: _Name | None = None
    """Shown where the source is named; must be unique."""
    allow_private: bool = False
    """Whether the address may lead into a private network."""


class ArxivEntry(_SourceEntry):
    """The daily announcements of arXiv, all categories in one request."""

    arxiv: Annotated[_Categories, _words_schema("arXiv categories, such as cs.CL."), Field(min_length=1)]
    url: _Url | None = None
    """A mirror of the feed."""


class HuggingFaceEntry(_SourceEntry):
    """Hugging Face's Daily Papers: upvotes, comments, GitHub stars, summaries."""

    huggingface: Literal["daily"]
    """Which list to read."""
    url: _Url | None = None
    """A mirror of the list."""


class FeedEntry(_SourceEntry):
    """Any RSS or Atom feed."""

    feed: _Url
    """The address of the feed."""
    url: _Url | None = None
    """A mirror of the feed, read instead."""


SOURCE_KINDS: dict[str, type[ArxivEntry | HuggingFaceEntry | FeedEntry]] = {
    "arxiv": ArxivEntry,
    "huggingface": HuggingFaceEntry,
    "feed": FeedEntry,
}


class SubscribersFile(_Part):
    """The sources a Paperround reads and the people it writes to."""

    sources: list[ArxivEntry | HuggingFaceEntry | FeedEntry]
    """Where papers come from."""
    defaults: Defaults = Defaults()
    """What holds for every subscriber who says nothing else."""
    subscribers: list[SubscriberEntry]
    """Who is written to."""
