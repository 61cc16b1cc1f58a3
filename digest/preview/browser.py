"""Chromium for pictures: talks to it through its debugging pipe, so that narrow widths and the scheme are real."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from digest.errors import ConfigError, DigestError

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
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


PATIENCE_S: Final = 30.0
"""So long one answer may take."""


class BrowserError(DigestError):
    """Chromium does not do what it is told."""


_GONE: Final = BrowserError("it ended by itself", where="Chromium", hint="start it by hand to see why")


def find_chromium(program: str | None = None) -> str:
    """The path of Chromium: the program that is named, or the first of its usual names that is installed.

    Raises:
        ConfigError: There is none.
    """
    for name in (program,) if program else _NAMES:
        if found := shutil.which(name):
            return found
    raise ConfigError(
        f"there is no program '{program}'" if program else f"none of {', '.join(_NAMES)} is installed",
        where="Chromium",
        hint="install chromium, or name the program with --browser or DIGEST_CHROMIUM",
    )


class Browser:
    """Chromium behind its debugging pipe: JSON messages that end in NUL, on its file descriptors 3 and 4.

    It is offline: nothing is fetched from the network.
    """

    def __init__(self, program: str, profile: str, patience_s: float = PATIENCE_S) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def place_pipes() -> None:
            # Moved out of the way first: one may sit where the other belongs.
            ends = os.dup(to_browser), os.dup(from_browser)
            for place, end in zip((3, 4), ends, strict=True):
                os.dup2(end, place)

        self._process = subprocess.Popen(  # noqa: S603 - the operator named it
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
        self._events: deque[dict[str, Any]] = deque(maxlen=1_000)
        """That came while an answer was waited for."""
        self._patience_s = patience_s
        self._id = 0
        try:
            self._session = self._open_tab()
        except BaseException:
            self.kill()
            raise

    def _open_tab(self) -> str:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = str(self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        self.ask("Page.enable", session)
        self.ask("Network.enable", session)
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.ask("Network.emulateNetworkConditions", session, **offline)
        return session

    def ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer.

        Raises:
            BrowserError: It refuses, is gone, or says nothing for too long.
        """
        self._id += 1
        message = {"id": self._id, "method": method, "params": params} | ({"sessionId": session} if session else {})
        try:
            os.write(self._write, json.dumps(message).encode() + b"\0")
        except OSError as exc:
            raise _GONE from exc
        until = time.monotonic() + self._patience_s
        while (answer := self._next(until)).get("id") != self._id:
            self._events.append(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}", where="Chromium")
        result: dict[str, Any] = answer["result"]
        return result

    def page(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command to the page."""
        return self.ask(method, self._session, **params)

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self._events.clear()
        self.page("Page.navigate", url=url)
        until = time.monotonic() + self._patience_s
        while (self._events.popleft() if self._events else self._next(until)).get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.page("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def close(self) -> None:
        """End the browser, by force if it does not listen."""
        with suppress(BrowserError, subprocess.TimeoutExpired):
            self.ask("Browser.close")
            self._process.wait(self._patience_s)
        self.kill()

    def kill(self) -> None:
        """End it whatever it is doing."""
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], max(until - time.monotonic(), 0))[0]:
                raise BrowserError(
                    f"it said nothing for {self._patience_s:g} seconds",
                    where="Chromium",
                    hint="start it by hand to see why",
                )
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise _GONE
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def open_browser(program: str, patience_s: float = PATIENCE_S) -> Iterator[Browser]:
    """A browser with a profile of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile, patience_s)
        try:
            yield browser
        except BaseException:
            browser.kill()
            raise
        browser.close()


def photograph(
    browser: Browser, file: Path, target: Path, *, width: int, scheme: str, height: int | None = None, scale: float = 1
) -> int:
    """Take a picture of an HTML file, as PNG.

    Args:
        browser: Takes it.
        file: What to show.
        target: Where the picture goes.
        width: In CSS pixels.
        scheme: ``light`` or ``dark``: what the reader prefers.
        height: In CSS pixels, from the top; the whole page if not given.
        scale: Picture pixels for one CSS pixel.

    Returns:
        By how many CSS pixels the page is wider than the window; 0 if it is not.

    Raises:
        BrowserError: Chromium cannot.
    """
    metrics = {"width": width, "deviceScaleFactor": scale, "mobile": False}
    browser.page("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.page("Emulation.setDeviceMetricsOverride", height=800, **metrics)
    browser.open(file.absolute().as_uri())
    if not browser.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches"):
        raise BrowserError(f"it does not show the {scheme} scheme", where="Chromium")
    overflow = browser.evaluate("document.documentElement.scrollWidth") - width
    height = height or browser.evaluate("document.documentElement.scrollHeight")
    browser.page("Emulation.setDeviceMetricsOverride", height=height, **metrics)
    picture = browser.page("Page.captureScreenshot", format="png")
    target.write_bytes(base64.b64decode(picture["data"]))
    return max(int(overflow), 0)
