"""How much faster mails are joined from fragments than made one after another: ``python benchmarks/render.py --json``.

400 recorded papers (invented ones where there are no records), and readers with 20 of them each: every reader's scores,
name and addresses for answers are their own, and there are three reasons for which a paper may have matched. The
baseline is ``tests/render/straightforward.py``: the same templates, filled in, compiled from MJML, inlined and written
by the standard library for every reader. Both make whole messages: headers, text part and HTML part. Times are CPU
times of one process, taken in turns, once every paper was met by ours; what that costs is a key of its own.

Keys: ``speedup_vs_straightforward``; ``us_per_message``, ``straightforward_ms_per_message``; ``setup_in_messages``, the
compiling of the template and the first meeting with every paper, in messages of the baseline; ``dom_equal``, whether
the mails of ``compared`` readers are the same in headers, text, elements, attributes, styles and comments;
``html_kb_20_full`` and ``html_kb_500``, the HTML of 20 papers with abstracts of 1,600 characters and of 500 papers, as
it is encoded and, with ``_decoded``, as clients see it; ``full_abstracts_shown``, how many of the 20;
``rss_growth_mb``, how much the process grows from 1,000 to ``readers`` readers.
"""

import argparse
import cProfile
import gc
import gzip
import json
import os
import pstats
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from digest.model import (
    Edition,
    Evidence,
    Field,
    Link,
    LinkKind,
    Match,
    Paper,
    PaperKey,
    Schedule,
    Score,
    Signals,
    Subscriber,
    SubscriberId,
    TopicMatch,
)
from digest.paths import shipped
from digest.render.compile import load_template
from digest.render.compose import Composer
from digest.render.plan import Answers
from digest.render.theme import Theme
from tests.render.straightforward import Straightforward, differences

