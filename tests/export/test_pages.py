import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import RenderError
from digest.export.formats import Format
from digest.export.pages import write_index, write_page, write_style
from digest.model import Edition, Wording
from digest.render.theme import Logo, Theme
from digest.render.view import safe_title
from tests.builders import a_match, a_paper, a_subscriber
from tests.export.archives import FOLDERS, FRIDAY, a_private_archive, an_archive

POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"


def page(*papers: object, **changes: object) -> str:
    archive = an_archive(*papers, **changes)  # type: ignore[arg-type]
    return write_page(archive, archive.editions[0], FOLDERS)


def parsed(html: str):  # type: ignore[no-untyped-def]  # an untyped tree
    """The document, which is free of errors."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    document = parser.parse(html)
    assert parser.errors == []
    return document


def test_a_page_has_what_browsers_and_screen_readers_want() -> None:
    archive = a_private_archive(base_url="https://example.org/a/")

    html = write_page(archive, archive.editions[0], FOLDERS, before=FRIDAY - timedelta(days=1))

    document = parsed(html)
    assert (document.get("lang"), document.get("dir")) == ("en", "ltr")
    assert document.findtext("head/title") == "Friday, 20 November 2026 · Example"
    assert document.find("head/link[@rel='canonical']").get("href") == "https://example.org/a/2026-11-20.html"
    assert document.find("head/meta[@http-equiv]").get("content") == POLICY
    headings = [each.tag for each in document.iter() if re.fullmatch("h[1-6]", str(each.tag))]
    assert headings[:3] == ["h1", "h2", "h3"]
    assert headings.count("h1") == 1
    assert not {"script", "style", "form", "iframe"} & {each.tag for each in document.iter()}
    assert not [each for each in document.iter() if each.get("style")]
    assert [each.get("href") for each in document.iter("a") if each.get("rel")] == ["2026-11-19.html"]


def test_every_paper_is_named_and_near_misses_are_not() -> None:
    archive = a_private_archive()

    text = "".join(parsed(write_page(archive, archive.editions[0], FOLDERS)).itertext())

    assert re.findall(r"Invented Paper (\d)", text) == [*"1234567"]
    assert "Near" not in text
    assert "3 → 90 stars" in text


def test_topics_are_named_if_they_may_be() -> None:
    shown = a_private_archive(has_topics=True)

    assert "Canary topic" in write_page(shown, shown.editions[0], FOLDERS)


def test_the_index_is_by_month_with_the_pages_of_earlier_exports() -> None:
    archive = an_archive(a_paper(1), a_paper(2))

    document = parsed(write_index(archive, FOLDERS, [date(2026, 10, 1), date(2026, 11, 3), FRIDAY]))

    assert [each.text for each in document.iter("h2")] == ["November 2026", "October 2026"]
    assert [each.get("href") for each in document.iter("a")][:3] == [
        "2026-11-20.html",
        "2026-11-03.html",
        "2026-10-01.html",
    ]
    assert "2 papers" in "".join(document.itertext())


def test_an_archive_without_editions_has_an_index() -> None:
    assert "No edition yet" in "".join(parsed(write_index(an_archive(editions=()), FOLDERS)).itertext())


def test_a_page_leads_to_no_file_that_is_not_written() -> None:
    html = page(a_paper(), formats=frozenset({Format.SITE, Format.RIS}))

    links = set(re.findall(r'href="([^":]+)"', html))
    assert links == {"index.html", "style.css", "2026-11-20.ris"}


def test_it_is_in_the_readers_language() -> None:
    paper = a_paper()
    edition = Edition(
        subscriber=a_subscriber(language="de"),
        date=FRIDAY,
        matched=(a_match(paper),),
        wordings={paper.key: Wording("Erfundener Aufsatz", "", "invented-7b")},
    )

    document = parsed(page(editions=(edition,)))

    assert document.get("lang") == "de"
    assert document.findtext(".//h1/time") == "Freitag, 20. November 2026"
    assert "Erfundener Aufsatz" in "".join(document.itertext())


def test_colours_fonts_and_logo_are_the_themes() -> None:
    theme = Theme(font="'Example Serif', serif", logo=Logo(b"GIF", "gif", 120, 40))
    theme = replace(theme, light=replace(theme.light, ink="#123456"), dark=replace(theme.dark, ink="#fedcba"))
    archive = an_archive(a_paper(), theme=theme)

    css = write_style(archive, FOLDERS)

    assert "font: 1.0625rem/1.6 'Example Serif', serif;" in css
    assert css.index("--ink: #123456") < css.index("prefers-color-scheme: dark") < css.index("--ink: #fedcba")
    logo = parsed(write_index(archive, FOLDERS)).find(".//img")
    assert (logo.get("src"), logo.get("width"), logo.get("height")) == ("logo.gif", "120", "40")


def test_a_template_of_ones_own_comes_first_and_its_mistakes_are_named(tmp_path: Path) -> None:
    own = tmp_path / "archive"
    own.mkdir()
    (own / "card.html.j2").write_text("<p>mine: {{ paper.title }}</p>\n")
    archive = an_archive(a_paper())
    assert "<p>mine: Invented Paper 1</p>" in write_page(archive, archive.editions[0], (tmp_path, *FOLDERS))

    (own / "index.html.j2").write_text("<p>\n{{ titel }}</p>")
    with pytest.raises(RenderError, match="'titel' is undefined") as caught:
        write_index(archive, (tmp_path, *FOLDERS))
    assert caught.value.where == "archive/index.html.j2:2"
    (own / "index.html.j2").write_text("<p>\n{% if %}")
    with pytest.raises(RenderError) as caught:
        write_index(archive, (tmp_path, *FOLDERS))
    assert caught.value.where == "archive/index.html.j2:2"


EVIL = st.text(max_size=60) | st.sampled_from(
    ["</script>", "</h3><script>alert(1)</script>", "]]>", '" onclick="x', "{{ 7*7 }}", "{% raw %}", "\0", "\u202egnp"]
)


@settings(max_examples=50)
@given(EVIL, EVIL)
def test_nothing_in_a_paper_is_markup(title: str, name: str) -> None:
    harmless = [each.tag for each in parsed(page(a_paper())).iter()]

    document = parsed(
        page(a_paper(title=title, abstract=f"a {title}", authors=(name,), venue=title), title=f"t {name}")
    )

    assert [each.tag for each in document.iter()] == harmless
    assert document.findtext(".//h3/a") == safe_title(title)
