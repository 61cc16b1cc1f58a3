"""How well a paper's votes some days later are foretold in its first hours, against ranking by the votes it has.

On the lists of Hugging Face Daily Papers as they were in the first morning, 07:50 UTC, and the votes two to eight days
later. `--fit` prints the figures of digest/rank/trending.py, made from the earlier days alone. Without it, its
`expected_notice` is measured on the later days, and so is the candidate: what weighs most that is known of a paper in
those hours, with weights from the earlier days. See docs/trending.md.
"""

import argparse
import csv
import gzip
import json
import math
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from digest.collect.sources import HuggingFace
from digest.merge import merge_entry
from digest.model import LinkKind, Observation, Paper, PaperKey
from digest.ports import Page
from digest.rank.trending import MANY, expected_notice

DATA = Path(__file__).parents[2] / "shared" / "data"
SPLIT = "2025-10-01"
HORIZON_DAYS = (2.0, 8.0)
FEWEST_PAPERS = 5
FOLDS = 8
RIDGE = 3.0
RESAMPLES = 10_000
SOURCE = HuggingFace()
HOUR = timedelta(hours=1)

Floats = NDArray[np.float64]
Score = Callable[["Early"], float]


@dataclass(frozen=True)
class Early:
    """A paper as it was in its first morning, and what became of it."""

    date: str
    paper: Paper
    at: datetime
    """When it was read."""
    listed_at: datetime
    """When it was put on the day's list."""
    later: int
    """Its votes then."""
    later_at: datetime
    horizon_days: float

    @property
    def votes(self) -> int:
        """What it has in that morning."""
        return self.paper.signals.upvotes or 0

    @property
    def growth(self) -> float:
        """Of the logarithm of its votes, until they were counted again."""
        return math.log1p(self.later) - math.log1p(self.votes)

    def watched_h(self, *, hourly: bool) -> float:
        """How long we would know it by then, if its list was read at every full hour, or but this once."""
        first = self.listed_at.replace(minute=0, second=0, microsecond=0) + HOUR
        return max(0.0, (self.at - first) / HOUR) if hourly else 0.0

    def expected(self) -> float:
        """What the product expects of it."""
        known = Observation(self.paper.key, SOURCE.name, self.at, self.paper.signals)
        return expected_notice(self.paper, [known], self.at)


FEATURES: dict[str, Callable[[Early, bool], float]] = {
    "votes": lambda each, _: math.log(5 + each.votes),
    "hours on the list": lambda each, hourly: math.log1p(each.watched_h(hourly=hourly)),
    "hours since publication": lambda each, _: math.log(max(1.0, (each.at - each.paper.published) / HOUR)),
    "authors": lambda each, _: math.log1p(len(each.paper.authors)),
    "stars": lambda each, _: math.log1p(each.paper.signals.stars or 0),
    "project page": lambda each, _: float(each.paper.link(LinkKind.PROJECT) is not None),
    "comments": lambda each, _: math.log1p(each.paper.signals.comments or 0),
    "code is stated": lambda each, _: float(each.paper.link(LinkKind.CODE) is not None),
    "length of title": lambda each, _: len(each.paper.title) / 100,
    "length of abstract": lambda each, _: math.log1p(len(each.paper.abstract)),
}
"""All that a paper in the store may tell."""
CANDIDATE = tuple(FEATURES)[:6]
"""The choice that gains most on the earlier days, by `--fit`."""


