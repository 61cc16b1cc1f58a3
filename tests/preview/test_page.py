"""The page in a real browser: what is chosen is shown, and what is saved is shown at once."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import FrameLocator, Page, expect, sync_playwright

from digest.errors import ConfigError
from digest.preview.browser import find_chromium
from tests.cli.home import FRIDAY, Home, a_home, reader

LAYOUT = """\
<mjml lang="en">
  <mj-head>
    <mj-title>{{ mail.title }}</mj-title>
    <mj-style>
      h1 { color: #101010; }
      @media (prefers-color-scheme: dark) { h1 { color: #fafafa !important; } }
      @media (max-width: 400px) { h1 { text-transform: uppercase !important; } }
    </mj-style>
  </mj-head>
  <mj-body>
    <mj-section><mj-column><mj-text>
      <h1>{{ reader.heading }}</h1>
      <p><a href="https://example.org/one">One</a><img src="cid:logo" alt="Our logo"></p>
    </mj-text></mj-column></mj-section>
  </mj-body>
</mjml>
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Readers with a template of their own."""
    with a_home(tmp_path_factory.mktemp("preview") / "home") as home:
        folder = home.folder / "looks" / "ours"
        folder.mkdir(parents=True)
        (folder / "layout.mjml.j2").write_text(LAYOUT)
        (folder / "layout.txt.j2").write_text("Text for {{ reader.name }}\n")
        (folder / "subject.txt.j2").write_text("{{ count }} papers\n")
        home.env |= {"DIGEST_TEMPLATES": str(folder.parent)}
        topics = [{"name": "Everything", "any": ["a", "the"]}]
        home.subscribe(
            *(reader(name, template="ours", topics=topics) for name in ("Ada", "Ben", "Cleo")),
            sources=[{"huggingface": "daily"}],
        )
        yield home


@pytest.fixture(scope="module")
def page(home: Home) -> Iterator[Page]:
    """The page, in a browser that knows nothing but this machine."""
    try:
        program = find_chromium(os.environ.get("DIGEST_CHROMIUM"))
    except ConfigError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with (
        home.running("preview", "Ben", "--serve", "--port", "0", "--now", FRIDAY) as process,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address_of(process))
        yield page
        browser.close()
        assert complaints == []
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")


def address_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    said = process.stdout.readline()
    assert "http://127.0.0.1:" in said, said
    return said.split()[-1]


@pytest.fixture
def mail(page: Page) -> FrameLocator:
    return page.frame_locator("#mail")


def colour(mail: FrameLocator) -> str:
    return str(mail.locator("h1").evaluate("element => getComputedStyle(element).color"))


def test_the_page_shows_what_is_chosen(page: Page, mail: FrameLocator) -> None:
    heading = mail.locator("h1")
    expect(heading).to_contain_text("Ben")
    expect(page.locator("#subject")).to_have_text(re.compile(r"\d+ papers"))

    page.get_by_label("Subscriber").select_option(label="Ada")
    expect(heading).to_contain_text("Ada")

    page.get_by_label("Dark").check()
    expect(heading).to_have_css("color", "rgb(250, 250, 250)")
    page.get_by_label("Light").check()
    expect(heading).to_have_css("color", "rgb(16, 16, 16)")

    page.get_by_label("Phone").check()
    expect(heading).to_have_css("text-transform", "uppercase")
    assert page.locator("#mail").evaluate("frame => frame.getBoundingClientRect().width") == 360

    page.get_by_label("No CSS").check()
    expect(heading).to_have_css("text-transform", "none")
    page.get_by_label("No CSS").uncheck()

    page.get_by_label("No images").check()
    expect(mail.get_by_alt_text("Our logo")).not_to_have_attribute("src", re.compile(""))

    page.get_by_role("tab", name="Links").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("https://example.org/one")
    page.keyboard.press("Home")
    expect(page.get_by_role("tab", name="Mail")).to_be_focused()
    page.get_by_role("tab", name="Checks").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("dir")
    page.get_by_role("tab", name="Text").click()
    expect(page.get_by_role("tabpanel")).to_have_text("Text for Ada\n")
    page.get_by_role("tab", name="Mail").click()

    page.reload()
    expect(heading).to_contain_text("Ada")
    expect(page.get_by_label("Phone")).to_be_checked()


def test_what_is_saved_is_shown_and_what_is_broken_is_said(home: Home, page: Page, mail: FrameLocator) -> None:
    part = home.folder / "looks" / "ours" / "layout.mjml.j2"
    heading = mail.locator("h1")

    part.write_text(LAYOUT.replace("<h1>", "<h1>Hail "))
    expect(heading).to_contain_text("Hail")

    part.write_text(LAYOUT.replace("{{ reader.heading }}", "{{ raeder.heading }}"))
    expect(page.get_by_role("alert")).to_contain_text("looks/ours/layout.mjml.j2:12")
    expect(page.get_by_role("alert")).to_contain_text("'raeder' is undefined")
    expect(page.locator("#mail")).to_be_hidden()

    part.write_text(LAYOUT)
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(heading).not_to_contain_text("Hail")

    people = home.folder / "subscribers.yaml"
    people.write_text(people.read_text().replace('"name": "Cleo"', '"name": "Cleopatra"'))
    expect(page.get_by_label("Subscriber")).to_contain_text("Cleopatra")


def test_the_mail_is_kept_apart_from_the_page(page: Page, mail: FrameLocator) -> None:
    assert page.locator("#mail").get_attribute("sandbox") == "allow-popups allow-popups-to-escape-sandbox"
    assert mail.locator("h1").evaluate("() => window.origin") == "null"
