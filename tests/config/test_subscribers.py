import pickle
import re
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from textwrap import dedent
from zoneinfo import ZoneInfo

import pytest

from digest.config.checks import check_issn
from digest.config.models import (
    ArxivEntry,
    BiorxivEntry,
    CrossrefEntry,
    FeedEntry,
    GitHubEntry,
    HackerNewsEntry,
    HuggingFaceEntry,
    MedrxivEntry,
    OpenAlexEntry,
    OpenAlexQuery,
    OpenReviewEntry,
    PubmedEntry,
    SemanticScholarEntry,
    SourceEntry,
)
from digest.config.problems import ConfigProblems
from digest.config.subscribers import Roster, load_subscribers, subscriber_id
from digest.errors import ConfigError
from digest.model import DateSpan, Schedule, Topic
from digest.paths import shipped

CANARY = "canary.person@secret-host.example"
ENV = {"ADA_EMAIL": "ada@example.org", "EMPTY": " ", "BROKEN": "canary.person", "CANARY": CANARY}

SOURCES = "sources:\n  - arxiv: [cs.CL]\n"  # two lines
ADA = "  - name: Ada\n    email: ada@example.org\n    topics: [{name: T, any: clip}]\n"  # from line 4


def load(tmp_path: Path, text: str) -> Roster:
    path = tmp_path / "subscribers.yaml"
    path.write_text(text, encoding="utf-8")
    return load_subscribers(path, ENV)


def with_entry(entry: str) -> str:
    lines = dedent(entry).strip().splitlines()
    return f"{SOURCES}subscribers:\n  - {lines[0]}\n" + "".join(f"    {line}\n" for line in lines[1:])


def names(roster: Roster) -> list[str]:
    return [subscriber.name for subscriber in roster.subscribers]


def test_everything_in_a_file_is_read(tmp_path: Path) -> None:
    roster = load(
        tmp_path,
        """\
sources:
  - arxiv: [cs.CL, cs.cv, hep-th, q-bio.NC, math.*, stat, cond-mat.mtrl-sci, physics.optics]
    url: http://127.0.0.1:8000/atom
    allow_private: true
  - huggingface: daily
  - feed: https://example.org/rss
    name: Example journal
defaults: {timezone: Europe/Berlin, schedule: weekdays at 07:30, limit: 12, trending: 3, template: weekly, language: de}
subscribers:
  - name: Vision group
    email: ${ADA_EMAIL}
    timezone: America/Bogota
    schedule: [Monday, Friday at 8:00]
    limit: 20
    language: PT_br
    topics:
      - name: Vision-language pre-training
        any: CLIP
        all: [benchmark]
        none: [survey, "3D"]
        categories: [cs.CV]
        authors: ["He, Kaiming"]
  - {name: Ben, id: b, email: Ben@Example.ORG}
""",
    )

    assert roster.problems == ()
    assert roster.sources == (
        ArxivEntry(
            arxiv=(
                "cs.CL",
                "cs.CV",
                "hep-th",
                "q-bio.NC",
                "math.*",
                "stat.*",
                "cond-mat.mtrl-sci",
                "physics.optics",
            ),
            url="http://127.0.0.1:8000/atom",
            allow_private=True,
        ),
        HuggingFaceEntry(huggingface="daily"),
        FeedEntry(feed="https://example.org/rss", name="Example journal"),
    )
    vision, ben = roster.subscribers
    assert vision.id == "vision-group"
    assert vision.email == "ada@example.org"
    assert vision.zone == ZoneInfo("America/Bogota")
    assert vision.schedule == Schedule("Monday, Friday at 8:00", "0 8 * * 1,5")
    assert vision.limit == 20
    assert vision.topics == (
        Topic(
            name="Vision-language pre-training",
            any=("CLIP",),
            all=("benchmark",),
            none=("survey", "3D"),
            categories=("cs.CV",),
            authors=("He, Kaiming",),
        ),
    )
    assert (ben.id, ben.email, ben.zone) == ("b", "Ben@example.org", ZoneInfo("Europe/Berlin"))
    assert (vision.language, ben.language) == ("pt-BR", "de")
    assert (ben.schedule.text, ben.limit, ben.trending, ben.template) == ("weekdays at 07:30", 12, 3, "weekly")


def test_what_a_mail_looks_like_is_read(tmp_path: Path) -> None:
    person = "email: {0}@example.org, trending: 1"
    roster = load(
        tmp_path,
        f"""{SOURCES}
defaults: {{theme: ink, abstract: full, archive: "https://pápers.example.org/ä/"}}
subscribers:
  - {{name: A, {person.format("a")}}}
  - {{name: B, {person.format("b")}, theme: ours, abstract: none, archive: ""}}
  - {{name: C, {person.format("c")}, template: weekly, abstract: 250, archive: "http://localhost:8080"}}
""",
    )

    assert roster.problems == ()
    assert [(each.look, each.abstract, each.archive) for each in roster.subscribers] == [
        (("daily", "ink"), 5_000, "https://xn--ppers-xqa.example.org/%C3%A4"),
        (("daily", "ours"), 0, ""),
        (("weekly", "ink"), 250, "http://localhost:8080"),
    ]


