"""Photograph ``digest preview --serve``: the page with a mail of the demo, and the weekly mail of invented papers.

    digest demo --dir var/screenshots --now 2026-11-20T13:00
    python docs/preview_pictures.py var/screenshots --out docs/images --now 2026-11-20T13:00

Needs Chromium; see digest/preview/browser.py. The page is on this machine, and nothing is fetched from elsewhere.
"""

import argparse
import base64
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

from digest.errors import DigestError
from digest.preview.browser import Browser, find_chromium, open_browser

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "subscribers.example.yaml"
SHOWN = "document.getElementById('facts').textContent !== ''"
"""The page has the mail, and has begun to draw it in a frame that it cannot look into."""
PATIENCE_S = 30.0


def main() -> None:
    """Read the arguments, show the page and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="the folder of a demo")
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--now", required=True, help="when the demo was")
    parser.add_argument("--browser", help="the program, if it is not called as usual")
    args = parser.parse_args()

    command = [sys.executable, "-m", "digest", "preview", "Vision group", "--serve", "--port", "0", "--now", args.now]
    with subprocess.Popen(command, env=environment(args.demo), stdout=subprocess.PIPE, text=True) as server:
        try:
            for target in take_pictures(read_address(server), args.out, args.browser):
                print(target)
        except DigestError as error:
            parser.error(str(error))
        finally:
            server.terminate()


def environment(demo: Path) -> dict[str, str]:
    """That of the example's subscribers with the demo's papers, and of nothing that is set for real mail."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")}
    names = re.findall(r"\$\{(\w+)\}", EXAMPLE.read_text(encoding="utf-8"))
    return {
        **plain,
        **{name: f"{name.lower().replace('_', '-')}@example.org" for name in names},
        "DIGEST_SUBSCRIBERS": str(EXAMPLE),
        "DIGEST_DATABASE_URL": f"sqlite:///{(demo / 'digest.sqlite3').resolve()}",
        "DIGEST_SENDER": "Paperround demo <demo@example.org>",
        "PYTHONUNBUFFERED": "1",
    }


def read_address(server: subprocess.Popen[str]) -> str:
    """Where the page is, as the server says it."""
    for line in server.stdout or ():
        if line.startswith("preview: "):
            return line.removeprefix("preview: ").strip()
    raise SystemExit("digest preview --serve ended by itself")


def take_pictures(address: str, out: Path, program: str | None) -> Iterator[Path]:
    """The page with the mail in it, and the weekly mail alone, with everything that a mail can show.

    Raises:
        DigestError: There is no Chromium, or it cannot.
    """
    with open_browser(find_chromium(program)) as browser:
        online = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        browser.page("Network.emulateNetworkConditions", **online)
        browser.page("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
        resize(browser, 1280, 900)
        browser.open(address)
        stop_at = time.monotonic() + PATIENCE_S
        while not browser.evaluate(SHOWN):
            if time.monotonic() > stop_at:
                raise SystemExit(f"the page showed no mail within {PATIENCE_S:.0f} seconds")
            time.sleep(0.2)
        # Until it is painted.
        time.sleep(3)
        yield write_picture(browser, out / "preview-1280-light.png")
        resize(browser, 640, 1180)
        browser.open(urljoin(address, "/frame?template=weekly&papers=everything&scheme=light"))
        yield write_picture(browser, out / "weekly-640-light.png")


def resize(browser: Browser, width: int, height: int) -> None:
    """Give the page so many CSS pixels."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.page("Emulation.setDeviceMetricsOverride", **size)


def write_picture(browser: Browser, target: Path) -> Path:
    """Write what the page shows, as PNG."""
    target.write_bytes(base64.b64decode(browser.page("Page.captureScreenshot", format="png")["data"]))
    return target


if __name__ == "__main__":
    main()
