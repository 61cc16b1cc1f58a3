import re
from collections.abc import Callable
from pathlib import Path

import pytest

from digest.errors import RenderError
from digest.paths import shipped
from digest.render.compile import LAYOUT, Template, load_template

Write = Callable[..., Template]


def test_tags_survive_mjml_and_the_inliner(write_template: Write) -> None:
    template = write_template(
        "{% for paper in papers %}<mj-text css-class='{{ paper.kind }}'>"
        "<a href=\"{{ paper['url'] }}\">{% if 1 < 2 %}{{ paper.title }}{% endif %}</a></mj-text>{% endfor %}"
    )

    html = template.html[LAYOUT].render(
        {"papers": [{"kind": "k", "url": "https://example.org/?a=1&b=2", "title": "<b> & {{ 7*7 }}"}]}
    )

    assert '<a href="https://example.org/?a=1&amp;b=2">&lt;b&gt; &amp; {{ 7*7 }}</a>' in html
    assert 'class="k"' in html
    assert html.startswith("<!doctype html>")


def test_only_html_is_escaped(write_template: Write) -> None:
    template = write_template("<mj-text>{{ x }}</mj-text>", subject="{{ x }}", text="{{ x }}")

    context = {"x": "a < b & c"}
    assert "a &lt; b &amp; c" in template.html[LAYOUT].render(context)
    assert template.subject.render(context) == "a < b & c"
    assert template.text[LAYOUT].render(context) == "a < b & c"


def test_css_is_inlined_and_stays_for_dark_and_narrow(write_template: Write) -> None:
    html = (
        (
            write_template(
                "<mjml><mj-head><mj-style>.a { color: #123456 }</mj-style>"
                "<mj-style>@media (prefers-color-scheme: dark) { .a { color: #eeeeee !important } }</mj-style>"
                "</mj-head><mj-body><mj-section><mj-column><mj-text><p class='a'>x</p></mj-text></mj-column>"
                "</mj-section></mj-body></mjml>",
                wrap=False,
            )
        )
        .html[LAYOUT]
        .render({})
    )

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
        pytest.param("\n{% include x %}", ":3: 'include' is not available", id="include by a value"),
        pytest.param("\n{% include 'x.mjml.j2' %}", ":3: 'x.mjml.j2' is missing", id="include of nothing"),
        pytest.param(
            "\n{% include 'layout.mjml.j2' %}", ":3: 'layout.mjml.j2' includes itself", id="include of itself"
        ),
        pytest.param("\n{% include 'x' ignore missing %}", ":3: 'include' is not available", id="include of perhaps"),
        pytest.param("\n{% include '../x' %}", ":3: 'include' is not available", id="include from elsewhere"),
        pytest.param("\n{{ part.rest | safe }}", ":3: '{{ part.rest | safe }}' is no hole", id="changed hole"),
        pytest.param('\n{{ part["rest"] }}', ":3: '{{ part[\"rest\"] }}' is no hole", id="hole by a text"),
        pytest.param("\n{{ part.crad }}", ":3: unknown hole 'part.crad'\n  hint: did you mean 'part.card", id="hole"),
        pytest.param("\n{{ theme.light.inkk }}", ":3: a theme has no 'light.inkk'", id="theme"),
        pytest.param("<mj-raw><link href='x'/></mj-raw>", "'<link' is not available in mail", id="remote style"),
    ],
)
def test_errors_name_file_and_line(write_template: Write, source: str, problem: str) -> None:
    with pytest.raises(RenderError) as caught:
        write_template(source)

    assert str(caught.value).startswith("templates/mine/layout.mjml.j2:")
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
        template.html[LAYOUT].render({"edition": {"date": 1}})

    assert caught.value.where == f"templates/mine/layout.mjml.j2:{line}"
    assert "this part receives edition" in caught.value.hint


def test_a_failing_text_part_names_its_line(write_template: Write) -> None:
    template = write_template(text="one\ntwo {{ papr }}")

    with pytest.raises(RenderError, match=r"layout\.txt\.j2:2: 'papr' is undefined"):
        template.text[LAYOUT].render({})


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param("{{ x.__class__.__mro__ }}", id="dunder"),
        pytest.param("{{ cycler.__init__.__globals__ }}", id="globals"),
        pytest.param("{% for i in range(10**9) %}{% endfor %}", id="endless range"),
        pytest.param("{{ items.append(1) }}", id="changes a value"),
        pytest.param("{{ 'x' * 900000000 }}", id="long text"),
        pytest.param("{{ 9 ** 9 ** 9 }}", id="large number"),
        pytest.param(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", id="long silence"
        ),
        pytest.param(
            "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxxx{% endfor %}{% endfor %}", id="flood"
        ),
    ],
)
def test_templates_run_in_a_sandbox(write_template: Write, attack: str) -> None:
    template = write_template(text=attack)

    with pytest.raises(RenderError):
        template.text[LAYOUT].render({"x": 1, "items": []})


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
    (tmp_path / "templates" / "mine" / "layout.txt.j2").unlink()

    with pytest.raises(RenderError, match=r"layout\.txt\.j2: this file is missing\n  hint: .* templates/mine or"):
        load_template("mine", [tmp_path / "templates"])