def test_when_a_mail_comes_is_read(tmp_path: Path) -> None:
    person, late = "email: {0}@example.org, trending: 1", "schedule: daily 23:00"
    roster = load(
        tmp_path,
        f"""{SOURCES}
defaults: {{quiet: [2026-12-24 .. 2027-01-02, 2027-05-14], holidays: de-be, at_least: 3, latest_send: 9:05}}
subscribers:
  - {{name: A, {person.format("a")}, links: 2}}
  - {{name: B, {person.format("b")}, quiet: 2026-12-31, holidays: "", at_least: 1, latest_send: "", {late}}}
  - {{name: C, {person.format("c")}, quiet: [], holidays: NO}}
""",
    )

    assert roster.problems == ()
    christmas = (DateSpan(date(2026, 12, 24), date(2027, 1, 2)), DateSpan(date(2027, 5, 14), date(2027, 5, 14)))
    new_year = DateSpan(date(2026, 12, 31), date(2026, 12, 31))
    assert [
        (each.quiet, each.holidays, each.at_least, each.latest_send, each.links) for each in roster.subscribers
    ] == [
        (christmas, "DE-BE", 3, time(9, 5), 2),
        ((new_year,), "", 1, None, 1),
        ((), "NO", 3, time(9, 5), 1),
    ]


def test_a_default_that_comes_too_early_costs_only_who_relies_on_it(tmp_path: Path) -> None:
    late = "  - {name: Ben, email: ben@example.org, trending: 1, schedule: daily at 11:00}\n"

    roster = load(tmp_path, f"{SOURCES}defaults: {{latest_send: 10:00}}\nsubscribers:\n{ADA}{late}")

    assert names(roster) == ["Ada"]
    (told,) = (str(problem) for problem in roster.problems)
    assert "subscribers.yaml:8 (ben): 'latest_send' 10:00 is not after the send time 11:00" in told


def test_the_example_has_no_problems() -> None:
    env = {name: f"{name.lower()}@example.org" for name in ("VISION_GROUP_EMAIL", "NADIA_EMAIL", "READING_GROUP_EMAIL")}

    roster = load_subscribers(shipped("subscribers.example.yaml"), env)

    assert roster.problems == ()
    assert names(roster) == ["Vision group", "Nadia", "Reading group"]


A = "name: A\nemail: a@example.org\n"

