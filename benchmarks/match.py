"""How much faster all filters are asked at once than one after another: ``python benchmarks/match.py --json``.

1,000 recorded papers of about 1,600 characters, and made-up filters: 3 to 15 words, phrases and ``prefix*`` of these
papers, the frequent ones more often; a fifth requires two groups, a fifth excludes something, half name categories,
some follow authors. The baseline is the straightforward loop: every paper is folded once, then every filter is asked
about every paper, each word by Python's ``in`` first. Both must find the same papers. Times are CPU times of one
process, the engine's the best of three.

Keys: ``speedup_vs_loop_10k``; ``us_per_subscriber``, what each further one costs between 100,000 and 1,000,000;
``ratio_1m_to_100k``; ``bytes_per_subscriber``, ``build_us`` and ``add_us`` at 1,000,000; ``ratio_of_one``, the engine
to the loop for one subscriber with five topics, folding included; ``same_results``; ``reference_split_ms``, what
``str.split`` of the papers takes on this machine, to compare times by.
"""

import argparse
import gc
import gzip
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from digest.match.engine import Engine, places
from digest.match.names import Name
from digest.match.query import And, Author, Category, Node, Not, Or, Query, Scope, Word
from digest.match.topics import Reading
from digest.model import Paper, PaperKey, Signals
from digest.text.fold import Keyword, Words