def main() -> None:
    """Measure or fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--fit", action="store_true", help="fit the weights on the earlier days and print them instead")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DIGEST_REAL_DATA", DATA)))
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"no recorded data at {options.data}; name its folder with --data or DIGEST_REAL_DATA")
    papers = read_papers(options.data)
    figures = fit(papers) if options.fit else measure(papers)
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{name:32} {value}\n" for name, value in figures.items())


def read_papers(data: Path) -> list[Early]:
    """Every paper whose later votes are known."""
    days = defaultdict(list)
    with gzip.open(data / "hf-daily" / "votes_early_late.csv.gz", "rt", encoding="utf-8") as file:
        for each in csv.DictReader(file):
            days[each["date"]].append(each)
    return [paper for day, some in sorted(days.items()) for paper in _read_day(data, day, some)]


def _read_day(data: Path, day: str, rows: Iterable[dict[str, str]]) -> Iterable[Early]:
    body = gzip.decompress((data / "hf-daily" / "raw" / f"{day}.json.gz").read_bytes())
    listed = {item["paper"]["id"]: item["paper"]["submittedOnDailyAt"] for item in json.loads(body)}
    entries = {entry.key: entry for entry in SOURCE.parse(Page("https://huggingface.co/", body)).entries}
    for row in rows:
        entry = entries[PaperKey(f"arxiv:{row['paper_id']}")]
        at = _time(row["early_utc"])
        yield Early(
            date=day,
            paper=merge_entry(None, entry, SOURCE.name, at),
            at=at,
            listed_at=_time(listed[row["paper_id"]]),
            later=int(row["late_upvotes"]),
            later_at=_time(row["late_utc"]),
            horizon_days=float(row["horizon_days"]),
        )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def evaluated(papers: Iterable[Early]) -> list[list[Early]]:
    """The papers of each day whose votes were counted again after two to eight days; days with fewer than five of
    them are left out.
    """
    days = defaultdict(list)
    for paper in papers:
        if HORIZON_DAYS[0] <= paper.horizon_days <= HORIZON_DAYS[1]:
            days[paper.date].append(paper)
    return [some for _, some in sorted(days.items()) if len(some) >= FEWEST_PAPERS]


def taught(papers: Iterable[Early]) -> list[Early]:
    """Papers whose votes were counted again before the split, whenever that was."""
    end = datetime.fromisoformat(f"{SPLIT}T00:00+00:00")
    return [paper for paper in papers if paper.later_at < end]


def measure(papers: Sequence[Early]) -> dict[str, Any]:
    """How well the later votes of each day from the split on are foretold."""
    days = evaluated(paper for paper in papers if paper.date >= SPLIT)
    baseline = figures_of(days, lambda each: each.votes)
    weights = solve(taught(papers), CANDIDATE)
    figures: dict[str, Any] = {"baseline_spearman": _mean(baseline[:, 0]), "baseline_p_at_3": _mean(baseline[:, 1])}
    scores: dict[str, Score] = {
        "": Early.expected,
        "candidate_": lambda each: float(row(each, CANDIDATE) @ weights),
        "candidate_one_poll_": lambda each: float(row(each, CANDIDATE, hourly=False) @ weights),
    }
    for name, score in scores.items():
        found = figures_of(days, score)
        intervals = gain_intervals(found - baseline)
        figures |= {
            f"{name}spearman": _mean(found[:, 0]),
            f"{name}spearman_gain_interval": intervals[0],
            f"{name}p_at_3": _mean(found[:, 1]),
            f"{name}p_at_3_gain_interval": intervals[1],
            f"{name}beats_baseline": all(low > 0 for low, _ in intervals),
        }
    counted = [each for day in days for each in day]
    errors = np.array([math.log1p(each.later) - each.expected() for each in counted])
    return figures | {
        "mean_error": _mean(errors),
        "absolute_error": _mean(np.abs(errors)),
        "baseline_absolute_error": _mean(np.abs([each.growth for each in counted])),
        "days": len(days),
        "papers": len(counted),
        "first_day": counted[0].date,
        "last_day": counted[-1].date,
    }


def figures_of(days: Sequence[Sequence[Early]], score: Score) -> Floats:
    """Spearman and P@3 of each day."""
    return np.array([_figures([score(each) for each in day], [each.later for each in day]) for day in days])


def _figures(scores: Sequence[float], later: Sequence[int]) -> tuple[float, float]:
    given, true = np.round(scores, 9), np.array(later)
    return spearman(given, true), precision(given, true)


def spearman(scores: Floats, later: NDArray[Any]) -> float:
    """Of ties, each has the mean of their ranks; 0 if all are tied."""
    first, second = rankdata(scores), rankdata(later)
    if not (first.std() and second.std()):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def precision(scores: Floats, later: NDArray[Any], places: int = 3) -> float:
    """How many of the first three are among the three with most votes later, or tied with the third of them; where the
    third place is tied, as expected if chance decides.
    """
    right = later >= np.sort(later)[-places]
    last = np.sort(scores)[-places]
    above, tied = scores > last, scores == last
    return float((right[above].sum() + (places - above.sum()) * right[tied].mean()) / places)


def gain_intervals(gains: Floats) -> list[list[float]]:
    """From where to where the mean gain of each column lies in 95 % of samples of as many days, drawn with return."""
    random = np.random.default_rng(1)
    means = gains[random.integers(0, len(gains), (RESAMPLES, len(gains)))].mean(axis=1)
    return [[round(float(bound), 4) for bound in np.percentile(column, (2.5, 97.5))] for column in means.T]


def _mean(values: Floats) -> float:
    return round(float(values.mean()), 4)


def fit(papers: Iterable[Early]) -> dict[str, Any]:
    """The figures of the product, and what cross-validation over days says of each choice of features; from the days
    before the split.
    """
    known = taught(papers)
    days = evaluated(known)
    baseline = figures_of(days, lambda each: each.votes)
    result: dict[str, Any] = {"days": len(days), "papers": sum(map(len, days)), "taught_by": len(known)}
    choices = {
        "candidate": CANDIDATE,
        **{f"without {name}": tuple(other for other in CANDIDATE if other != name) for name in CANDIDATE},
        **{f"with {name}": (*CANDIDATE, name) for name in FEATURES if name not in CANDIDATE},
    }
    for name, chosen in choices.items():
        found = []
        for some in np.array_split(np.arange(len(days)), FOLDS):
            fold = [days[number] for number in some]
            held_out = {day[0].date for day in fold}
            weights = solve([each for each in known if each.date not in held_out], chosen)
            found.append(figures_of(fold, lambda each: float(row(each, chosen) @ weights)))  # noqa: B023  used at once
        gains = np.vstack(found) - baseline
        result[name] = {"gain": [_mean(column) for column in gains.T], "intervals": gain_intervals(gains)}
    weights = solve(known, CANDIDATE)
    result["weights"] = {name: round(float(weight), 3) for name, weight in zip(CANDIDATE, weights, strict=True)}
    return result | fit_growth(known)


def fit_growth(papers: Sequence[Early]) -> dict[str, float]:
    """By how much votes grow, and how soon that ends: from the growth of papers with 2 to 24 votes within 16 hours,
    over that within four to eight days.
    """
    counted = [each for each in papers if HORIZON_DAYS[0] <= each.horizon_days <= HORIZON_DAYS[1]]
    slope, level = np.polyfit(
        [math.log1p(min(each.votes, MANY)) for each in counted], [each.growth for each in counted], 1
    )

    def mean_growth(shortest: float, longest: float) -> float:
        some = [each for each in papers if shortest <= each.horizon_days < longest and 2 <= each.votes < 25]
        return float(np.mean([each.growth for each in some]))

    to_come = 1 - mean_growth(0.6, 0.7) / mean_growth(4.0, 8.0)
    return {"GROWTH": round(level, 2), "DROP": round(-slope, 2), "FADE_H": round(-0.68 * 24 / math.log(to_come))}


def row(early: Early, chosen: Iterable[str], *, hourly: bool = True) -> Floats:
    """These features of a paper."""
    return np.array([FEATURES[name](early, hourly) for name in chosen])


def solve(papers: Iterable[Early], chosen: Sequence[str]) -> Floats:
    """Weights of a ridge regression on how papers differ from the others of their day and horizon, in units of each
    feature's spread: what they share, such as how long the votes had to come, decides no order.
    """
    groups = defaultdict(list)
    for each in papers:
        groups[each.date, each.horizon_days].append(each)
    given, wanted = [], []
    for group in groups.values():
        values = np.array([row(each, chosen) for each in group])
        later = np.log1p([each.later for each in group])
        given.append(values - values.mean(axis=0))
        wanted.append(later - later.mean())
    table, target = np.vstack(given), np.concatenate(wanted)
    spread = table.std(axis=0)
    table = table / spread
    solved: Floats = np.linalg.solve(table.T @ table + RIDGE * np.eye(len(chosen)), table.T @ target) / spread
    return solved


if __name__ == "__main__":
    main()