BAD_SUBSCRIBERS = [
    ("unknown key", A + "topcis: []", 6, "unknown key 'topcis'", "did you mean 'topics'?"),
    ("no name", "email: a@example.org\ntrending: 1", 4, "'name' is missing", ""),
    ("no address", "name: A\ntrending: 1", 4, "'email' is missing", "${VISION_GROUP_EMAIL}"),
    ("address as name", f"name: {CANARY}\nemail: a@example.org\ntrending: 1", 4, "holds an '@'", "stand in logs"),
    ("empty name", "name: ''\nemail: a@example.org\ntrending: 1", 4, "the name is empty", ""),
    ("boolean as name", "name: true\nemail: a@example.org\ntrending: 1", 4, "must be text, got 'true'", '"true"'),
    ("name of two lines", 'name: "A\\nBcc: x"\nemail: a@example.org\ntrending: 1', 4, "not one short line", ""),
    ("bad id", "name: A\nid: Ö 1\nemail: a@example.org\ntrending: 1", 5, "'Ö 1' is not an id", "vision-group"),
    ("no domain", "name: A\nemail: a@localhost\ntrending: 1", 5, "'a***@***' is not an address", "needs a dot"),
    ("address without @", "name: A\nemail: canary.person\ntrending: 1", 5, "'c***' is not an address", "has an '@'"),
    ("address list", f"name: A\nemail: {CANARY}, b@example.org\ntrending: 1", 5, "is not an address", "one address"),
    ("display name", f"name: A\nemail: Ada <{CANARY}>\ntrending: 1", 5, "is not an address", "bare address"),
    ("accent", "name: A\nemail: jörg@example.org\ntrending: 1", 5, "is not an address", "outside ASCII"),
    ("long address", f"name: A\nemail: {'a' * 70}@example.org\ntrending: 1", 5, "too long", "64"),
    ("injection", 'name: A\nemail: "a@example.org\\nBcc: b@example.org"\ntrending: 1', 5, "is not an address", ""),
    ("address of a list", "name: A\nemail: [a@example.org]\ntrending: 1", 5, "'email' must be text, got a list", ""),
    ("unset variable", "name: A\nemail: ${NOT_THERE}\ntrending: 1", 5, "variable NOT_THERE is not set", ".env"),
    ("empty variable", "name: A\nemail: ${EMPTY}\ntrending: 1", 5, "variable EMPTY is empty", ""),
    ("bad variable", "name: A\nemail: ${BROKEN}\ntrending: 1", 5, "value of BROKEN is not an address", "has an '@'"),
    ("half a reference", "name: A\nemail: ${ADA_EMAIL\ntrending: 1", 5, "not a reference", "${VISION_GROUP_EMAIL}"),
    ("reference in an address", "name: A\nemail: ${ADA}@example.org\ntrending: 1", 5, "not a reference", ""),
    ("zone", A + "timezone: Europe/Berln\ntrending: 1", 6, "'Europe/Berln'", "'Europe/Berlin'"),
    ("zone of a city", A + "timezone: Bogota\ntrending: 1", 6, "'Bogota'", "'America/Bogota'"),
    ("zone in small letters", A + "timezone: utc\ntrending: 1", 6, "'utc'", "'UTC'"),
    ("offset", A + "timezone: +2\ntrending: 1", 6, "'+2' is not a time zone", "Europe/Berlin"),
    ("offset of hours", A + "timezone: UTC+02:00\ntrending: 1", 6, "UTC+02:00", "no summer time"),
    ("zone of a boolean", A + "timezone: true\ntrending: 1", 6, "'timezone' must be text", ""),
    ("schedule word", A + "schedule: dialy\ntrending: 1", 6, "'dialy'", "did you mean 'daily'"),
    ("schedule time", A + "schedule: daily at 25:00\ntrending: 1", 6, "'25:00'", "07:30"),
    ("schedule of a number", A + "schedule: 7\ntrending: 1", 6, "'schedule' must be text, got '7'", ""),
    ("schedule of cron", A + "schedule: '* 7 * * *'\ntrending: 1", 6, "more than one time", ""),
    ("limit 0", A + "limit: 0\ntrending: 1", 6, "'limit' must be 1 or more, got '0'", ""),
    ("limit 501", A + "limit: 501\ntrending: 1", 6, "'limit' must be 500 or less", ""),
    ("limit in words", A + "limit: many\ntrending: 1", 6, "a whole number, got 'many'", ""),
    ("limit of a boolean", A + "limit: yes\ntrending: 1", 6, "a whole number, got 'yes'", ""),
    ("trending", A + "trending: 51", 6, "'trending' must be 50 or less, got '51'", ""),
    ("paused", A + "trending: 1\npaused: yes", 7, "'paused' must be true or false, got 'yes'", ""),
    ("template", A + "trending: 1\ntemplate: ../x", 7, "'../x' is not the name of a template", ""),
    ("language", A + "trending: 1\nlanguage: german", 7, "'german' is not a language tag", "pt-BR"),
    ("language that is a country", A + "trending: 1\nlanguage: jp", 7, "'jp' is not a language tag", "de"),
    ("theme", A + "trending: 1\ntheme: themes/ink.yaml", 7, "'themes/ink.yaml' is not the name of a theme", "ink"),
    ("abstract", A + "trending: 1\nabstract: 5001", 7, "'5001' is no length of an abstract", "0 to 5000, full or none"),
    ("abstract in words", A + "trending: 1\nabstract: short", 7, "'short' is no length of an abstract", ""),
    ("abstract of a boolean", A + "trending: 1\nabstract: true", 7, "'true' is no length of an abstract", ""),
    ("abstract of nothing", A + "trending: 1\nabstract:", 7, "nothing is no length of an abstract", ""),
    ("dates without a year", A + "trending: 1\nquiet: 12-24..01-02", 7, "neither a date nor", "with the year"),
    ("a date that is none", A + "trending: 1\nquiet: [2027-02-29]", 7, "a day that no month has", "typing errors"),
    ("dates in words", A + "trending: 1\nquiet: Christmas", 7, "'Christmas' is neither a date", "2026-12-24..2027"),
    ("half a span", A + "trending: 1\nquiet: 2026-12-24..", 7, "'2026-12-24..' is neither a date", "2026-12-24.."),
    ("dates backwards", A + "trending: 1\nquiet: 2027-01-02..2026-12-24", 7, "ends before it begins", "first"),
    ("a year as dates", A + "trending: 1\nquiet: [2026]", 7, "'quiet' must be text, got '2026'", '"2026"'),
    ("too many dates", A + "trending: 1\nquiet: 2020-01-01..2026-01-01", 7, "2,193 days are quiet", "paused: true"),
    ("holidays of a country's name", A + "trending: 1\nholidays: Germany", 7, "of 'Germany'", "did you mean 'DE'?"),
    ("holidays of an alias", A + "trending: 1\nholidays: UK", 7, "of 'UK'", "did you mean 'GB'?"),
    ("holidays of nowhere", A + "trending: 1\nholidays: XQ", 7, "no public holidays are known of 'XQ'", "ISO 3166"),
    ("holidays of no part", A + "trending: 1\nholidays: DE-XX", 7, "'DE-XX' is no part of DE", "DE-BE"),
    ("holidays of a part of the whole", A + "trending: 1\nholidays: NG-LA", 7, "is no part of NG", "write 'NG'"),
    ("holidays of half a part", A + "trending: 1\nholidays: DE-", 7, "'DE-' is no part of DE", "known: DE, DE-BB"),
    (
        "only holidays", A + "trending: 1\nholidays: DE\nschedule: 30 7 25 12 *", 7,
        "every date of the schedule '30 7 25 12 *' is a public holiday of DE", "change one",
    ),
    ("at least none", A + "trending: 1\nat_least: 0", 7, "'at_least' must be 1 or more, got '0'", ""),
    ("at least many", A + "trending: 1\nat_least: 101", 7, "'at_least' must be 100 or less", ""),
    ("latest send", A + "trending: 1\nlatest_send: 25:00", 7, "'25:00' is not a time of day", "07:30"),
    ("latest send of a number", A + "trending: 1\nlatest_send: 10", 7, "'10' is not a time of day", "07:30"),
    ("latest send of a boolean", A + "trending: 1\nlatest_send: true", 7, "'latest_send' must be text", ""),
    (
        "latest send too early", A + "trending: 1\nlatest_send: 7:30", 7,
        "'latest_send' 07:30 is not after the send time 07:30", "on the same date",
    ),
    ("links", A + "trending: 1\nlinks: 0", 7, "'links' must be 1 or more, got '0'", ""),
    ("archive", A + "trending: 1\narchive: papers.example.org", 7, "is not a web address", ""),
    ("open archive", A + "trending: 1\narchive: http://papers.example.org", 7, "is not an https address", ""),
    ("archive in brackets", A + "trending: 1\narchive: https://x.example/<b>", 7, "is not a web address", ""),
    ("long archive", A + f"trending: 1\narchive: https://x.example/{'a' * 800}", 7, "more than 800", ""),
    ("archive of a page", A + "trending: 1\narchive: https://x.example/?a=1", 7, "not the address of a folder", ""),
    ("nothing to send", "name: A\nemail: a@example.org", 4, "nothing to send", "trending: 5"),
    ("topics of words", A + "topics: clip", 6, "'topics' must be a list, got 'clip'", ""),
    ("topics of nothing", A + "topics:", 6, "'topics' must be a list, got nothing", ""),
    ("duplicate key", A + "limit: 1\nlimit: 9\ntrending: 1", 7, "'limit' is given twice, first in line 6", ""),
    ("tag", "name: !!python/object/apply:os.system [x]\nemail: a@example.org\ntrending: 1", 4, "'!!python", "delete"),
    ("merge key", A + "<<: {limit: 3}\ntrending: 1", 6, "unknown key '<<'", ""),
    ("not a mapping", "just a word", 4, "must hold keys and values, got 'just a word'", "- name"),
]  # fmt: skip

