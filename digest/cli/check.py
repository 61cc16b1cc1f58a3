"""``digest check``: validates everything that can be wrong before anything is sent."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.markup import escape

from digest.cli.common import (
    JsonOption,
    NowOption,
    console,
    examples,
    number_of,
    print_json,
    reference_time,
    show_error,
    show_problems,
    table,
    view_problem,
)
from digest.cli.report import Watcher
from digest.config.problems import ConfigProblems
from digest.errors import ConfigError, DigestError, RenderError

if TYPE_CHECKING:
    from digest.app import Config
    from digest.collect.limits import Limits
    from digest.config.settings import Settings
    from digest.match.query import Query
    from digest.model import Paper, Poll, Subscriber, Topic

_Value = TypeVar("_Value")

EPILOG = examples(
    "digest check",
    "digest check --smtp --sources     # also signs in, and asks each source",
    "digest check draft.yaml           # another file",
    "digest check --queries            # and every topic as one line",
)


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The subscribers file; DIGEST_SUBSCRIBERS by default.")
    ] = None,
    smtp: Annotated[
        bool, typer.Option("--smtp", help="Connect to the mail server and sign in; sends nothing.")
    ] = False,
    sources: Annotated[bool, typer.Option("--sources", help="Ask each source once; stores nothing.")] = False,
    queries: Annotated[
        bool, typer.Option("--queries", help="Print every topic as one query in its normal form.")
    ] = False,
    as_json: JsonOption = False,
    now: NowOption = None,
) -> None:
    """Validate settings, subscribers and templates; every problem is named at once, with its line.

    Nothing is sent or stored. Exit codes: 0 all is well, 1 a source failed, 2 something must be changed, 3 the SMTP
    server refuses us.
    """
    moment = reference_time(now)
    config, found = read_all(file, moment)
    problems: Sequence[DigestError] = found
    view: dict[str, Any] = {}
    show_problems(found)
    source_code = 0
    if config:
        people = config.roster.subscribers
        view["subscribers"] = [_view_subscriber(each, moment, queries=queries) for each in people]
        if not as_json:
            _show_subscribers(people, moment)
            if queries:
                _show_queries(people)
        if sources:
            polls = _ask_sources(config, moment, quiet=as_json)
            view["sources"] = [_view_poll(poll) for poll in polls]
            source_code = 0 if all(poll.is_good for poll in polls) else 1
        if smtp:
            view["smtp"], refusals = _sign_in(config)
            problems = [*problems, *refusals]
            if view["smtp"] and not as_json:
                console.print(view["smtp"])
        view["notes"] = list(_notes(config, moment, smtp=smtp))
    view["problems"] = [view_problem(problem) for problem in problems]
    code = max((source_code, *(problem.exit_code for problem in problems)))
    if as_json:
        print_json(view)
        raise typer.Exit(code)
    for note in view.get("notes", ()):
        console.print(f"note: {escape(note)}")
    parts = [number_of(len(problems), "problem")]
    if config:
        parts = [
            number_of(len(config.roster.sources), "source"),
            number_of(len(config.roster.subscribers), "subscriber"),
            *parts,
        ]
    console.print(", ".join(parts))
    raise typer.Exit(code)


def read_all(file: Path | None, now: datetime) -> tuple["Config | None", Sequence[ConfigError]]:
    """What can be read, and everything that is wrong: one mistake hides no other."""
    from digest.app import Config, add_templates, build_signer, tell_apart
    from digest.config.settings import Settings, environment, load_settings
    from digest.config.subscribers import load_subscribers

    problems: list[ConfigError] = []
    env = _or_problems(environment, problems)
    settings = _or_problems(load_settings, problems) if env is not None else None
    path = file or Path((env or {}).get("DIGEST_SUBSCRIBERS") or "subscribers.yaml")
    if settings and not file:
        path = settings.subscribers
    roster = _or_problems(lambda: load_subscribers(path, env or {}), problems)
    if roster is None:
        return None, problems
    if settings and (settings.sender or settings.dkim.domain):
        _or_problems(lambda: build_signer(settings), problems)
    config = add_templates(tell_apart(Config(settings=settings or Settings.model_construct(), roster=roster)))
    problems += config.roster.problems
    problems += _failed_trials(config, now)
    return (config if settings else None), problems


def _or_problems(read: Callable[[], _Value], problems: list[ConfigError]) -> _Value | None:
    try:
        return read()
    except ConfigProblems as several:
        problems += several.problems
    except ConfigError as error:
        problems.append(error)
    return None


def _failed_trials(config: "Config", now: datetime) -> Iterator[ConfigError]:
    """Fill each template in once: much that is wrong with one shows only then."""
    from digest.app import build_answers
    from digest.choose import choose_papers
    from digest.demo import sample_papers
    from digest.model import Gap, Verdict
    from digest.render.compose import compose_message
    from digest.tokens import Keyring

    # The theme makes no difference here: it is filled in when the template is compiled.
    readers = {subscriber.template: subscriber for subscriber in config.roster.subscribers}
    papers = sample_papers(now) if config.settings.templates else ()
    trial = Keyring(bytes(16))
    sender, answers = config.settings.sender or "digest@example.org", build_answers(config.settings, trial)
    for reader in readers.values() if papers else ():
        edition = choose_papers(reader, now.date(), now, papers, missing=(Gap("a source", Verdict.STALE, None),))
        try:
            compose_message(edition, config.templates[reader.look], sender=sender, now=now, answers=answers)
        except RenderError as error:
            yield ConfigError(error.problem, where=error.where, hint=error.hint)


def _notes(config: "Config", now: datetime, *, smtp: bool) -> Iterator[str]:
    """What is not wrong, but less than it could be."""
    from digest.app import build_sources, find_embedder, skipped_sources, slow_sources
    from digest.match.advice import advise
    from digest.render.theme import READABLE, hard_to_read
    from digest.schedule.outlook import advise_times

    settings = config.settings
    for line in (*skipped_sources(config), *slow_sources(config)):
        yield f"source {line}"
    yield from find_embedder(settings)[1]
    yield from config.roster.notes
    for each in config.roster.subscribers:
        for line in (*_over(each, now), *advise_times(each, build_sources(config), now)):
            yield f"subscriber {each.name}: {line}"
    for subscriber, topic, query in _queries(config.roster.subscribers):
        for advice in (*advise(query), *_odd_categories(query)):
            yield f"subscriber {subscriber.name}, topic {topic.name}: {advice}"
    yield from _language_notes(config)
    for theme in {template.theme.name: template.theme for template in config.templates.values()}.values():
        for line in hard_to_read(theme):
            yield f"theme {theme.name}, {line} is hard to read; at least {READABLE}:1 is readable"
    yield from _mail_notes(settings, smtp=smtp)


def _over(subscriber: "Subscriber", now: datetime) -> Iterator[str]:
    if subscriber.quiet and max(span.last for span in subscriber.quiet) < now.astimezone(subscriber.zone).date():
        yield "every date of 'quiet' is over"


def _mail_notes(settings: "Settings", *, smtp: bool) -> Iterator[str]:
    from digest.deliver.dkim import unrelated

    sender = parseaddr(settings.sender or "")[1].rpartition("@")[2]
    if sender and settings.dkim.domain and (why := unrelated(settings.dkim.domain, sender)):
        yield f"DIGEST_DKIM__DOMAIN: {why}; set it to the sender's domain or to one above it"
    for setting, value in (("DIGEST_SMTP__HOST", settings.smtp.host), ("DIGEST_SENDER", settings.sender)):
        if not value and not smtp:
            yield f"{setting} is not set yet; preview and run --to-folder work without it"


def _language_notes(config: "Config") -> Iterator[str]:
    from digest.render.language import note_language

    languages = [each.language for each in config.roster.subscribers if each.language]
    if languages and not config.settings.llm.url:
        many = number_of(len(languages), "subscriber")
        yield f"{many} named a language, but titles are not translated: DIGEST_LLM__URL is not set"
    for language in sorted(set(languages)):
        if note := note_language(language):
            yield note


def _view_subscriber(subscriber: "Subscriber", now: datetime, *, queries: bool) -> dict[str, Any]:
    from digest.match.query import print_query
    from digest.schedule.days_off import DaysOff
    from digest.schedule.due import next_send

    view: dict[str, Any] = {
        "id": subscriber.id,
        "topics": [topic.name for topic in subscriber.topics],
        "schedule": subscriber.schedule.text,
        "next_send": next_send(subscriber.schedule, subscriber.zone, now, DaysOff.of(subscriber)).astimezone(
            subscriber.zone
        ),
    }
    if queries:
        view["queries"] = {topic.name: print_query(query) for _, topic, query in _queries([subscriber])}
    return view


def _view_poll(poll: "Poll") -> dict[str, Any]:
    return {
        "source": poll.source,
        "verdict": poll.verdict,
        "listed": len(poll.entries),
        "took_s": round(poll.took_s, 3),
        "problems": poll.problems,
    }


def _show_subscribers(subscribers: "Sequence[Subscriber]", now: datetime) -> None:
    from digest.schedule.days_off import DaysOff
    from digest.schedule.due import next_send

    rows = table("Subscribers", "subscriber", "topics", "schedule", "next send")
    for subscriber in subscribers:
        upcoming = next_send(subscriber.schedule, subscriber.zone, now, DaysOff.of(subscriber)).astimezone(
            subscriber.zone
        )
        rows.add_row(
            escape(subscriber.name),
            str(len(subscriber.topics)),
            escape(subscriber.schedule.text),
            f"{upcoming:%a %d %b %Y %H:%M} {subscriber.zone}",
        )
    if subscribers:
        console.print(rows)


def _queries(subscribers: "Sequence[Subscriber]") -> "Iterator[tuple[Subscriber, Topic, Query]]":
    from digest.match.parse import read_topic

    for subscriber in subscribers:
        for topic in subscriber.topics:
            yield subscriber, topic, read_topic(topic)


def _odd_categories(query: "Query") -> "Iterator[str]":
    """Categories of a query that look like arXiv's and are none; other sources have names of their own."""
    from digest.config.checks import check_category
    from digest.config.problems import ComplaintError
    from digest.match.query import Category, leaves

    for leaf in leaves(query.wants):
        if not isinstance(leaf, Category) or leaf.pattern == "*":
            continue
        try:
            known = check_category(leaf.pattern)
        except ComplaintError as exc:
            if "." in leaf.pattern:
                yield f"{exc.problem}; {exc.hint}"
        else:
            if known.casefold() != leaf.pattern.casefold():
                yield f"‘cat:{leaf.pattern}’ is only what is listed under that very name; all of it is ‘cat:{known}’"


