"""Every rule finds what it is for, and names the file and the line that are to be mended."""

from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.lint import RULES, Severity, lint_message, lint_template
from digest.lint.spam import has_spamassassin
from digest.model import Match
from digest.render.compose import compose_message
from tests.builders import a_paper, a_subscriber, an_edition
from tests.lint.neat import FILES, NOW, a_template, findings, spoil

END = "  <p>The end.</p>\n"


def end(new: str) -> dict[str, str]:
    """The footer with something else on its second line."""
    return spoil("footer_mjml", END, f"  {new}\n")


CASES = [
    pytest.param(end("<p>The end.{{ '</b>' | safe }}</p>"), "markup", "(b)", "footer.mjml.j2:2", id="end tag too many"),
    pytest.param(
        end('{{ \'<p class="x" class="y">A</p>\' | safe }}'), "markup", "attribute", "footer.mjml.j2:", id="twice"
    ),
    pytest.param(
        end('<p style="display: flex">The end.</p>'), "client-support", "display: flex", "footer.mjml.j2:2", id="flex"
    ),
    pytest.param(
        spoil("style_css", ".pale {", ".pale { gap: 4px;"), "client-support", "'gap'", "style.css.j2:2", id="gap"
    ),
    pytest.param(
        end('<p>The <video src="cid:film">end</video>.</p>'),
        "client-support",
        "<video>",
        "footer.mjml.j2:2",
        id="video",
    ),
    pytest.param(
        spoil("style_css", "a { color: #1d4f8f; }", "a { color: #1d4f8f; }\na:has(b) { color: #1d4f8f; }"),
        *("client-support", "':has'", "style.css.j2:4"),
        id="selector",
    ),
    pytest.param(spoil("layout_mjml", "{{ mail.language }}", ""), "lang", "is ''", "layout.mjml.j2:1", id="lang"),
    pytest.param(spoil("layout_mjml", "{{ mail.dir }}", "up"), "dir", "is 'up'", "layout.mjml.j2:1", id="dir"),
    pytest.param(
        spoil("layout_mjml", "<mj-title>{{ mail.title }}</mj-title>", ""),
        "title",
        "no title",
        "layout.mjml.j2:1",
        id="title",
    ),
    pytest.param(end("<h1>The end</h1>"), "headings", "are 2 headings", "footer.mjml.j2:2", id="two h1"),
    pytest.param(
        spoil("head_mjml", "h1>{{ reader.heading }}</h1", "p>{{ reader.heading }}</p"),
        *("headings", "are 0 headings", "layout.mjml.j2:8"),
        id="no h1",
    ),
    pytest.param(end("<h2>The end</h2><h5>of all</h5>"), "headings", "<h5> follows <h2>", "footer.mjml.j2:2", id="h5"),
    pytest.param(end("<h2> </h2>"), "headings", "<h2> is empty", "footer.mjml.j2:2", id="empty heading"),
    pytest.param(
        end('<table class="odd"><tr><td>1</td></tr></table>'), "tables", "a table", "footer.mjml.j2:2", id="table"
    ),
    pytest.param(end('<p><img src="cid:logo" /></p>'), "images", "'cid:logo' has no alt", "footer.mjml.j2:2", id="alt"),
    pytest.param(
        end('<p><a href="https://example.org/">Click here</a></p>'),
        *("link-text", "'Click here' does not say", "footer.mjml.j2:2"),
        id="click here",
    ),
    pytest.param(
        end('<p><a href="https://example.org/"></a></p>'), "link-text", "has no text", "footer.mjml.j2:2", id="no text"
    ),
    pytest.param(
        end('<p><a href="https://example.org/1">Web</a>, <a class="b" href="https://example.org/2">web</a></p>'),
        *("link-text", "'web' leads to 'https://example.org/2' here", "footer.mjml.j2:2"),
        id="same words, another place",
    ),
    pytest.param(
        spoil("layout_mjml", """{{ '<div role="main">' | safe }}""", "{{ '<div>' | safe }}"),
        *("landmarks", "0 main landmarks", "layout.mjml.j2:8"),
        id="no main",
    ),
    pytest.param(
        spoil("layout_mjml", "{{ '</div>' | safe }}", "{{ '</div><p class=\"out\">Outside</p>' | safe }}"),
        *("landmarks", "'Outside' stands outside", "layout.mjml.j2:18"),
        id="outside",
    ),
    pytest.param(
        spoil("card_mjml", '<p class="pale">', '<p class="pale" id="one">'),
        "ids",
        "'one' is used",
        "card.mjml.j2:3",
        id="id",
    ),
    pytest.param(
        spoil("style_css", "#595959", "#959595"), "contrast", "#959595 on #ffffff in light", "card.mjml.j2:3", id="pale"
    ),
    pytest.param(
        spoil("style_css", "p, h1", "h1"), "contrast", "#222 on #151619 in dark", "footer.mjml.j2:2", id="dark text"
    ),
    pytest.param(
        end('<p style="color: #fff; background: #eee url(x.png)">The end.</p>'),
        *("contrast", "#fff on #eee in light", "footer.mjml.j2:2"),
        id="background shorthand",
    ),
    pytest.param(
        end('<p><a href="javascript:alert(1)">Alert</a></p>'),
        "links",
        "begins with 'javascript:'",
        "footer.mjml.j2:2",
        id="js",
    ),
    pytest.param(
        end('<p><a href="example.org">Web</a></p>'), "links", "has no scheme", "footer.mjml.j2:2", id="scheme"
    ),
    pytest.param(end('<p><a href="">Web</a></p>'), "links", "has no address", "footer.mjml.j2:2", id="no address"),
    pytest.param(
        end('<p><a href="https:///x">Web</a></p>'), "links", "is no address", "footer.mjml.j2:2", id="no host"
    ),
    pytest.param(
        end('<p><a href="#top">Top</a></p>'), "links", "'#top' leads to no place", "footer.mjml.j2:2", id="anchor"
    ),
    pytest.param(
        end('<p><a href="https://example.org/">One</a> <a href="https://example.org/">Two</a></p>'),
        *("links", "stand side by side", "footer.mjml.j2:2"),
        id="neighbours",
    ),
    pytest.param(
        end('<p><img alt="A pixel" src="https://example.org/pixel.gif" /></p>'),
        *("links", "is not sent along", "footer.mjml.j2:2"),
        id="remote picture",
    ),
    pytest.param(
        end('<p><img alt="A pixel" src="http://[" /></p>'),
        *("links", "the image 'http://[' is not sent along", "footer.mjml.j2:2"),
        id="picture without an address",
    ),
    pytest.param({"card_txt": "\n"}, "parity", "'Lanterns in the Fog", "card.mjml.j2:2", id="papers missing in text"),
    pytest.param(
        {"layout_txt": "{{ part.rest }}\n{{ part.sections }}\n"},
        *("parity", "stands elsewhere", "line.mjml.j2:1"),
        id="another order in text",
    ),
    pytest.param(
        {"footer_txt": "https://example.org/only-here\n"},
        "parity",
        "only-here",
        "layout.txt.j2:1",
        id="text leads elsewhere",
    ),
    pytest.param(end(f"<p>{'All the end. ' * 8000}</p>"), "size", "bytes, of which", "footer.mjml.j2:2", id="too long"),
    pytest.param(
        spoil(
            "style_css",
            "a { color: #1d",
            "".join(f".x{number} {{ margin: 0 }}\n" for number in range(1_000)) + "a { color: #1d",
        ),
        *("size", "Gmail reads 16,384", "layout.mjml.j2:4"),
        id="style too long",
    ),
]