BAD_TOPICS = [
    ("empty topic", "{name: T}", "the topic 'T' is empty", "query, any, all, categories, authors, about or like"),
    ("only none", "{name: T, none: [x1]}", "says only what it does not want", ""),
    ("no name", "{any: [clip]}", "'name' is missing", ""),
    ("unknown key", "{name: T, any: [clip], nnoe: [x1]}", "unknown key 'nnoe'", "'none'"),
    ("boolean keyword", "{name: T, any: true}", "'any' must be a list, got 'true'", "[one, two]"),
    ("boolean in a list", "{name: T, any: [clip, true]}", "'any' must be text, got 'true'", 'put it in quotes: "true"'),
    ("number in a list", "{name: T, any: [clip, 3]}", "'any' must be text, got '3'", '"3"'),
    ("empty keyword", "{name: T, any: [clip, '']}", "no letter and no digit", ""),
    ("keyword of signs", "{name: T, any: [clip, '??']}", "'??' holds no letter and no digit", ""),
    ("long keyword", f"{{name: T, any: [{'a' * 201}]}}", "longer than 200", ""),
    ("category", "{name: T, categories: [sc.CL]}", "'sc.CL' is not an arXiv category", "did you mean 'cs.CL'?"),
    ("category of an undivided archive", "{name: T, categories: [hep-th.XX]}", "'hep-th.XX'", "not divided"),
    ("category without subject", "{name: T, categories: [cs.]}", "'cs.' is not an arXiv category", "'cs.*'"),
    ("empty author", "{name: T, authors: ['-']}", "no letter", ""),
    ("nothing", "{name: T, any: }", "'any' must be a list, got nothing", ""),
    ("a word", "clip", "'topics' must hold keys and values, got 'clip'", ""),
    ("twice", "{name: good, any: [x1]}", "the topic 'good' is there twice", ""),
    ("only less and limit", "{name: T, less: x1, limit: 3}", "does not say what it wants", ""),
    ("only a threshold", "{name: T, threshold: 0.5}", "does not say what it wants", ""),
    ("threshold of words", "{name: T, any: x1, threshold: 0.5}", "nothing to compare with", "about and like"),
    ("threshold out of range", "{name: T, about: x1, threshold: 1.5}", "'1.5' is neither a number from 0 to 1", "0.5"),
    ("id without quotes", "{name: T, about: x1, threshold: 2401.01234}", "neither a number", '"2401.01234"'),
    ("threshold of a word", "{name: T, about: x1, threshold: near}", "'near' is neither a number", "2401.01234"),
    ("threshold true", "{name: T, about: x1, threshold: true}", "'true' is neither a number", ""),
    ("like as a number", "{name: T, like: 2401.01234}", "'2401.01234' was read as a number", '"2401.01234"'),
    ("like an address", "{name: T, like: 'https://a.example/x'}", "is an address, not a file", ""),
    ("about nothing", "{name: T, about: '?'}", "'?' says nothing", ""),
    ("topic limit", "{name: T, any: x1, limit: 0}", "'limit' must be 1 or more, got '0'", ""),
    ("less", "{name: T, any: x1, less: '?'}", "'?' holds no letter", ""),
    ("unreadable query", "{name: T, query: 'cat OR'}", "the query of the topic 'T': expected a word", ""),
    ("query that wants nothing", "{name: T, query: '-cat'}", "says only what it does not want", "add a word"),
    ("unknown field", "{name: T, query: 'titel:cat'}", "no field ‘titel:’", "did you mean ‘title:’?"),
    ("duplicate key", "{name: T, any: [x1], any: [x2]}", "'any' is given twice", ""),
]  # fmt: skip

