import os
import re
import sys
from pathlib import Path

import pytest

from digest.config.settings import Settings
from digest.errors import ConfigError
from digest.preview.browser import BrowserError, find_chromium, open_browser, photograph
from digest.preview.frame import Conditions, show_under
from digest.preview.matrix import CONDITIONS, WIDTHS, draw_matrix
from digest.preview.studio import Studio, Wish
from tests.builders import NOW


@pytest.fixture(scope="module")
def chromium() -> str:
    try:
        return find_chromium(os.environ.get("DIGEST_CHROMIUM"))
    except ConfigError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def test_every_variant_has_its_picture(chromium: str, tmp_path: Path) -> None:
    studio = Studio(Settings.model_construct(subscribers=tmp_path / "none.yaml"), lambda: NOW)
    message = studio.show(Wish(template="confirm")).message

    shots = list(draw_matrix({"confirm": message}, tmp_path / "shots", chromium))

    assert len(shots) == len(WIDTHS) * len(CONDITIONS) * 2
    page = (tmp_path / "shots" / "index.html").read_text()
    for shot in shots:
        picture = (tmp_path / "shots" / shot.name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert int.from_bytes(picture[16:20], "big") == shot.width
        assert f'src="{shot.name}"' in page
    assert len(re.findall("<img", page)) == len(shots)


def test_a_page_that_is_too_wide_is_said_so(chromium: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><body style='margin:0'><p style='width:500px'>wide")

    with open_browser(chromium) as browser:
        narrow = photograph(browser, page, tmp_path / "narrow.png", width=360, scheme="light")
        wide = photograph(browser, page, tmp_path / "wide.png", width=640, scheme="dark")

    assert (narrow, wide) == (140, 0)


def test_a_long_week_is_no_wider_than_a_phone_without_css(chromium: str, tmp_path: Path) -> None:
    studio = Studio(Settings.model_construct(subscribers=tmp_path / "none.yaml"), lambda: NOW)
    message = studio.show(Wish(template="weekly", language="pt", papers="everything")).message
    page = tmp_path / "page.html"
    page.write_text(show_under(message.html, Conditions(css=False)), encoding="utf-8")

    with open_browser(chromium) as browser:
        assert photograph(browser, page, tmp_path / "page.png", width=360, scheme="light") == 0


def test_a_browser_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="there is no program 'netscape'"):
        find_chromium("netscape")


def test_a_program_that_is_no_browser_is_found_out() -> None:
    with pytest.raises(BrowserError, match="it ended by itself"), open_browser(find_chromium("true")):
        pass


def a_program(folder: Path, text: str) -> str:
    program = folder / "browser"
    program.write_text(text)
    program.chmod(0o755)
    return str(program)


def test_a_browser_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    stuck = a_program(tmp_path, "#!/bin/sh\nexec sleep 60\n")

    with pytest.raises(BrowserError, match=r"it said nothing for 0\.2 seconds"), open_browser(stuck, 0.2):
        pass


QUICK = """\
import json, os, sys
for message in iter(lambda: b"".join(iter(lambda: os.read(3, 1), b"\\0")), b""):
    asked = json.loads(message)
    if asked["method"] == "Page.navigate":
        os.write(4, json.dumps({"method": "Page.loadEventFired"}).encode() + b"\\0")
    os.write(4, json.dumps({"id": asked["id"], "result": {"targetId": "t", "sessionId": "s"}}).encode() + b"\\0")
"""


def test_a_page_may_be_loaded_before_the_browser_says_that_it_opens_it(tmp_path: Path) -> None:
    quick = a_program(tmp_path, f"#!{sys.executable}\n{QUICK}")

    with open_browser(quick, 2) as browser:
        browser.open("about:blank")
        browser.open("about:blank")
