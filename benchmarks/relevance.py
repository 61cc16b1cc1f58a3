"""How much of reading is saved by ranking papers by meaning and by feedback, on the labels of systematic reviews.

``alone`` ranks each review's records by its title and abstract, with no feedback. The others simulate a reader who has
judged one relevant and one irrelevant record, reads on from the top, and says of each record what it is: after every
tenth of what was judged (at first after each record), the ranking is learnt again. ``baseline`` is the default of
ASReview 0 and 1 in the same simulation with the same first records: TF-IDF of words, naive Bayes with alpha 3.822,
"double" balancing, the highest first.

Source: https://github.com/asreview/asreview, ``asreview/models/balance/double.py`` (version 1, read 2026-11-22).
"""

import argparse
import csv
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

from digest.match.query import About
from digest.model import Example, Paper, PaperKey, Signals
from digest.rank.corpus import Corpus
from digest.rank.meaning import Meaning
from digest.rank.taste import learn_taste

DATA = Path(__file__).parents[2] / "shared" / "data"
TUNED_ON = ("ADHD", "Donners_2021", "Meijboom_2021", "Nelson_2002", "Oud_2018", "Sep_2021", "Triptans")
"""The sets on which what is learnt, and how, was chosen; the others were not looked at before."""
SEEDS = 5
QUICK = ("Donners_2021", "Sep_2021")

Labels = NDArray[np.int64]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the figures of every set")
    parser.add_argument("--quick", action="store_true", help="two small sets, once")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DIGEST_REAL_DATA", DATA)))
    options = parser.parse_args()
    result = measure(options.data / "relevance", quick=options.quick) | describe(options.data, quick=options.quick)
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for key, value in result.items():
        if isinstance(value, float):
            sys.stdout.write(f"{key:24} {value:.3f}\n")


def measure(folder: Path, *, quick: bool = False) -> dict[str, Any]:
    """Simulate readers of every set; figures are means over the sets, of a set over seeds."""
    started = time.process_time()
    topics = {topic["key"]: topic for topic in json.loads((folder / "synergy" / "topics.json").read_text())}
    sets: dict[str, dict[str, float]] = {}
    for name, papers, labels in read_sets(folder, quick=quick):
        corpus = Corpus(papers)
        learners = {"": taste_learner(papers, corpus), "baseline_": bayes_learner(papers)}
        figures: dict[str, list[float]] = {}
        for seed in range(1 if quick else SEEDS):
            for prefix, learn in learners.items():
                chance = np.random.default_rng(seed)
                prior = [int(chance.choice(np.flatnonzero(labels == wanted))) for wanted in (1, 0)]
                for key, value in saved(labels[simulate(learn, labels, prior, chance)[2:]]).items():
                    figures.setdefault(prefix + key, []).append(value)
        sets[name] = {"records": len(papers), "relevant": int(labels.sum())}
        sets[name] |= {key: float(np.mean(values)) for key, values in figures.items()}
        if topic := topics.get(name):
            about = About(f"{topic['title']}. {topic['review_abstract']}")
            scores = [-near.score for near in Meaning(corpus, None, lambda _: ()).measure([about], papers)[about]]
            alone = saved(labels[np.argsort(scores, kind="stable")])
            sets[name] |= {f"alone_{key}": value for key, value in alone.items()}
    keys = dict.fromkeys(key for figures in sets.values() for key in figures)
    means = {key: mean_of(sets.values(), key) for key in keys if key not in ("records", "relevant")}
    held_out = [figures for name, figures in sets.items() if name not in TUNED_ON]
    if held_out:
        means |= {f"held_out_{key}": mean_of(held_out, key) for key in means if not key.startswith("alone")}
    return {**means, "tuned_on": TUNED_ON, "cpu_s": time.process_time() - started, "sets": sets}


def mean_of(sets: Any, key: str) -> float:
    """The mean over those that have it."""
    return float(np.mean([figures[key] for figures in sets if key in figures]))


def read_sets(folder: Path, *, quick: bool) -> Iterator[tuple[str, list[Paper], Labels]]:
    """Each set with its records and whether each was included; duplicates are left out."""
    for path in sorted(folder.glob("*/*.gz")):
        name = path.name.partition(".")[0]
        if quick and name not in QUICK:
            continue
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
            rows = list(map(json.loads, lines)) if path.name.endswith(".jsonl.gz") else list(csv.DictReader(lines))
        rows = [row for row in rows if not row.get("duplicate_record_id")]
        papers = [a_paper(f"{name}/{at}", row["title"] or "", row["abstract"] or "") for at, row in enumerate(rows)]
        yield name, papers, np.array([int(row.get("label", row.get("label_included"))) for row in rows])


def a_paper(name: str, title: str, abstract: str) -> Paper:
    """A record as a paper."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    return Paper(
        key=PaperKey(f"guid:{name}"),
        title=title,
        abstract=abstract,
        authors=(),
        categories=(),
        links=(),
        published=day,
        first_seen=day,
        signals=Signals(),
        sources=(),
    )


def taste_learner(papers: Sequence[Paper], corpus: Corpus) -> Callable[..., NDArray[np.float64]]:
    """What readers of the digest get."""

    def learn(labels: Labels, judged: list[int], _: np.random.Generator) -> NDArray[np.float64]:
        more = [papers[at] for at in judged if labels[at]]
        less = [papers[at] for at in judged if not labels[at]]
        taste = learn_taste(more, less, corpus)
        assert taste
        return np.array(taste.score(papers))

    return learn


def bayes_learner(papers: Sequence[Paper]) -> Callable[..., NDArray[np.float64]]:
    """ASReview's default."""
    rows = TfidfVectorizer(stop_words="english").fit_transform(f"{paper.title} {paper.abstract}" for paper in papers)

    def learn(labels: Labels, judged: list[int], chance: np.random.Generator) -> NDArray[np.float64]:
        train = balanced(labels, np.array(judged), chance)
        model = MultinomialNB(alpha=3.822).fit(rows[train], labels[train])
        odds = model.predict_log_proba(rows)
        return np.asarray(odds[:, 1] - odds[:, 0])

    return learn