@pytest.mark.parametrize(("changes", "rule", "message", "place"), CASES)
def test_what_is_wrong_is_found_where_it_is(
    tmp_path: Path, changes: dict[str, str], rule: str, message: str, place: str
) -> None:
    found = findings(a_template(tmp_path, **changes), rule)

    hits = [each for each in found if message in each.message]
    assert hits, found
    assert f"neat/{place}" in str(hits[0].place), hits
    assert all(each.hint for each in hits)


def test_nothing_else_is_found(tmp_path: Path) -> None:
    """Or the cases above would find what was there before."""
    assert not [str(each) for each in findings(a_template(tmp_path))]


def test_every_rule_has_a_case_or_is_that_of_spamassassin() -> None:
    assert {str(case.values[1]) for case in CASES} == set(RULES) - {"spam"}


def test_errors_come_first(tmp_path: Path) -> None:
    found = findings(a_template(tmp_path, **end('<p style="display: flex"><a href="">Web</a></p>')))

    severities = [each.severity for each in found]
    assert set(severities) == set(Severity)
    assert severities == sorted(severities, key=list(Severity).index)


def test_what_is_not_known_to_one_client_matters_to_its_readers_only(tmp_path: Path) -> None:
    template = a_template(tmp_path, **end('<p style="text-shadow: 1px 1px #888">The end.</p>'))

    def told(client: str) -> list[str]:
        found = lint_template(template, NOW, clients=[client], spam=False)
        return [each.message for each in found if each.rule == "client-support"]

    assert told("gmail.ios") == ["'text-shadow' is not known to gmail.ios"]
    assert told("apple-mail") == []


