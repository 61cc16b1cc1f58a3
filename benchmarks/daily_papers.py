"""Which of a day's arXiv papers will reach Hugging Face Daily Papers, foretold from text and authors alone.

A logistic regression on the words of titles and abstracts, on the authors, and on how often these were on the lists of
earlier days; before each measured day it learns anew from the days whose outcome is known by then. `--fit` tries its
one setting on earlier days instead.

A paper counts as having reached the lists if one dated from its announcement to seven days later has it, as these were
at 07:50 UTC of their day: what was added later in the day is not recorded. Papers that were listed before they were
announced are left out.
"""

import argparse
import gzip
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import MultinomialNB

from digest.text.latex import latex_to_text

DATA = Path(__file__).parents[2] / "shared" / "data"
WAIT = timedelta(days=7)
FIT_DAYS = (date(2025, 5, 14), date(2025, 6, 1))
TEST_DAYS = (date(2025, 6, 2), date(2025, 6, 30))
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
STRENGTH = 10.0
"""The inverse of regularisation: by `--fit`, the smallest from which on the earlier days gain no more."""
PLACES = 20
RESAMPLES = 10_000


@dataclass(frozen=True)
class Announced:
    """A paper of one announcement."""

    id: str
    day: date
    title: str
    abstract: str
    authors: tuple[str, ...]
    history: tuple[float, ...]
    """What the lists of earlier days say of its authors; see `_history`."""
    is_listed: bool
    """Whether it reached the lists."""


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--fit", action="store_true", help="try the strengths of regularisation on earlier days instead"
    )
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DIGEST_REAL_DATA", DATA)))
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"no recorded data at {options.data}; name its folder with --data or DIGEST_REAL_DATA")
    papers = read_papers(options.data)
    figures = (
        {str(strength): measure(papers, FIT_DAYS, strength) for strength in STRENGTHS}
        if options.fit
        else measure(papers, TEST_DAYS, STRENGTH)
    )
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{name:32} {value}\n" for name, value in figures.items())


def read_papers(data: Path) -> list[Announced]:
    """The new and cross-listed papers of the recorded days, each at its first announcement, oldest first."""
    lists = dict(_read_lists(data))
    listed: dict[str, date] = {}
    for day, some in sorted(lists.items()):
        for arxiv_id in some:
            listed.setdefault(arxiv_id, day)
    known: dict[str, Announced] = {}
    seen: Counter[str] = Counter()
    waiting = sorted(lists.items(), reverse=True)
    for path in sorted((data / "arxiv-rss" / "days").glob("*.json.gz")):
        day = date.fromisoformat(path.name.removesuffix(".json.gz"))
        while waiting and waiting[-1][0] < day:
            seen.update(name for names in waiting.pop()[1].values() for name in names)
        feeds = json.loads(gzip.decompress(path.read_bytes())).values()
        for entry in (entry for feed in feeds for entry in feed["entries"]):
            arxiv_id = entry["link"].rpartition("/")[2]
            kind, _, abstract = entry["summary"].partition("Announce Type: ")[2].partition("Abstract: ")
            first = listed.get(arxiv_id, date.max)
            if kind.strip() not in ("new", "cross") or arxiv_id in known or first < day:
                continue
            authors = tuple(_name(name) for name in latex_to_text(entry["author"]).split(","))
            known[arxiv_id] = Announced(
                arxiv_id, day, entry["title"], abstract, authors, _history(authors, seen), first <= day + WAIT
            )
    return list(known.values())


def _read_lists(data: Path) -> Iterator[tuple[date, dict[str, list[str]]]]:
    """The authors of each paper of each list."""
    for path in sorted((data / "hf-daily" / "raw").glob("*.json.gz")):
        items = json.loads(gzip.decompress(path.read_bytes()))
        papers = [item["paper"] for item in items if isinstance(item, dict) and isinstance(item.get("paper"), dict)]
        yield (
            date.fromisoformat(path.name.removesuffix(".json.gz")),
            {
                paper["id"]: [_name(each["name"]) for each in paper["authors"] if isinstance(each, dict)]
                for paper in papers
                if "id" in paper and isinstance(paper.get("authors"), list)
            },
        )


def _name(text: str) -> str:
    return " ".join(text.lower().split())


def _history(authors: Sequence[str], seen: Counter[str]) -> tuple[float, ...]:
    """How often its authors were listed, all together and the most frequent; how many were; how many there are."""
    times = [seen[name] for name in authors]
    return (
        math.log1p(sum(times)),
        math.log1p(max(times, default=0)),
        sum(map(bool, times)) / max(1, len(times)),
        math.log1p(len(authors)),
    )


