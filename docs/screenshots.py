"""Photograph HTML files: one PNG for each file, width and colour scheme.

    python docs/screenshots.py mail.html --out /tmp/shots --width 640 --width 360

Needs Chromium and nothing else; talks to it through its debugging pipe, so that narrow widths and the reader's colour
scheme are real. Nothing is fetched from the network: each file is opened from disk, offline.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class Browser:
    """Chromium behind its debugging pipe: JSON messages that end in NUL, on its file descriptors 3 and 4."""

    def __init__(self, program: str, profile: str) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def place_pipes() -> None:
            # Moved out of the way first: one may sit where the other belongs.
            ends = os.dup(to_browser), os.dup(from_browser)
            for place, end in zip((3, 4), ends, strict=True):
                os.dup2(end, place)

        self._process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=place_pipes,  # noqa: PLW1509 - there are no threads here
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._id = 0
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.page("Page.enable")
        self.page("Network.enable")
        self.page("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)

    def ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        self._id += 1
        message = {"id": self._id, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def page(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command to the page."""
        return self.ask(method, self._session, **params)

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self.page("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.page("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def close(self) -> None:
        """End the browser."""
        self.ask("Browser.close")
        self._process.wait(timeout=30)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise RuntimeError("Chromium ended by itself")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


def photograph(
    browser: Browser, file: Path, width: int, height: int | None, scheme: str, target: Path, scale: float
) -> None:
    """Take the page at this width, from its top down to this height or to its end."""
    metrics = {"width": width, "deviceScaleFactor": scale, "mobile": False}
    browser.page("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.page("Emulation.setDeviceMetricsOverride", height=800, **metrics)
    browser.open(file.absolute().as_uri())
    if not browser.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches"):
        raise RuntimeError(f"Chromium does not show the {scheme} scheme")
    overflow = browser.evaluate("document.documentElement.scrollWidth") - width
    height = height or browser.evaluate("document.documentElement.scrollHeight")
    browser.page("Emulation.setDeviceMetricsOverride", height=height, **metrics)
    picture = browser.page("Page.captureScreenshot", format="png")
    target.write_bytes(base64.b64decode(picture["data"]))
    print(f"{target}  {width}×{height} {scheme}" + (f"  OVERFLOWS by {overflow} px" if overflow > 0 else ""))


def main() -> None:
    """Read the arguments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--width", type=int, action="append", help="in CSS pixels; may be given more than once")
    parser.add_argument("--height", type=int, help="in CSS pixels; the whole page if not given")
    parser.add_argument("--scheme", choices=("light", "dark"), action="append")
    parser.add_argument("--scale", type=float, default=1.0, help="picture pixels for one CSS pixel")
    parser.add_argument("--browser", default="chromium")
    args = parser.parse_args()

    program = shutil.which(args.browser)
    if program is None:
        parser.error(f"{args.browser} is not installed")
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            for file in args.files:
                for width in args.width or (640, 360):
                    for scheme in args.scheme or ("light", "dark"):
                        target = args.out / f"{file.stem}-{width}-{scheme}.png"
                        photograph(browser, file, width, args.height, scheme, target, args.scale)
        finally:
            browser.close()


if __name__ == "__main__":
    main()
