import json
from dataclasses import replace
from pathlib import Path

import pytest

from digest.config.settings import Settings
from digest.preview.details import list_parts, list_sizes, tell_details, tell_findings
from digest.preview.links import LinkShown, list_links
from digest.preview.studio import Shown, Studio, Wish
from tests.builders import NOW


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A mail that has everything."""
    settings = Settings.model_construct(subscribers=tmp_path_factory.mktemp("preview") / "none.yaml")
    return Studio(settings, lambda: NOW).show(Wish(papers="everything", template="weekly"))


def test_the_sizes_add_up_to_the_message(shown: Shown) -> None:
    sizes = dict(list_sizes(shown.message.raw))

    assert sum(sizes.values()) == len(shown.message.raw)
    assert sizes["text/html"] == shown.message.html_bytes
    assert min(sizes.values()) > 0


def test_the_parts_add_up_to_the_html(shown: Shown) -> None:
    parts = list_parts(shown)

    assert shown.edition
    assert sum(size for _, _, size in parts) == shown.message.html_bytes
    assert ("card", len(shown.edition.shown)) in [(part, times) for part, times, _ in parts]


def test_what_is_told_is_json_and_has_no_address_of_a_reader(shown: Shown) -> None:
    told = json.dumps(tell_details(shown))

    assert json.loads(told)["subject"] == shown.message.subject
    assert ["To", "reader@example.org"] in json.loads(told)["headers"]


def test_findings_say_where(shown: Shown) -> None:
    broken = shown.message.raw.replace(b' lang=3D"en"', b"")
    assert broken != shown.message.raw

    told = tell_findings(replace(shown, message=replace(shown.message, raw=broken)), spam=False)
    findings = json.loads(json.dumps(told))["findings"]

    [found] = [each for each in findings if each["rule"] == "lang"][:1]
    assert found["severity"] == "error"
    assert Path(found["where"].rpartition(":")[0]).name.endswith(".mjml.j2")


def test_links_are_listed_once_with_all_their_words() -> None:
    html = """<a href="https://example.org/1">One</a> <a href="https://example.org/1"><b>The</b> first</a>
    <a href="mailto:a@example.org"><img src="x" alt="Write"></a> <a href="https://example.org/1">One</a>
    <a href="javascript:alert(1)">Run</a> <a href="/relative">Here</a> <a href="https://example.org/2"></a>
    <a href="https:///path">Where</a> <a href="https://[/">Odd</a> <a name="anchor">none</a>"""

    links = list_links(html)

    assert links == (
        LinkShown("https://example.org/1", ("One", "The first"), 3, ()),
        LinkShown("mailto:a@example.org", ("Write",), 1, ()),
        LinkShown("javascript:alert(1)", ("Run",), 1, ("scheme 'javascript'",)),
        LinkShown("/relative", ("Here",), 1, ("no scheme: leads nowhere from a mail",)),
        LinkShown("https://example.org/2", ("",), 1, ("no text",)),
        LinkShown("https:///path", ("Where",), 1, ("no host",)),
        LinkShown("https://[/", ("Odd",), 1, ("cannot be read",)),
    )
