"""What searches of real reviewers find once they are imported, among the titles of what their reviews included.

Only titles are recorded, and the searches were written for titles, abstracts and an index: most titles lack a part of
their own search, and recall is low for that reason alone. What counts is that each miss can be told by a word that is
not there. A second, simpler reading of the words (`_holds`) checks that: a miss is unexplained if that finds the part.
"""

import argparse
import gzip
import json
import os
import re
import statistics
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from digest.match.pubmed import import_pubmed
from digest.match.query import And, Near, Node, Not, Or, Pattern, Query, Word, leaves, print_query
from digest.match.topics import Reading, meets, required
from digest.model import Paper, PaperKey, Signals
from digest.text.fold import fold

DATA = Path(__file__).parents[2] / "shared" / "data"
THEN = datetime(2022, 1, 1, tzinfo=UTC)
STEM = 5
"""Letters that two words share where a person may take them for one; only for the list of doubtful misses."""


def main() -> None:
    """Print how much each search finds of its own titles, and of the others'."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print everything, each miss with its reason included")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DIGEST_REAL_DATA", DATA)))
    options = parser.parse_args()
    result = measure(options.data / "boolean-queries" / "sysrev-seed")
    if options.json:
        json.dump(result, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    for one in result["per_query"]:
        sys.stdout.write(
            f"{one['id']:>4} recall {one['recall'] if one['recall'] is not None else '-':>6}  ({one['hit']} of"
            f" {one['relevant']} titles)  others' titles: {one['others_hit']}, of which PubMed's too:"
            f" {one['others_hit_by_pubmed']}\n"
        )
    keys = ("queries", "imported", "titles", "mean_recall", "median_recall", "misses", "unexplained_misses")
    sys.stdout.write("".join(f"{key:20} {result[key]}\n" for key in (*keys, "doubtful_misses")))


def measure(folder: Path) -> dict[str, Any]:
    """Import every search, and ask it for every title."""
    with (folder / "overall_collection.jsonl").open(encoding="utf-8") as file:
        reviews = [json.loads(line) for line in file]
    titles: dict[str, str] = json.loads((folder / "pmid_titles.json").read_text(encoding="utf-8"))
    retrieved = _read_retrieved(folder / "candidate_documents.res.gz")
    readings = {pmid: Reading(_paper(pmid, title)) for pmid, title in titles.items()}
    per_query = []
    for review in reviews:
        try:
            query = import_pubmed(review["query"]).query
        except ValueError as exc:
            per_query.append({"id": review["id"], "error": str(exc)})
            continue
        included = set(review["included_studies"])
        per_query.append(_measure_one(review["id"], query, included, readings, retrieved[review["id"]]))
    imported = [one for one in per_query if "error" not in one]
    recalls = [one["recall"] for one in imported if one["recall"] is not None]
    return {
        "queries": len(reviews),
        "imported": len(imported),
        "titles": len(titles),
        "mean_recall": round(statistics.mean(recalls), 4),
        "median_recall": round(statistics.median(recalls), 4),
        "misses": sum(len(one["misses"]) for one in imported),
        "unexplained_misses": sum(miss["unexplained"] for one in imported for miss in one["misses"]),
        "doubtful_misses": sum(miss["doubtful"] for one in imported for miss in one["misses"]),
        "per_query": per_query,
    }


def _measure_one(
    name: str, query: Query, included: set[str], readings: dict[str, Reading], retrieved: set[str]
) -> dict[str, Any]:
    own = sorted(included & readings.keys())
    hits = {pmid for pmid, reading in readings.items() if meets(query.wants, reading)}
    others = hits - included
    return {
        "id": name,
        "relevant": len(own),
        "hit": len(hits & included),
        "recall": round(len(hits & included) / len(own), 4) if own else None,
        "others_hit": len(others),
        "others_hit_by_pubmed": len(others & retrieved),
        "others": {pmid: readings[pmid].paper.title for pmid in sorted(others - retrieved)},
        "misses": [_explain_miss(query, readings[pmid]) for pmid in own if pmid not in hits],
    }


def _explain_miss(query: Query, reading: Reading) -> dict[str, Any]:
    title = reading.paper.title
    missed = [part for part in required(query) if not meets(part, reading)]
    lacks = [lack for part in missed for lack in _find_lacks(part, reading)]
    return {
        "pmid": reading.paper.key,
        "title": title,
        "lacks": [_say_lack(lack) for lack in lacks],
        "unexplained": not lacks or any(_holds(part, title, stem=None) for part in (*missed, *lacks)),
        # Every part that is missed has a word in the title that begins as one of its own.
        "doubtful": all(_holds(part, title, stem=STEM) for part in missed),
    }


def _find_lacks(part: Node, reading: Reading) -> list[Node]:
    """What is not there, of a part that is not met: of several ways to meet it, the one that lacks least."""
    match part:
        case And(parts):
            return [lack for each in parts if not meets(each, reading) for lack in _find_lacks(each, reading)]
        case Or(parts):
            begun = [each for each in parts if isinstance(each, And) and any(meets(one, reading) for one in each.parts)]
            return min((_find_lacks(each, reading) for each in begun), key=len, default=[part])
        case _:
            return [part]


def _say_lack(part: Node) -> str:
    if isinstance(part, Not):
        return f"holds what is excluded by {print_query(Query(part.part))[:80]}"
    words = [print_query(Query(leaf)) for leaf in leaves(part)]
    return f"none of {len(words)} terms: {', '.join(words[:4])}{' …' if len(words) > 4 else ''}"


def _holds(node: Node, title: str, *, stem: int | None) -> bool:
    """Whether the title holds what the node asks for, by comparing words one by one.

    Args:
        node: Part of a query.
        title: The text.
        stem: How many letters must be equal; None for all but the s of a plural.
    """
    match node:
        case And(parts):
            return all(_holds(part, title, stem=stem) for part in parts)
        case Or(parts):
            return any(_holds(part, title, stem=stem) for part in parts)
        case Not(part):
            return not _holds(part, title, stem=None)
        case Word(text):
            return _holds_phrase(text, title, stem)
        case Near((one, other)):
            return _holds_phrase(one, title, stem) and _holds_phrase(other, title, stem)
        case Pattern(regex):
            return bool(re.search(regex.replace(r"[\pL\pN]", r"\w"), title, re.IGNORECASE))
        case _:
            return False


def _holds_phrase(phrase: str, title: str, stem: int | None) -> bool:
    wanted, words = ([fold(word) for word in re.findall(r"\w+\*?", text)] for text in (phrase, title))
    places = range(len(words) - len(wanted) + 1)
    return any(all(_same(a, b, stem) for a, b in zip(wanted, words[at:], strict=False)) for at in places)


def _same(wanted: str, word: str, stem: int | None) -> bool:
    if wanted.endswith("*"):
        return word.startswith(wanted[:-1])
    if stem is None:
        return wanted.removesuffix("s") == word.removesuffix("s")
    return wanted[:stem] == word[:stem]


def _paper(pmid: str, title: str) -> Paper:
    return Paper(
        key=PaperKey(pmid),
        title=title,
        abstract="",
        authors=(),
        categories=(),
        links=(),
        published=THEN,
        first_seen=THEN,
        signals=Signals(),
        sources=(),
    )


def _read_retrieved(path: Path) -> dict[str, set[str]]:
    """What PubMed answered to each search, when it was asked with its dates: lines of ``43 0 31157619 0 0 x``."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        name, _, pmid, *_ = line.split()
        found[name].add(pmid)
    return found


if __name__ == "__main__":
    main()
