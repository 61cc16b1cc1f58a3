"""How fast LaTeX becomes text, as a ratio to pylatexenc alone on the same texts in the same run.

Each text is converted once by either side, in turns, so that a slow moment of the machine meets both. pylatexenc gets a
converter that is built once, as ours is. Only the ratio can be compared between machines.
"""

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pylatexenc.latex2text import LatexNodes2Text

from digest.text.latex import latex_to_text

DATA = Path(__file__).parents[2] / "shared" / "data"
DAYS = 4
BLOCK = 200


def main() -> None:
    """Measure titles, lines of authors and abstracts of the last recorded days."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DIGEST_REAL_DATA", DATA)))
    options = parser.parse_args()
    entries = _entries(options.data)
    plain = LatexNodes2Text().latex_to_text
    result = {}
    for name in ("title", "author", "summary"):
        texts = sorted({entry[name] for entry in entries})
        result[name] = measure(texts, plain)
        result[f"{name} with LaTeX"] = measure([text for text in texts if "\\" in text or "$" in text], plain)
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for name, figures in result.items():
        sys.stdout.write(
            f"{name:19} {figures['texts']:5} texts  {figures['texts_per_s']:8,.0f} a second"
            f"  {figures['ratio']:6.2f} times pylatexenc, which failed on {figures['pylatexenc_failed']}\n"
        )


def measure(texts: list[str], plain: Callable[[str], str]) -> dict[str, float]:
    """Convert all texts by both, block by block in turns."""
    latex_to_text(r"$\alpha$")
    ours = theirs = 0.0
    failed = 0
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        began = time.perf_counter()
        for text in block:
            latex_to_text(text)
        between = time.perf_counter()
        for text in block:
            try:
                plain(text)
            except Exception:  # noqa: BLE001  counted: it raises whatever its parsing runs into
                failed += 1
        theirs += time.perf_counter() - between
        ours += between - began
    return {
        "texts": len(texts),
        "texts_per_s": round(len(texts) / ours, 1),
        "pylatexenc_texts_per_s": round(len(texts) / theirs, 1),
        "ratio": round(theirs / ours, 3),
        "pylatexenc_failed": failed,
    }


def _entries(data: Path) -> list[dict[str, Any]]:
    days = sorted((data / "arxiv-rss" / "days").glob("*.json.gz"))[-DAYS:]
    feeds = [feed for day in days for feed in json.loads(gzip.decompress(day.read_bytes())).values()]
    return [entry for feed in feeds for entry in feed["entries"]]


if __name__ == "__main__":
    main()