def measure(papers: Sequence[Announced], between: tuple[date, date], strength: float) -> dict[str, Any]:
    """How well each day's papers are put in order by what was known that morning.

    Days without a paper that was listed, or with fewer than twenty papers, are left out.
    """
    table = Table(papers)
    found, size = [], 0
    for day in sorted({paper.day for paper in papers if between[0] <= paper.day <= between[1]}):
        today = np.array([number for number, paper in enumerate(papers) if paper.day == day])
        past = np.array([number for number, paper in enumerate(papers) if paper.day + WAIT < day])
        truth = table.listed[today]
        if len(today) < PLACES or not truth.any():
            continue
        size += len(today)
        both = (table.foretell(past, today, strength), table.foretell_naively(past, today))
        found.append([truth.mean(), *(figure for scores in both for figure in _figures(scores, truth))])
    figures = np.array(found)
    chance, auc, precision, naive_auc, naive_precision = figures.T
    return {
        "auc": _mean(auc),
        "auc_interval": interval(auc),
        "precision_at_20": _mean(precision),
        "precision_at_20_interval": interval(precision),
        "baseline_precision_at_20": _mean(chance),
        "precision_at_20_gain_interval": interval(precision - chance),
        "naive_bayes_auc": _mean(naive_auc),
        "naive_bayes_precision_at_20": _mean(naive_precision),
        "auc_gain_over_naive_bayes_interval": interval(auc - naive_auc),
        "precision_at_20_gain_over_naive_bayes_interval": interval(precision - naive_precision),
        "days": len(figures),
        "papers": size,
        "first_day": between[0].isoformat(),
        "last_day": between[1].isoformat(),
    }


class Table:
    """What is counted in each paper, independent of all others, so that nothing of later days gets into it."""

    def __init__(self, papers: Sequence[Announced]) -> None:
        words = HashingVectorizer(
            n_features=2**19, ngram_range=(1, 2), stop_words="english", norm=None, alternate_sign=False
        )
        names = HashingVectorizer(n_features=2**18, analyzer=list, norm=None, alternate_sign=False)
        self.titles = words.transform(paper.title for paper in papers)
        self.abstracts = words.transform(paper.abstract for paper in papers)
        self.authors = names.transform(paper.authors for paper in papers)
        self.history = np.array([paper.history for paper in papers])
        self.listed = np.array([paper.is_listed for paper in papers])

    def foretell(self, past: Any, today: Any, strength: float) -> Any:
        """Chances of today's papers, learnt from the past ones."""
        sides: list[list[Any]] = [[], []]
        for counts in (self.titles, self.abstracts, self.authors):
            weigh = TfidfTransformer(sublinear_tf=True).fit(counts[past])
            for side, rows in zip(sides, (past, today), strict=True):
                side.append(weigh.transform(counts[rows]))
        mean, spread = self.history[past].mean(axis=0), self.history[past].std(axis=0)
        for side, rows in zip(sides, (past, today), strict=True):
            side.append(csr_matrix((self.history[rows] - mean) / spread / 2))
        model = LogisticRegression(C=strength, solver="liblinear").fit(hstack(sides[0]).tocsr(), self.listed[past])
        return model.decision_function(hstack(sides[1]).tocsr())

    def foretell_naively(self, past: Any, today: Any) -> Any:
        """The same by Naive Bayes on the words that the past ones have at least five times."""
        counts = self.titles + self.abstracts
        kept = np.flatnonzero(np.asarray(counts[past].sum(axis=0)).ravel() >= 5)
        model = MultinomialNB().fit(counts[past][:, kept], self.listed[past])
        return np.diff(model.predict_joint_log_proba(counts[today][:, kept])).ravel()


def _figures(scores: Any, truth: Any) -> tuple[float, float]:
    """Area under the curve, and the share of the first twenty that were listed."""
    first = np.argsort(-scores, kind="stable")[:PLACES]
    return float(roc_auc_score(truth, scores)), float(truth[first].mean())


def interval(values: Any) -> list[float]:
    """From where to where their mean lies in 95 % of samples of as many days, drawn with return."""
    random = np.random.default_rng(1)
    means = values[random.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    return [round(float(bound), 4) for bound in np.percentile(means, (2.5, 97.5))]


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 4)


if __name__ == "__main__":
    main()