DATA = Path(os.environ.get("DIGEST_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
NOW = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
SENDER = Address("Paperround", "digest", "example.org")
ANSWERS = Answers()
PERSONAL = Answers(mailbox="answers@example.org")
FOLDERS = (shipped("templates"),)
PAPERS, SHOWN, VARIANTS = 400, 20, 3
FULL_CHARS = 1_600
_COMPARED = 25
WARM = 2_000
_ROUNDS, _OURS_A_ROUND = 25, 40
_CATEGORIES = ("cs.CL", "cs.CV", "cs.LG", "cs.AI", "stat.ML")
_WORDS = [
    "we",
    "show",
    "that",
    "invented",
    "models",
    "of",
    "small",
    "lanterns",
    "learn",
    "slowly",
    "from",
    "very",
    "long",
    "sequences",
    "when",
    "attention",
    "over",
    "distant",
    "tokens",
    "is",
    "sparse",
    "and",
    "a",
    "benchmark",
    "in",
    "forty",
    "languages",
    "says",
    "otherwise",
    "for",
    "most",
    "of",
    "them",
]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--template", default="daily")
    parser.add_argument("--readers", type=int, default=100_000, help="for rss_growth_mb; 0 leaves it out")
    parser.add_argument("--profile", action="store_true", help="print the functions that take longest")
    options = parser.parse_args()
    papers = recorded_papers(options.data)
    is_recorded = len(papers) == PAPERS
    if not is_recorded:
        papers = invented_papers()
    if options.profile:
        profile(papers, options.template)
        return
    result: dict[str, Any] = {"papers": "recorded" if is_recorded else "invented", "template": options.template}
    result |= speed(papers, options.template)
    result |= sizes(papers, options.template)
    if options.readers:
        result |= memory(papers, options.template, options.readers)
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for key, value in result.items():
        sys.stdout.write(f"{key:32} {value}\n")


def speed(papers: Sequence[Paper], template: str) -> dict[str, Any]:
    """Both ways for readers of their own, in turns."""
    theme = Theme()
    twin = Straightforward(template, FOLDERS, theme, sender=SENDER, answers=ANSWERS)
    readers = editions(papers, seed=1)
    # Both import what they need, and compile their templates.
    first = next(readers)
    twin.compose(first, NOW)
    load_template(template, FOLDERS, theme)

    began = time.process_time()
    composer = Composer(load_template(template, FOLDERS, theme), sender=str(SENDER), answers=ANSWERS)
    compiled = time.process_time() - began
    meetings = list(meet_all(papers, variant=0))
    began = time.process_time()
    for edition in meetings:
        composer.compose(edition, NOW)
    met = time.process_time() - began
    # The other reasons, and every paper at the head of a subject.
    for edition in (*meet_all(papers, 1), *meet_all(papers, 2), *(next(readers) for _ in range(WARM))):
        composer.compose(edition, NOW)
    own = Composer(load_template(template, FOLDERS, theme), sender=str(SENDER), answers=PERSONAL)
    personal = editions(papers, seed=3, is_personal=True)
    for _ in range(WARM):
        own.compose(next(personal), NOW)

    ours = theirs = owns = 0.0
    for _ in range(_ROUNDS):
        some = [next(readers) for _ in range(_OURS_A_ROUND)]
        others = [next(personal) for _ in range(_OURS_A_ROUND)]
        began = time.process_time()
        for edition in some:
            composer.compose(edition, NOW)
        between = time.process_time()
        twin.compose(some[0], NOW)
        after = time.process_time()
        for edition in others:
            own.compose(edition, NOW)
        owns += time.process_time() - after
        theirs += after - between
        ours += between - began
    ours_s, theirs_s = ours / (_ROUNDS * _OURS_A_ROUND), theirs / _ROUNDS
    owns_s = owns / (_ROUNDS * _OURS_A_ROUND)
    found = [
        difference
        for edition in (next(readers) for _ in range(_COMPARED))
        for difference in differences(composer.compose(edition, NOW).raw, twin.compose(edition, NOW))
    ]
    for difference in found[:3]:
        sys.stderr.write(f"{difference}\n")
    return {
        "speedup_vs_straightforward": round(theirs_s / ours_s, 1),
        "speedup_personal": round(theirs_s / owns_s, 1),
        "us_per_message": round(ours_s * 1e6, 1),
        "straightforward_ms_per_message": round(theirs_s * 1e3, 2),
        "setup_in_messages": round((compiled + met - len(meetings) * ours_s) / theirs_s, 1),
        "compile_ms": round(compiled * 1e3, 1),
        "dom_equal": not found,
        "compared": _COMPARED,
    }


def sizes(papers: Sequence[Paper], template: str) -> dict[str, Any]:
    """The HTML of long editions."""
    composer = Composer(load_template(template, FOLDERS, Theme()), sender=str(SENDER), answers=ANSWERS)
    long = [replace(paper, abstract=of_length(paper.abstract, FULL_CHARS)) for paper in papers[:SHOWN]]
    full = an_edition(0, long, [0] * SHOWN, abstract=5_000)
    message = composer.compose(full, NOW)
    text = " ".join(message.html.replace("<mark>", "").replace("</mark>", "").split())
    shown = sum(paper.abstract.split()[-1] in text and paper.abstract[-60:] in text for paper in long)
    many = [replace(papers[number % PAPERS], key=PaperKey(f"arxiv:2601.{number:05d}")) for number in range(500)]
    largest = composer.compose(an_edition(0, many, [0] * 500), NOW)
    return {
        "html_kb_20_full": round(message.html_bytes / 1000, 1),
        "html_kb_20_full_decoded": round(len(message.html.encode()) / 1000, 1),
        "full_abstracts_shown": shown,
        "html_kb_500": round(largest.html_bytes / 1000, 1),
        "html_kb_500_decoded": round(len(largest.html.encode()) / 1000, 1),
        "message_kb_20": round(len(message.raw) / 1000, 1),
    }


def memory(papers: Sequence[Paper], template: str, readers: int) -> dict[str, Any]:
    """How the process grows while one message after another is made and let go."""
    composer = Composer(load_template(template, FOLDERS, Theme()), sender=str(SENDER), answers=ANSWERS)
    before = sent = 0.0
    for number, edition in enumerate(editions(papers, seed=2), 1):
        sent += len(composer.compose(edition, NOW).raw)
        if number == 1_000:
            before = rss_mb()
        if number == max(readers, 1_000):
            break
    return {
        "readers": readers,
        "mb_made": round(sent / 1e6),
        "rss_mb": round(before, 1),
        "rss_growth_mb": round(rss_mb() - before, 1),
    }


def profile(papers: Sequence[Paper], template: str) -> None:
    """Print where the time of a warm composer goes."""
    composer = Composer(load_template(template, FOLDERS, Theme()), sender=str(SENDER), answers=ANSWERS)
    readers = editions(papers, seed=1)
    for _ in range(500):
        composer.compose(next(readers), NOW)
    some = [next(readers) for _ in range(1_000)]
    profiler = cProfile.Profile()
    profiler.enable()
    for edition in some:
        composer.compose(edition, NOW)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(30)


def editions(papers: Sequence[Paper], seed: int, *, is_personal: bool = False) -> Iterator[Edition]:
    """Endlessly many readers, each with papers of their own."""
    rng = random.Random(seed)
    number = 0
    while True:
        number += 1
        chosen = rng.sample(papers, SHOWN)
        yield an_edition(number, chosen, [rng.randrange(VARIANTS) for _ in chosen], rng, is_personal=is_personal)


def meet_all(papers: Sequence[Paper], variant: int) -> Iterator[Edition]:
    """Few readers who have every paper between them."""
    for start in range(0, len(papers), SHOWN):
        yield an_edition(start, papers[start : start + SHOWN], [variant] * SHOWN)


def an_edition(
    number: int,
    papers: Sequence[Paper],
    variants: Sequence[int],
    rng: random.Random | None = None,
    abstract: int = 600,
    *,
    is_personal: bool = False,
) -> Edition:
    """An edition of papers that matched."""
    rng = rng or random.Random(number)
    reader = Subscriber(
        id=SubscriberId(f"reader-{number}"),
        name=f'Reader <b>{number}</b> & "Co"',
        email=f"reader-{number}@example.org",
        zone=ZoneInfo("UTC"),
        schedule=Schedule("daily at 07:30", "30 7 * * *"),
        abstract=abstract,
    )
    matched = tuple(
        Match(
            paper=paper,
            topics=reasons(paper, variant),
            score=a_score(paper, variant, rng if is_personal else None),
        )
        for paper, variant in zip(papers, variants, strict=False)
    )
    return Edition(subscriber=reader, date=NOW.date(), matched=matched)


def a_score(paper: Paper, variant: int, rng: random.Random | None) -> Score:
    """As a reader gets it who neither describes what they want nor gave feedback: words and authors are the variant's,
    trend and age the paper's. With a ``rng`` also how relevant it is to them alone, in tenths from 0.1 to 3.
    """
    match, trend, recency = shared_parts(paper.key, variant)
    return Score(match=match, trend=trend, recency=recency, relevance=rng.randrange(1, 31) / 10 if rng else 0.0)


@cache
def shared_parts(key: PaperKey, variant: int) -> tuple[float, float, float]:
    """Words, trend and age."""
    rng = random.Random(f"{key} {variant}")
    return rng.randrange(1, 90) / 10, rng.random(), rng.random()


@cache
def reasons(paper: Paper, variant: int) -> tuple[TopicMatch, ...]:
    """Why a paper matched, one of a few ways."""
    word = max(paper.title.split(), key=len)
    hits = (
        Evidence(Field.TITLE, word, word),
        Evidence(Field.ABSTRACT, "model*", "models"),
        Evidence(Field.CATEGORY, paper.categories[0], paper.categories[0]),
    )
    return (TopicMatch(f"Topic {variant} of many", hits[: variant + 1]),)


def recorded_papers(data: Path) -> list[Paper]:
    """Recorded papers with abstracts of some length; the categories and links, which the records lack, are made up."""
    rng = random.Random(1)
    papers: dict[str, Paper] = {}
    for path in sorted((data / "hf-daily" / "raw").glob("2025-*.json.gz")):
        for item in json.loads(gzip.decompress(path.read_bytes())):
            each = item["paper"] if isinstance(item, dict) and isinstance(item.get("paper"), dict) else {}
            summary = " ".join(str(each.get("summary", "")).split())
            if len(summary) >= 1_000 and len(papers) < PAPERS:
                names = [author["name"] for author in each["authors"]]
                papers[each["id"]] = a_paper(each["id"], each["title"], summary, names, each.get("upvotes") or 0, rng)
    return list(papers.values())


def invented_papers() -> list[Paper]:
    """As many, of words in random order."""
    rng = random.Random(1)

    def words(count: int) -> str:
        return " ".join(rng.choices(_WORDS, k=count)).capitalize()

    return [
        a_paper(
            f"2611.{number:05d}",
            words(10),
            " ".join(f"{words(rng.randint(9, 25))}." for _ in range(12)),
            [words(2).title() for _ in range(rng.randint(1, 12))],
            rng.randrange(200),
            rng,
        )
        for number in range(PAPERS)
    ]


def a_paper(
    arxiv_id: str, title: str, abstract: str, authors: Sequence[str], upvotes: int, rng: random.Random
) -> Paper:
    """A paper with six links."""
    links = (
        (LinkKind.ABSTRACT, f"https://arxiv.org/abs/{arxiv_id}"),
        (LinkKind.PDF, f"https://arxiv.org/pdf/{arxiv_id}"),
        (LinkKind.CODE, f"https://github.com/example/{arxiv_id}"),
        (LinkKind.DISCUSSION, f"https://huggingface.co/papers/{arxiv_id}"),
    )
    return Paper(
        key=PaperKey(f"arxiv:{arxiv_id}"),
        title=" ".join(title.split()),
        abstract=abstract,
        authors=tuple(authors),
        categories=tuple(rng.sample(_CATEGORIES, rng.choice([1, 2, 3]))),
        links=tuple(Link(*link) for link in links),
        published=NOW - timedelta(hours=rng.randrange(30)),
        first_seen=NOW,
        signals=Signals(upvotes=upvotes),
        sources=("arxiv:cs.CL",),
    )


def of_length(text: str, chars: int) -> str:
    """The text, said again if it is too short, cut to so many characters."""
    return (f"{text} " * (chars // len(text) + 1))[:chars].rstrip().ljust(chars, ".")


def rss_mb() -> float:
    """Resident memory of this process, on Linux."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
