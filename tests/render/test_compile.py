from collections.abc import Callable
from pathlib import Path

import pytest

from digest.errors import RenderError
from digest.paths import shipped
from digest.render.compile import Template, load_template

Write = Callable[..., Template]


def test_tags_survive_mjml_and_the_inliner(write_template: Write) -> None:
    template = write_template(
        "{% for paper in papers %}<mj-text css-class='{{ paper.kind }}'>"
        "<a href=\"{{ paper['url'] }}\">{% if 1 < 2 %}{{ paper.title }}{% endif %}</a></mj-text>{% endfor %}"
    )

    html = template.html.render(
        {"papers": [{"kind": "k", "url": "https://example.org/?a=1&b=2", "title": "<b> & {{ 7*7 }}"}]}
    )

    assert '<a href="https://example.org/?a=1&amp;b=2">&lt;b&gt; &amp; {{ 7*7 }}</a>' in html
    assert 'class="k"' in html
    assert html.startswith("<!doctype html>")


def test_only_html_is_escaped(write_template: Write) -> None:
    template = write_template("<mj-text>{{ x }}</mj-text>", subject="{{ x }}", text="{{ x }}")

    context = {"x": "a < b & c"}
    assert "a &lt; b &amp; c" in template.html.render(context)
    assert template.subject.render(context) == "a < b & c"
    assert template.text.render(context) == "a < b & c"


def test_css_is_inlined_and_stays_for_dark_and_narrow(write_template: Write) -> None:
    html = (
        write_template(
            "<mjml><mj-head><mj-style>.a { color: #123456 }</mj-style>"
            "<mj-style>@media (prefers-color-scheme: dark) { .a { color: #eeeeee !important } }</mj-style></mj-head>"
            "<mj-body><mj-section><mj-column><mj-text><p class='a'>x</p></mj-text></mj-column></mj-section></mj-body>"
            "</mjml>",
            wrap=False,
        )
    ).html.render({})

    assert '<p class="a" style="color:#123456">' in html
    assert ".a { color: #eeeeee !important }" in html
    # MJML's reset is not repeated on every cell.
    assert html.count("mso-table-lspace") == 1


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        pytest.param("\n\n<mj-text>{% if x %}</mj-text>", ":4: ", id="syntax"),
        pytest.param("\n<mj-text>{{ x | nope }}</mj-text>", ":3: No filter named 'nope'", id="filter"),
        pytest.param("\n<mj-foo>x</mj-foo>", ":3: unknown element 'mj-foo'", id="unknown element"),
        pytest.param(
            "\n{# two\nlines #}\n<mj-text><p></mj-text>", ":5: not well-formed MJML: mismatched tag", id="markup"
        ),
        pytest.param("</mj-column>\n<mj-column width='{{ w }}'>", ":3: the tag '{{ w }}' was lost", id="lost tag"),
        pytest.param("\n{% include 'x' %}", ":3: 'include' is not available", id="include"),
        pytest.param("<mj-raw><link href='x'/></mj-raw>", "'<link' is not available in mail", id="remote style"),
    ],
)
def test_errors_name_file_and_line(write_template: Write, source: str, problem: str) -> None:
    with pytest.raises(RenderError) as caught:
        write_template(source)

    assert str(caught.value).startswith("templates/mine/body.mjml.j2:")
    assert problem in str(caught.value)


def test_remote_rules_are_refused_without_asking_the_network(write_template: Write) -> None:
    with pytest.raises(RenderError, match="'@import' is not available"):
        write_template("<mjml><mj-head><mj-style>@import url(https://example.org/x.css);</mj-style></mj-head>"
                       "<mj-body><mj-section></mj-section></mj-body></mjml>", wrap=False)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "line"),
    [
        pytest.param("<mj-text>{{ edition.date }}{{ papr }}</mj-text>", 2, id="same line as another tag"),
        pytest.param("\n<mj-text>{{ edition.date }}\n{% if 1 %}\n{{\n papr\n}}{% endif %}</mj-text>", 6, id="long tag"),
        pytest.param("{# a\nb #}\n<mj-text>\n{{ edition.date.nope }}</mj-text>", 5, id="attribute, after a comment"),
        pytest.param("{% raw %}{{\n}}{% endraw %}\n<mj-text>{{ papr }}</mj-text>", 4, id="after raw text"),
        pytest.param("{%- for x in papr -%}\n{%- endfor %}", 2, id="block with white space control"),
        pytest.param("<mj-text>\n{{ 1 / 0 }}</mj-text>", 3, id="any other failure"),
    ],
)
def test_a_failing_render_names_the_line_in_the_file(write_template: Write, source: str, line: int) -> None:
    template = write_template(source)

    with pytest.raises(RenderError) as caught:
        template.html.render({"edition": {"date": 1}})

    assert caught.value.where == f"templates/mine/body.mjml.j2:{line}"
    assert "this template receives edition" in caught.value.hint


def test_a_failing_text_part_names_its_line(write_template: Write) -> None:
    template = write_template(text="one\ntwo {{ papr }}")

    with pytest.raises(RenderError, match=r"body\.txt\.j2:2: 'papr' is undefined"):
        template.text.render({})


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param("{{ x.__class__.__mro__ }}", id="dunder"),
        pytest.param("{{ cycler.__init__.__globals__ }}", id="globals"),
        pytest.param("{% for i in range(10**9) %}{% endfor %}", id="endless range"),
        pytest.param("{{ items.append(1) }}", id="changes a value"),
        pytest.param(
            "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxxx{% endfor %}{% endfor %}", id="flood"
        ),
    ],
)
def test_templates_run_in_a_sandbox(write_template: Write, attack: str) -> None:
    template = write_template(text=attack)

    with pytest.raises(RenderError):
        template.text.render({"x": 1, "items": []})


def test_unknown_template_suggests_a_known_one() -> None:
    with pytest.raises(RenderError, match="unknown template 'dayly'\n  hint: did you mean 'daily'") as caught:
        load_template("dayly", [shipped("templates")])

    assert "known templates: " in caught.value.hint


@pytest.mark.parametrize("name", ["", "..", "../daily", "/etc", "daily/"])
def test_a_name_is_not_a_path(name: str) -> None:
    with pytest.raises(RenderError, match="unknown template"):
        load_template(name, [shipped("templates")])


def test_the_first_folder_wins(write_template: Write, tmp_path: Path) -> None:
    write_template()
    (tmp_path / "templates" / "mine").rename(tmp_path / "templates" / "daily")

    template = load_template("daily", [tmp_path / "templates", shipped("templates")])

    assert template.subject.render({}) == "S"


def test_a_missing_file_is_named(write_template: Write, tmp_path: Path) -> None:
    write_template()
    (tmp_path / "templates" / "mine" / "body.txt.j2").unlink()

    with pytest.raises(RenderError, match=r"templates/mine/body\.txt\.j2: this file is missing"):
        load_template("mine", [tmp_path / "templates"])


def test_rendering_within_a_size_counts_bytes_and_stops_early(write_template: Write) -> None:
    template = write_template(text="ä{% for number in range(count) %}{{ number }}{% endfor %}")

    assert template.text.render_within({"count": 3}, 5) == template.text.render({"count": 3}) == "ä012"
    assert template.text.render_within({"count": 3}, 4) is None
    assert write_template(text="x{{ 1 / 0 }}").text.render_within({}, 0) is None, "it never came to the failure"