def test_a_client_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown mail client 'pine'") as caught:
        lint_template(a_template(tmp_path), NOW, clients=["gmail", "pine"])

    assert "thunderbird" in caught.value.hint


@pytest.mark.parametrize(
    ("around", "is_found"), [("{}", True), ("@media screen and (max-width: 400px) {{ {} }}", False)]
)
def test_what_a_client_never_sees_costs_it_nothing(tmp_path: Path, around: str, is_found: bool) -> None:
    """Outlook on Windows knows no @media, and none of what is in it."""
    rule = around.format("p { display: grid; }")
    template = a_template(tmp_path, **spoil("style_css", "a { color: #1d", f"{rule}\na {{ color: #1d"))

    found = lint_template(template, NOW, clients=["outlook.windows"], spam=False)

    assert any("display: grid" in each.message for each in found) == is_found


def test_a_long_mail_may_leave_to_the_plain_text_what_it_has_no_room_for(tmp_path: Path) -> None:
    template = a_template(tmp_path)
    many = tuple(
        Match(paper=a_paper(number, title=f"Paper Number {number}", abstract="Long. " * 100), topics=())
        for number in range(300)
    )
    message = compose_message(an_edition(a_subscriber(), matched=many), template, sender="digest@example.org", now=NOW)

    found = lint_message(message, template, spam=False)

    assert message.text.count("https://") > message.html.count('<a href="https://')
    assert [str(each) for each in found] == []


def test_of_a_card_that_is_too_heavy_the_size_is_what_is_wrong(tmp_path: Path) -> None:
    """Not that the plain text has what the HTML was cut by."""
    heavy = {
        "card_mjml": FILES["card.mjml.j2"].replace("</mj-text>", f"<p>{'Every card has it. ' * 900}</p></mj-text>")
    }

    found = findings(a_template(tmp_path, **heavy))

    assert [each.rule for each in found] == ["size"]
    assert "bytes, of which clients show 95,000" in found[0].message


@pytest.mark.skipif(not has_spamassassin(), reason="spamassassin is not installed")
def test_what_spamassassin_takes_for_spam_is_found(tmp_path: Path) -> None:
    # What https://spamassassin.apache.org/gtube/ gives to test filters with.
    text = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"

    found = lint_template(a_template(tmp_path, head_txt=text), NOW)

    (spam, *_) = [each for each in found if each.rule == "spam"]
    assert "GTUBE" in spam.message
    assert spam.place.where.endswith("subject.txt.j2")