BAD_SOURCES = [
    ("kind", "arxvi: [cs.CL]", "unknown source kind 'arxvi'", "did you mean 'arxiv'?"),
    ("no kind", "name: A", "does not say its kind", "arxiv, huggingface, biorxiv"),
    ("two kinds", "{arxiv: cs.CL, huggingface: daily}", "two kinds", ""),
    ("a word", "https://example.org/rss", "a source must say its kind", "- feed"),
    ("no categories", "arxiv: []", "'arxiv' must not be empty", "at least one"),
    ("category", "arxiv: [cs.CL, c.LG]", "'c.LG' is not an arXiv category", "'cs.LG'"),
    ("category of nothing", "arxiv:", "'arxiv' must be a list, got nothing", ""),
    ("list", "huggingface: dayly", "'huggingface' cannot be 'dayly'", "did you mean 'daily'? known: daily, weekly"),
    ("announcement", "{arxiv: cs.CL, announce: [new, replaced]}", "'announce' cannot be 'replaced'", "'replace'"),
    ("no announcement", "{arxiv: cs.CL, announce: []}", "'announce' must not be empty", ""),
    ("key of another kind", "{huggingface: daily, announce: new}", "unknown key 'announce'", "known: name, url"),
    ("mirror", "{arxiv: cs.CL, oai_url: oai}", "'oai' is not a web address", ""),
    ("bioRxiv category", "biorxiv: [zoology, neurosience]", "'neurosience'", "did you mean 'neuroscience'?"),
    ("medRxiv category", "medrxiv: physics of metals", "category of medRxiv", "known: all, addiction medicine"),
    ("empty query", "pubmed: ' '", "asks for nothing", ""),
    ("long query", f"pubmed: {'a' * 1001}", "is not a query", "1,000"),
    ("ISSN", "crossref: [1476-468]", "'1476-468' is not an ISSN", "write as in"),
    ("check digit of an ISSN", "crossref: [1476-4688]", "last digit does not fit", "typing errors"),
    ("ISSN of a number", "crossref: [14764687]", "'crossref' must be text, got '14764687'", 'quotes: "14764687"'),
    ("venue", "openreview: https://openreview.net/group?id=ICLR.cc/2026", "not the id of a venue", "after 'id='"),
    ("nothing of OpenAlex", "openalex: {}", "'openalex' is empty", "topics or search"),
    ("topic of OpenAlex", "openalex: {topics: [graphs]}", "'graphs' is not a topic", "T10653"),
    ("key of OpenAlex", "openalex: {topic: T10653}", "key 'topic'", "did you mean 'topics'? known: topics, search"),
    ("what of Semantic Scholar", "semantic_scholar: true", "'semantic_scholar' cannot be 'true'", "enrich"),
    ("what of GitHub", "github: star", "'github' cannot be 'star'", "did you mean 'stars'?"),
    ("list at an address", "opml: https://example.org/feeds.opml", "is an address, not a file", "save it"),
    ("list of nothing", "opml: ''", "'' is not the path of a file", "feeds.opml"),
    ("list with a NUL", 'opml: "a\\0"', "is not the path of a file", ""),
    ("mirror of a list", "{opml: feeds.opml, url: 'https://a.example/'}", "unknown key 'url'", "known: opml"),
    ("name of a kind", "{semanticscholar: enrich}", "'semanticscholar'", "did you mean 'semantic_scholar'?"),
    ("scheme", "feed: file:///etc/passwd", "is not a web address", "https://"),
    ("no host", "feed: https:///rss", "is not a web address", ""),
    ("port", "feed: https://example.org:99999/rss", "is not a web address", ""),
    ("userinfo", "feed: https://canary:s3cret@example.org/rss", "'https://***@example.org/rss'", "only open addresses"),
    ("unknown key", "{feed: 'https://example.org/rss', allow_privat: true}", "'allow_privat'", "'allow_private'"),
    ("boolean", "{feed: 'https://example.org/rss', allow_private: 1}", "must be true or false, got '1'", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "line", "problem", "hint"), [pytest.param(*case, id=name) for name, *case in BAD_SUBSCRIBERS]
)
def test_a_bad_subscriber_is_told_with_its_line_and_alone_left_out(
    tmp_path: Path, entry: str, line: int, problem: str, hint: str
) -> None:
    others = "".join(f"  - {{name: Other {n}, email: other{n}@example.org, trending: 5}}\n" for n in range(49))

    roster = load(tmp_path, with_entry(entry) + others)

    assert len(roster.subscribers) == 49
    told = str(roster.problems[0])
    assert re.search(rf"subscribers\.yaml:{line} \((a|true|subscriber 1|a-bcc-x)\): ", told), told
    assert problem in told
    assert hint in told
    assert "canary.person" not in told
    assert len(roster.problems) == 1, [str(problem) for problem in roster.problems]