def test_a_missing_part_is_named(write_template: Write) -> None:
    with pytest.raises(
        RenderError, match=r"section\.mjml\.j2: this file is missing\n  hint: it was sought in .*mine or"
    ):
        write_template("{{ part.sections }}")


def test_parts_and_included_files_are_compiled_together_and_taken_apart(write_template: Write) -> None:
    template = write_template(
        "<mj-raw>{% include 'style.mjml.j2' %}</mj-raw>{{ part.sections }}",
        style_mjml="<style>p { color: {{ theme.light.ink }} }</style>",
        section_mjml="<mj-text><h2>{{ section }}</h2>{{ part.cards }}</mj-text>",
        card_mjml="<p>{{ paper }}</p>",
        text="{{ part.sections }}\n",
        section_txt="{{ section }}\n{{ part.cards }}\n",
        card_txt="- {{ paper }}\n",
    )

    assert set(template.html) == set(template.text) == {"layout", "section", "card"}
    assert template.html["card"].render({"paper": "<x>"}) == '<p style="color:#2b2a27">&lt;x&gt;</p>'
    section = template.html["section"].render({"section": "S", "part": {"cards": "CARDS"}})
    assert re.fullmatch(r"<tr><td .*<h2>S</h2>CARDS</div></td></tr>", section, re.DOTALL)
    assert "CARDS" not in template.html["layout"].render({"part": {"sections": "S"}})
    assert template.text["section"].render({"section": "S", "part": {"cards": "- a\n- b\n"}}) == "S\n- a\n- b\n"


def test_failures_name_the_file_of_the_part(write_template: Write) -> None:
    files = {"section_txt": "one\n{{ part.cards }}\n", "card_txt": "{% include 'title.txt.j2' %}\n"}
    template = write_template(
        "{{ part.sections }}",
        section_mjml="<mj-text>\n{{ nope }}{{ part.cards }}</mj-text>",
        card_mjml="<p>\n\n{{ papr }}</p>",
        text="{{ part.sections }}",
        title_txt="a\nb {{ papr }}",
        **files,
    )

    for part, where in (
        (template.html["card"], "templates/mine/card.mjml.j2:3"),
        (template.html["section"], "templates/mine/section.mjml.j2:2"),
        (template.text["card"], "templates/mine/title.txt.j2:2"),
    ):
        with pytest.raises(RenderError) as caught:
            part.render({"part": {}})
        assert caught.value.where == where


def test_a_part_of_ones_own_comes_in_place_of_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "empty.txt.j2").write_text("Mine.\n", encoding="utf-8")

    template = load_template("daily", [tmp_path, shipped("templates")])

    assert template.text["empty"].render({}) == "Mine.\n"
    assert template.text["head"].where.startswith(str(shipped("templates").name))


def test_what_a_template_shows_is_known(write_template: Write) -> None:
    assert load_template("weekly", [shipped("templates")]).wants_week
    assert not load_template("daily", [shipped("templates")]).wants_week
    assert write_template("x").holes == frozenset()


def test_comments_say_nothing_to_mjml_nor_to_the_compiler(write_template: Write) -> None:
    template = write_template(
        "<mjml><mj-head>{# note #}<mj-attributes>{# {{ part.week }}\n{% include 'gone' %} #}</mj-attributes></mj-head>"
        "<mj-body><mj-section><mj-column><mj-text>{# x #}y</mj-text></mj-column></mj-section></mj-body></mjml>",
        wrap=False,
        text="{# x #}\ny\n",
    )

    assert not template.wants_week
    assert ">y</div>" in template.html[LAYOUT].render({})
    assert template.text[LAYOUT].render({}) == "y\n"


def test_broken_markup_is_found_in_its_own_file(write_template: Write) -> None:
    with pytest.raises(RenderError) as caught:
        write_template(
            "{{ part.sections }}",
            section_mjml="<mj-text>\n{{ part.cards }}\n</mj-text>",
            card_mjml="<p>\n{{ paper.title }}\n<b></p>",
            text="{{ part.sections }}",
            section_txt="{{ part.cards }}",
            card_txt="x",
        )

    assert str(caught.value).startswith("templates/mine/card.mjml.j2:3: not well-formed MJML: mismatched tag")