DATA = Path(os.environ.get("DIGEST_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
CATEGORIES = [
    "cs.CL",
    "cs.CV",
    "cs.LG",
    "cs.AI",
    "cs.IR",
    "cs.RO",
    "cs.SD",
    "stat.ML",
    "eess.AS",
    "cs.MM",
    "math.OC",
    "cs.SE",
]


def read_papers(count: int) -> list[Paper]:
    """Recorded papers with long abstracts; the categories, which the records lack, are drawn."""
    rng = random.Random(1)
    papers: dict[str, Paper] = {}
    for path in sorted((DATA / "hf-daily" / "raw").glob("2025-*.json.gz")):
        for item in json.loads(gzip.decompress(path.read_bytes())):
            if not isinstance(item, dict) or not isinstance(item["paper"], dict):
                continue
            each = item["paper"]
            if not 1_250 <= len(each["summary"]) <= 2_400:
                continue
            papers[each["id"]] = Paper(
                key=PaperKey(f"arxiv:{each['id']}"),
                title=" ".join(each["title"].split()),
                abstract=" ".join(each["summary"].split()),
                authors=tuple(author["name"] for author in each["authors"]),
                categories=tuple(rng.sample(CATEGORIES, rng.choice([1, 1, 2, 2, 3]))),
                links=(),
                published=datetime(2025, 1, 1, tzinfo=UTC),
                first_seen=datetime(2025, 1, 1, tzinfo=UTC),
                signals=Signals(),
                sources=("arxiv",),
            )
            if len(papers) == count:
                return list(papers.values())
    raise SystemExit(f"only {len(papers)} papers are recorded")


class Filters:
    """Draws filters."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        self._rng = random.Random(2)
        frequency: Counter[str] = Counter()
        for paper in papers:
            words = re.findall(r"[A-Za-z][\w-]*", f"{paper.title} . {paper.abstract}")
            frequency.update({" ".join(words[at : at + n]) for n in (1, 2, 3) for at in range(len(words) - n)})
        # Not the words of more than 1.4 % of the papers: readers choose what sets papers apart.
        terms = (term for term, papers_with in frequency.items() if papers_with <= 0.014 * len(papers))
        self._terms = sorted(terms, key=lambda term: (-frequency[term], term))[:8_000]
        self._rare = sorted(term for term, papers_with in frequency.items() if papers_with == 1)
        rank = range(1, len(self._terms) + 1)
        self._weights = list(_running(1 / (number + 5) for number in rank))
        self._authors = sorted({author for paper in papers for author in paper.authors})

    def draw(self, count: int) -> Iterator[Query]:
        """So many filters, one after another."""
        for _ in range(count):
            yield self._filter()

    def _filter(self) -> Query:
        rng = self._rng
        words = [self._word() for _ in range(min(15, 3 + int(rng.expovariate(1 / 3.4))))]
        parts: list[Node] = []
        if rng.random() < 0.2:
            half = len(words) // 2
            parts += [Or(tuple(words[:half])), Or(tuple(words[half:]))]
        else:
            parts.append(Or(tuple(words)))
        if rng.random() < 0.5:
            parts.append(Or(tuple(map(Category, rng.sample(CATEGORIES, rng.choice([1, 2, 3]))))))
        if rng.random() < 0.15:
            parts[0] = Or((*parts[0].parts, *map(Author, rng.sample(self._authors, rng.randint(1, 5)))))  # type: ignore[union-attr]
        if rng.random() < 0.2:
            parts.append(Not(Or((self._word(),))))
        return Query(And(tuple(parts)))

    def _word(self) -> Word:
        rng = self._rng
        if rng.random() < 0.05:
            number = rng.randrange(200_000)
            return Word(self._rare[number] if number < len(self._rare) else f"absent{number}")
        term = rng.choices(self._terms, cum_weights=self._weights)[0]
        if rng.random() < 0.08:
            term = f"{term[: max(5, len(term) - 2)].rstrip()}*"
        return Word(term, Scope.TITLE if rng.random() < 0.12 else Scope.TEXT)


def _running(values: Iterator[float]) -> Iterator[float]:
    total = 0.0
    for value in values:
        total += value
        yield total


Ask = Callable[["Folded"], bool]


class Folded:
    """A paper as the loop reads it."""

    def __init__(self, paper: Paper) -> None:
        self.words = [Words(paper.title), Words(paper.abstract)]
        self.folded = [words.folded.text for words in self.words]
        self.cased = [words.cased.text for words in self.words]
        self.categories = {category.casefold() for category in paper.categories}
        self.authors = [Name.parse(author) for author in paper.authors]
        self.families = {family for name in self.authors for _, family in name.readings}


def loop(queries: Sequence[Query], papers: Sequence[Paper]) -> list[list[int]]:
    """The straightforward way: fold every paper once, read every filter once, then ask every filter of every paper."""
    folded = [Folded(paper) for paper in papers]
    filters = [_read(query.wants) for query in queries]
    return [[at for at, paper in enumerate(folded) if is_met(paper)] for is_met in filters]


def _read(node: Node) -> Ask:
    match node:
        case Word(text, scope):
            keyword = Keyword.parse(text)
            return partial(_holds, keyword, (0,) if scope is Scope.TITLE else (0, 1))
        case Or(parts):
            some = [_read(part) for part in parts]
            return lambda paper: any(is_met(paper) for is_met in some)
        case And(parts):
            every = [_read(part) for part in parts]
            return lambda paper: all(is_met(paper) for is_met in every)
        case Not(part):
            unwanted = _read(part)
            return lambda paper: not unwanted(paper)
        case Category(pattern):
            wanted = pattern.casefold()
            return lambda paper: wanted in paper.categories
        case Author(name):
            return partial(_wrote, Name.parse(name))
        case _:
            raise AssertionError(node)


def _holds(keyword: Keyword, fields: Sequence[int], paper: Folded) -> bool:
    texts = paper.cased if keyword.is_acronym else paper.folded
    for field in fields:
        for form in keyword.forms:
            if form in texts[field]:
                # Only what is there as a string is looked at closely.
                if paper.words[field].find(keyword) is not None:
                    return True
                break
    return False


def _wrote(wanted: Name, paper: Folded) -> bool:
    if not any(family in paper.families for _, family in wanted.readings):
        return False
    return any(wanted.is_met_by(author) for author in paper.authors)


def measure(papers: Sequence[Paper], sizes: Sequence[int]) -> dict[str, Any]:
    """Everything, in one run."""
    loop_size, small, large = sizes
    filters = Filters(papers)

    queries = list(filters.draw(loop_size))
    begin = time.process_time()
    expected = loop(queries, papers)
    loop_s = time.process_time() - begin
    engine = Engine()
    numbers = [engine.add(query) for query in queries]
    engine_s, answer = ask(engine, papers)
    rows = answer.rows(0, len(engine))
    same = [places(rows[number]) for number in numbers] == expected

    five = queries[:5]
    one = Engine()
    for query in five:
        one.add(query)
    one_s, _ = ask(one, papers)
    begin = time.process_time()
    loop(five, papers)
    one_loop_s = time.process_time() - begin

    engine, figures = Engine(), {}
    drawn = list(filters.draw(large))
    # A million trees that only wait here are no work of the engine's for the garbage collector to look through.
    gc.collect()
    gc.freeze()
    begin = time.process_time()
    for query in drawn[:small]:
        engine.add(query)
    engine.settle()
    figures["build_us_small"] = (time.process_time() - begin) / small * 1e6
    small_s, _ = ask(engine, papers)
    begin = time.process_time()
    for query in drawn[small:]:
        engine.add(query)
    engine.settle()
    figures["build_us"] = (time.process_time() - begin) / (large - small) * 1e6
    large_s, _ = ask(engine, papers)
    late = list(filters.draw(1_000))
    begin = time.process_time()
    for query in late:
        engine.add(query)
    engine.settle()
    figures["add_us"] = (time.process_time() - begin) / len(late) * 1e6
    return {
        "papers": len(papers),
        "mean_chars": round(sum(len(paper.title) + len(paper.abstract) for paper in papers) / len(papers)),
        "matches_per_subscriber": round(sum(map(len, expected)) / len(expected), 1),
        "speedup_vs_loop_10k": round(loop_s / engine_s),
        "us_per_subscriber": round((large_s - small_s) / (large - small) * 1e6, 3),
        "ratio_1m_to_100k": round(large_s / small_s, 2),
        "bytes_per_subscriber": round(engine.nbytes / large, 1),
        **{key: round(value, 2) for key, value in figures.items()},
        "ratio_of_one": round(one_s / one_loop_s, 2),
        "same_results": same,
        "reference_split_ms": round(min(_split_ms(papers) for _ in range(5)), 1),
        "seconds": {
            "loop": loop_s,
            "engine": engine_s,
            "small": small_s,
            "large": large_s,
            "one": one_s,
            "one_loop": one_loop_s,
        },
    }


def _split_ms(papers: Sequence[Paper]) -> float:
    """How fast this machine is just now: Python's own ``str.split`` of all texts."""
    begin = time.process_time()
    for paper in papers:
        f"{paper.title} {paper.abstract}".split()
    return (time.process_time() - begin) * 1e3


def ask(engine: Engine, papers: Sequence[Paper]) -> tuple[float, Any]:
    """CPU seconds from raw text to everybody's row of bits, the best of three, and the answer."""
    times = []
    for _ in range(3):
        readings = [Reading(paper) for paper in papers]
        begin = time.process_time()
        answer = engine.ask(readings)
        # In parts, as they are handed on, so that a million rows need not be there at once.
        for first in range(0, len(engine), 65_536):
            answer.rows(first, min(first + 65_536, len(engine)))
        times.append(time.process_time() - begin)
    return min(times), answer


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--sizes", type=int, nargs=3, default=(10_000, 100_000, 1_000_000), metavar=("LOOP", "SMALL", "LARGE")
    )
    options = parser.parse_args()
    figures = measure(read_papers(1_000), options.sizes)
    print(json.dumps(figures) if options.json else "\n".join(f"{key}: {value}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