@pytest.mark.parametrize(("topic", "problem", "hint"), [pytest.param(*case, id=name) for name, *case in BAD_TOPICS])
def test_a_bad_topic_leaves_its_subscriber_the_others(tmp_path: Path, topic: str, problem: str, hint: str) -> None:
    entry = f"name: Ada\nemail: ada@example.org\ntopics:\n  - {{name: good, any: [clip]}}\n  - {topic}"

    roster = load(tmp_path, with_entry(entry))

    (ada,) = roster.subscribers
    assert [topic.name for topic in ada.topics] == ["good"]
    (told,) = (str(problem) for problem in roster.problems)
    assert "subscribers.yaml:8 (ada): " in told
    assert problem in told
    assert hint in told


def test_a_subscriber_without_a_good_topic_is_left_out_and_not_sent_everything(tmp_path: Path) -> None:
    roster = load(tmp_path, with_entry("name: Ada\nemail: ada@example.org\ntopics: [{name: T, any: ['??']}]"))

    assert roster.subscribers == ()
    assert len(roster.problems) == 1


@pytest.mark.parametrize(("source", "problem", "hint"), [pytest.param(*case, id=name) for name, *case in BAD_SOURCES])
def test_a_bad_source_is_told_and_alone_left_out(tmp_path: Path, source: str, problem: str, hint: str) -> None:
    roster = load(tmp_path, f"sources:\n  - huggingface: daily\n  - {source}\nsubscribers:\n{ADA}")

    assert roster.sources == (HuggingFaceEntry(huggingface="daily"),)
    assert names(roster) == ["Ada"]
    (told,) = (str(problem) for problem in roster.problems)
    assert "subscribers.yaml:3 (source 2): " in told
    assert problem in told
    assert hint in told
    assert "s3cret" not in told


KINDS: dict[str, SourceEntry] = {
    "arxiv: cs.cl, announce: [replace, new, new]": ArxivEntry(arxiv=("cs.CL",), announce=("replace", "new")),
    "arxiv: cs.CL, oai_url: 'https://o.example/', name: Mine": ArxivEntry(
        arxiv=("cs.CL",), oai_url="https://o.example/", name="Mine"
    ),
    "huggingface: trending": HuggingFaceEntry(huggingface="trending"),
    "biorxiv: all": BiorxivEntry(biorxiv=("all",)),
    "biorxiv: [Cell_Biology, cell biology]": BiorxivEntry(biorxiv=("cell biology",)),
    "medrxiv: [HIV/AIDS, Infectious Diseases (except HIV/AIDS)]": MedrxivEntry(
        medrxiv=("hiv aids", "infectious diseases")
    ),
    "pubmed: 'crispr[Title]  AND review[pt]'": PubmedEntry(pubmed="crispr[Title] AND review[pt]"),
    "crossref: [1476-4687, 1050124x]": CrossrefEntry(crossref=("1476-4687", "1050-124X")),
    "openreview: ICLR.cc/2026/Conference": OpenReviewEntry(openreview="ICLR.cc/2026/Conference"),
    "openalex: graph networks": OpenAlexEntry(openalex=OpenAlexQuery(search="graph networks")),
    "openalex: {topics: ['https://openalex.org/T10653', t1], search: a}": OpenAlexEntry(
        openalex=OpenAlexQuery(topics=("T10653", "T1"), search="a")
    ),
    "semantic_scholar: enrich": SemanticScholarEntry(semantic_scholar="enrich"),
    "hackernews: points, url: 'https://h.example/'": HackerNewsEntry(hackernews="points", url="https://h.example/"),
    "github: stars, allow_private: true": GitHubEntry(github="stars", allow_private=True),
}


@pytest.mark.parametrize(("source", "entry"), KINDS.items(), ids=KINDS)
def test_every_kind_of_source_is_read(tmp_path: Path, source: str, entry: SourceEntry) -> None:
    roster = load(tmp_path, f"sources:\n  - {{{source}}}\nsubscribers:\n{ADA}")

    assert roster.problems == ()
    assert roster.sources == (entry,)
    assert hash(roster.sources)


