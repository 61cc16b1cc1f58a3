"""How many links of abstracts are found, and how many of those found are right, against a truth checked by hand.

``links_truth.json`` holds three sets. ``pages``: every abstract of ``pages/daily-papers-pages.jsonl``, by a digest of
its title; those that are not listed have no link. ``arxiv``: abstracts with unusual addresses, by arXiv id; rules were
written with them in view. ``held_out``: drawn and judged after the rules were written.

What a repository holds does not change its kind: a link to a forge is code, one to ``*.github.io`` a project page.
"""

import argparse
import gzip
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from digest.model import LinkKind
from digest.text.links import find_links

TRUTH = Path(__file__).with_name("links_truth.json")
DATA = Path(__file__).parents[2] / "shared" / "data"
KINDS = (LinkKind.CODE, LinkKind.PROJECT, LinkKind.DATASET, LinkKind.MODEL)

Found = set[tuple[str, str]]


def main() -> None:
    """Print precision and recall of each set and kind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print everything, the misses included")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DIGEST_REAL_DATA", DATA)))
    options = parser.parse_args()
    truth = json.loads(TRUTH.read_text())
    pages = {_digest(page["title"]): page["abstract"] for page in _pages(options.data)}
    wanted = {arxiv_id for name in ("arxiv", "held_out") for arxiv_id in truth[name]}
    abstracts = {arxiv_id: text for arxiv_id, text in _abstracts(options.data) if arxiv_id in wanted}
    result = {
        "pages": measure(pages, truth["pages"]),
        "arxiv": measure({key: abstracts[key] for key in truth["arxiv"]}, truth["arxiv"]),
        "held_out": measure({key: abstracts[key] for key in truth["held_out"]}, truth["held_out"]),
    }
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for name, figures in result.items():
        for kind in KINDS:
            one = figures[kind.value]
            sys.stdout.write(
                f"{name:9} {kind.value:8} precision {one['precision']:.3f}  recall {one['recall']:.3f}"
                f"  ({one['right']} of {one['expected']} expected, {one['found']} found)\n"
            )


def measure(texts: dict[str, str], truth: dict[str, list[list[str]]]) -> dict[str, Any]:
    """Compare what is found in each text with what is there, kind by kind."""
    found = {(key, link.kind.value, _same(link.url)) for key, text in texts.items() for link in find_links(text)}
    expected = {(key, kind, _same(url)) for key, links in truth.items() for kind, url in links}
    figures: dict[str, Any] = {"texts": len(texts)}
    for kind in KINDS:
        got = {link for link in found if link[1] == kind}
        due = {link for link in expected if link[1] == kind}
        figures[kind.value] = {
            "expected": len(due),
            "found": len(got),
            "right": len(got & due),
            "precision": round(len(got & due) / len(got), 4) if got else 1.0,
            "recall": round(len(got & due) / len(due), 4) if due else 1.0,
            "missed": sorted(f"{key} {url}" for key, _, url in due - got),
            "wrong": sorted(f"{key} {url}" for key, _, url in got - due),
        }
    return figures


def _same(url: str) -> str:
    return url.partition("://")[2].removeprefix("www.").rstrip("/").lower()


def _digest(title: str) -> str:
    return hashlib.sha256(title.encode()).hexdigest()[:12]


def _pages(data: Path) -> Iterator[dict[str, Any]]:
    with (data / "pages" / "daily-papers-pages.jsonl").open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _abstracts(data: Path) -> Iterator[tuple[str, str]]:
    """Hugging Face's first: where both have a paper, arXiv's text counts."""
    for path in sorted((data / "hf-daily" / "raw").glob("*.json.gz")):
        items = json.loads(gzip.decompress(path.read_bytes()))
        for item in items if isinstance(items, list) else ():
            paper = item.get("paper") if isinstance(item, dict) else None
            if isinstance(paper, dict) and isinstance(paper.get("summary"), str):
                yield str(paper.get("id")), paper["summary"]
    for path in sorted((data / "arxiv-rss" / "days").glob("*.json.gz"), reverse=True):
        for feed in json.loads(gzip.decompress(path.read_bytes())).values():
            for entry in feed["entries"]:
                prefix = re.match(
                    r"\s*arXiv:(\S+?)(?:v\d+)?\s+Announce Type:\s*\S+\s+(?:Abstract:\s*)?", entry["summary"]
                )
                if prefix:
                    yield prefix[1], entry["summary"][prefix.end() :]


if __name__ == "__main__":
    main()