def balanced(labels: Labels, judged: Labels, chance: np.random.Generator) -> Labels:
    """Repeat relevant records and leave out irrelevant ones: "double" balancing."""
    ones, zeros = judged[labels[judged] == 1], judged[labels[judged] == 0]
    count = len(judged)
    if count < 3:
        return judged
    one_weight = 2.155 * (len(ones) / len(zeros)) ** -0.94
    zero_weight = 1 - (1 - 0.789) / (1 + np.log(count))
    wanted = one_weight * len(ones) * count / (one_weight * len(ones) + zero_weight * len(zeros))
    more = max(1, min(count - 2, int(wanted) + int(chance.random() < wanted % 1)))
    return np.concatenate([filled(ones, more, chance), filled(zeros, count - more, chance)])


def filled(source: Labels, count: int, chance: np.random.Generator) -> Labels:
    """So many of these, each as often as the others or once more."""
    copies, left = divmod(count, len(source))
    return np.concatenate([np.tile(source, copies), chance.choice(source, left, replace=False)])


def simulate(
    learn: Callable[..., NDArray[np.float64]], labels: Labels, prior: list[int], chance: np.random.Generator
) -> list[int]:
    """The order in which records are read, until the last relevant one."""
    order = list(prior)
    while labels[order].sum() < labels.sum():
        scores = learn(labels, order, chance)
        scores[order] = -np.inf
        top = np.argsort(-scores, kind="stable")[: min(max(1, len(order) // 10), len(labels) - len(order))]
        order.extend(map(int, top))
    read = set(order)
    return order + [at for at in range(len(labels)) if at not in read]


def saved(found: Labels) -> dict[str, float]:
    """What an order saves.

    Args:
        found: Whether each record is relevant, in the order in which they are read.

    Returns:
        ``wss_95``: the share of records left unread at 95 % recall, less the 5 % that chance saves; ``rrf_10``: the
        share of relevant records in the first tenth; ``atd``: the mean share of records read until one is found.
    """
    places = np.flatnonzero(found) + 1
    needed = int(np.ceil(0.95 * len(places)))
    return {
        "wss_95": float(0.95 - places[needed - 1] / len(found)),
        "rrf_10": float((places <= np.ceil(len(found) / 10)).mean()),
        "atd": float(places.mean() / len(found)),
    }


def describe(data: Path, *, quick: bool = False) -> dict[str, float]:
    """What the threshold that counts unless a topic says otherwise lets through.

    Descriptions are the nine reviews' titles with abstracts, examples three of their included records; every other
    review's records are wrong for them. And the titles of recorded papers, for which their own abstracts are right and
    all others are counted as wrong.
    """
    topics = json.loads((data / "relevance" / "synergy" / "topics.json").read_text())
    sets = {name: (papers, labels) for name, papers, labels in read_sets(data / "relevance", quick=quick)}
    with (data / "pages" / "daily-papers-pages.jsonl").open(encoding="utf-8") as lines:
        pages = [json.loads(line) for line in lines]
    pages = pages[:100] if quick else pages
    topics = [topic for topic in topics if not quick or topic["key"] in QUICK]
    shown = [a_paper(f"pages/{at}", "", page["abstract"]) for at, page in enumerate(pages)]
    pool = [paper for topic in topics for paper in sets[topic["key"]][0]]
    meaning = Meaning(Corpus([*pool, *shown]), None, lambda _: ())
    figures: dict[str, list[float]] = {}
    chance = np.random.default_rng(0)
    for topic in topics:
        papers, labels = sets[topic["key"]]
        included = [paper for paper, label in zip(papers, labels, strict=True) if label]
        picked = [included[at] for at in chance.choice(len(included), 3, replace=False)]
        described = About(f"{topic['title']}. {topic['review_abstract']}")
        examples = About(like=tuple(Example(title=paper.title, abstract=paper.abstract) for paper in picked))
        nearness = meaning.measure([described, examples], pool)
        for name, about in (("described", described), ("examples", examples)):
            near = zip(pool, nearness[about], strict=True)
            passed = {paper.key for paper, one in near if one.score >= one.threshold}
            wanted = {paper.key for paper in included} - {paper.key for paper in picked}
            own = {paper.key for paper in papers}
            figures.setdefault(f"{name}_found", []).append(len(passed & wanted) / len(wanted))
            figures.setdefault(f"{name}_wrong", []).append(len(passed - own) / (len(pool) - len(papers)))
    abouts = [About(page["title"]) for page in pages]
    of_titles = meaning.measure(abouts, shown)
    passes = np.array([[one.score >= one.threshold for one in of_titles[about]] for about in abouts])
    own_count = int(np.trace(passes))
    return {
        **{key: float(np.mean(values)) for key, values in figures.items()},
        "title_found": own_count / len(pages),
        "title_wrong": float((passes.sum() - own_count) / (passes.size - len(pages))),
    }


if __name__ == "__main__":
    main()