def _show_queries(subscribers: "Sequence[Subscriber]") -> None:
    from digest.match.query import print_query

    for subscriber, topic, query in _queries(subscribers):
        console.print(f"{escape(subscriber.name)}, {escape(topic.name)}:", soft_wrap=True)
        console.print(f"  {escape(print_query(query))}", soft_wrap=True, highlight=False)


def _ask_sources(config: "Config", now: datetime, *, quiet: bool) -> "Sequence[Poll]":
    if quiet:
        return ask_sources(config, now, lambda _: None)
    with Watcher(sources=len(config.roster.sources)) as watcher:
        return ask_sources(config, now, lambda poll: watcher.polled(poll, None))


def ask_sources(
    config: "Config", now: datetime, on_poll: "Callable[[Poll], None]", *, limits: "Limits | None" = None
) -> "Sequence[Poll]":
    """Read each source's last day once; nothing is stored."""
    from digest.app import build_client, build_sources
    from digest.collect.limits import Limits
    from digest.collect.poll import poll_sources
    from digest.ports import Window

    listed = build_sources(config)
    limits = limits or Limits()
    window = Window(since=now - timedelta(days=1), until=now, papers=(_famous_paper(),))
    return asyncio.run(
        poll_sources(
            listed,
            dict.fromkeys((source.name for source in listed), window),
            {},
            connect=lambda: build_client(config.settings, limits),
            limits=limits,
            on_poll=on_poll,
        )
    )


def _famous_paper() -> "Paper":
    """For sources that are asked about papers: one that all of them know."""
    from digest.model import Link, LinkKind, Paper, PaperKey, Signals

    published = datetime(2017, 6, 12, tzinfo=UTC)
    return Paper(
        key=PaperKey("arxiv:1706.03762"),
        title="Attention Is All You Need",
        abstract="",
        authors=("Ashish Vaswani",),
        categories=("cs.CL",),
        links=(Link(LinkKind.CODE, "https://github.com/tensorflow/tensor2tensor"),),
        published=published,
        first_seen=published,
        signals=Signals(),
        sources=(),
    )


def _sign_in(config: "Config") -> tuple[str, Sequence[DigestError]]:
    """What came of it, or why nothing did."""
    from digest.app import build_smtp

    try:
        protection = asyncio.run(build_smtp(config.settings).check())
    except DigestError as error:
        show_error(error)
        return "", [error]
    doing = "signed in to" if config.settings.smtp.username else "connected to"
    return f"{doing} {config.settings.smtp.host} ({protection}); nothing was sent", []