@pytest.mark.parametrize(
    "issn", ["0028-0836", "1476-4687", "0036-8075", "1095-9203", "0140-6736", "2041-1723", "1932-6203", "2050-084X"]
)
def test_issns_of_journals_that_exist_are_right(issn: str) -> None:
    assert check_issn(issn.lower().replace("-", "")) == issn


@pytest.mark.parametrize(
    ("second", "words"),
    [
        pytest.param("{name: ada, email: b@example.org, trending: 1}", "same subscriber as line 4", id="name"),
        pytest.param("{name: B, id: ada, email: b@example.org, trending: 1}", "same subscriber as line 4", id="id"),
        pytest.param("{name: B, email: ADA@example.org, trending: 1}", "'A***@***' is used in line 5", id="address"),
        pytest.param("{name: B, email: '${ADA_EMAIL}', trending: 1}", "'a***@***' is used in line 5", id="variable"),
    ],
)
def test_of_two_alike_the_first_stays_and_both_lines_are_named(tmp_path: Path, second: str, words: str) -> None:
    roster = load(tmp_path, f"{SOURCES}subscribers:\n{ADA}  - {second}\n")

    assert names(roster) == ["Ada"]
    (told,) = (str(problem) for problem in roster.problems)
    assert "subscribers.yaml:7" in told
    assert words in told


def test_two_alike_on_one_line_are_found(tmp_path: Path) -> None:
    one = "{name: A, email: a@example.org, trending: 1}"

    roster = load(tmp_path, f"{SOURCES}subscribers: [&a {one}, *a]\n")

    assert names(roster) == ["A"]
    assert len(roster.problems) == 2


@pytest.mark.parametrize(("first", "second"), [("N", "n"), ("n", "N")])
def test_sources_alike_are_told(tmp_path: Path, first: str, second: str) -> None:
    sources = f"sources:\n  - arxiv: cs.CL\n  - arxiv: [cs.CL]\n  - {{feed: 'https://a.example/', name: {first}}}\n"

    roster = load(tmp_path, f"{sources}  - {{feed: 'https://b.example/', name: {second}}}\nsubscribers:\n{ADA}")

    assert len(roster.sources) == 2
    assert [problem.problem for problem in roster.problems] == [
        "the same source as in line 2",
        f"the name '{second}' is used in line 4 already",
    ]


BROKEN_FILES = [
    ("tab", b"sources:\n\t- arxiv: cs.CL\n", ":2:1", "a tab", "spaces"),
    ("bracket", b"sources: [\n", ":2:1", "expected the node content", "brackets"),
    ("quote", b"sources: 'x\n", ":2:1", "unexpected end of stream", "quotes"),
    ("colon", b"sources:\n  a: b: c\n", ":2:7", "a colon", "indentation"),
    ("sign", b"sources: @x\n", ":1:10", "'@'", "quotes"),
    ("alias", b"sources: *x\n", ":1:10", "undefined alias", "&name"),
    ("second document", b"sources: 1\n---\na: 1\n", ":2:1", "second document", "---"),
    ("control character", b"sources:\n  - a\x01\n", ":2", "U+0001", "invisible"),
    ("not UTF-8", b"sources:\n  - J\xf6rg\n", ":2", "not UTF-8", "UTF-8"),
    ("UTF-16", "sources: 1".encode("utf-16"), ":1", "not UTF-8", "UTF-8"),
    ("empty", b"", ":1", "the file is empty", "subscribers.example.yaml"),
    ("comments only", b"# nothing\n", ":1", "the file is empty", ""),
    ("list", b"- a\n- b\n", ":1", "must start with 'sources:'", ""),
    ("word", b"hello", ":1", "must start with 'sources:'", ""),
    ("endless alias", b"a: &a [*a]\n", ":1", "contains itself", ""),
    ("deep", b"[" * 5000, "", "nested too deeply", ""),
    ("10 MB", b"# " + b"x" * 10_000_000, "", "10,000,002 bytes", "right file"),
    ("alias bomb", b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)
    ), ":1", "aliases repeat more than 100,000 values", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "where", "problem", "hint"), [pytest.param(*case, id=name) for name, *case in BROKEN_FILES]
)
def test_a_file_that_is_not_ours_is_refused_as_a_whole(
    tmp_path: Path, data: bytes, where: str, problem: str, hint: str
) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_bytes(data)

    with pytest.raises(ConfigError) as caught:
        load_subscribers(path, ENV)

    assert f"subscribers.yaml{where}: " in str(caught.value)
    assert problem in str(caught.value)
    assert hint in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_subscribers(tmp_path / "subscribers.yaml", ENV)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_subscribers(tmp_path, ENV)


def test_bom_and_crlf_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_bytes(
        b"\xef\xbb\xbf" + (SOURCES + "subscribers:\n" + ADA + "    lmit: 1\n").replace("\n", "\r\n").encode()
    )

    roster = load_subscribers(path, ENV)

    assert [problem.where.rpartition(":")[2] for problem in roster.problems] == ["7 (ada)"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(SOURCES, 1, "'subscribers' is missing", id="no subscribers"),
        pytest.param(f"subscribers:\n{ADA}", 1, "'sources' is missing", id="no sources"),
        pytest.param(f"sources:\nsubscribers:\n{ADA}", 1, "'sources' is empty", id="empty sources"),
        pytest.param(f"sources: arxiv\nsubscribers:\n{ADA}", 1, "'sources' must be a list, got 'arxiv'", id="sources"),
        pytest.param(f"{SOURCES}subscribers:\n{ADA}subscriber: []\n", 7, "did you mean 'subscribers'?", id="top key"),
        pytest.param(
            f"{SOURCES}subscribers:\n{ADA}sources: []\n", 7, "'sources' is given twice, first in line 1", id="twice"
        ),
    ],
)
def test_the_parts_of_a_file_are_checked(tmp_path: Path, text: str, line: int, words: str) -> None:
    (told,) = (str(problem) for problem in load(tmp_path, text).problems)

    assert f"subscribers.yaml:{line}: " in told
    assert words in told


@pytest.mark.parametrize(
    "default", ["schedule: weekly on Mnday", "schedul: weekly", "schedule: weekly, schedule: daily"]
)
def test_nobody_is_written_to_by_a_default_that_was_not_meant(tmp_path: Path, default: str) -> None:
    own = "  - {name: Own, email: own@example.org, trending: 1, schedule: daily}\n"

    roster = load(tmp_path, f"{SOURCES}defaults: {{{default}}}\nsubscribers:\n{ADA}{own}")

    assert names(roster) == ["Own"]
    (told,) = (str(problem) for problem in roster.problems)
    assert "subscribers.yaml:3: " in told
    assert "get no mail until it is right" in told


def test_who_is_paused_is_checked_but_needs_no_variable(tmp_path: Path) -> None:
    paused = "  - {name: P, email: '${NOT_THERE}', trending: 1, paused: true}\n"

    roster = load(tmp_path, f"{SOURCES}subscribers:\n{ADA}{paused}")

    assert names(roster) == ["Ada"]
    assert roster.problems == ()


TEN_MISTAKES = f"""\
sources:
  - arxvi: [cs.CL]
  - feed: https://u:s3cret@example.org/rss
defaults: {{limit: 0}}
subscribers:
  - name: One
    email: ${{NOT_THERE}}
    topcis: []
  - name: Two
    email: {CANARY}
    timezone: +2
    limit: 5
    schedule: daily at 25:00
    topics:
      - name: T
        any: [clip, true]
  - name: Three
    email: {CANARY}
    limit: 5
    trending: 99
"""


def test_ten_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    problems = load(tmp_path, TEN_MISTAKES).problems

    lines = [int(re.search(r"yaml:(\d+)", problem.where)[1]) for problem in problems]  # type: ignore[index]
    assert lines == [2, 3, 4, 7, 8, 11, 13, 16, 18, 20]
    told = str(ConfigProblems(problems))
    assert CANARY not in told
    assert "canary.person" not in told
    assert "s3cret" not in told
    assert str(pickle.loads(pickle.dumps(ConfigProblems(problems)))) == told


def test_an_address_is_in_no_message_wherever_it_is_written(tmp_path: Path) -> None:
    text = with_entry(
        f"""\
        name: {CANARY}
        id: {CANARY}
        email: x{CANARY}@y
        timezone: {CANARY}
        schedule: {CANARY}
        template: {CANARY}
        theme: {CANARY}
        abstract: {CANARY}
        archive: https://{CANARY}/
        limit: {CANARY}
        paused: {CANARY}
        {CANARY}: 1
        topics:
          - name: {CANARY}
            any: true
            categories: [{CANARY}]
            {CANARY}: x
            {CANARY}: y
          - name: An author without a family name
            authors: [", {CANARY}"]
          - name: A long keyword
            any: ["{'x' * 200}{CANARY}"]
        """
    ) + f"{CANARY}: 1\ndefaults:\n  {CANARY}: 2\n"  # fmt: skip

    told = str(ConfigProblems(load(tmp_path, text).problems))

    assert told.count("hint") > 10
    assert "canary.person" not in told


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Vision group", "vision-group"),
        ("  Ada  L. ", "ada-l"),
        ("Zoë Müller", "zoe-muller"),
        ("Straße", "strasse"),
        ("Łukasz Ørsted", "lukasz-orsted"),
    ],
)
def test_a_name_gives_a_readable_id(name: str, slug: str) -> None:
    assert subscriber_id(name) == slug


def test_names_in_other_scripts_give_ids_that_stay_and_differ() -> None:
    ids = [subscriber_id(name) for name in ("読書会", "研究室", "読書会 A", "研究室 A", "Группа", "!!!")]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one) for one in ids)
    assert subscriber_id("読書会") == ids[0]


def test_an_address_is_not_in_what_a_subscriber_prints(tmp_path: Path) -> None:
    roster = load(tmp_path, with_entry("name: A\nemail: ${CANARY}\ntrending: 1"))

    assert roster.subscribers[0].email == CANARY
    assert CANARY not in repr(roster)
    assert CANARY not in repr(replace(roster, sources=()))
