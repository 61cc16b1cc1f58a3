"""The line that is named is the one that was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from digest.lint.sources import Sources

WORDS = st.text("abcdefgh", min_size=3, max_size=8)


@given(st.lists(WORDS, min_size=1, max_size=12, unique=True), st.data())
def test_an_element_is_found_by_its_class_or_by_its_text(words: list[str], data: st.DataObject) -> None:
    by_class = "\n".join(f'<p class="{word}">{{{{ paper.title }}}}</p>' for word in words)
    by_text = "\n".join(f"<p>{word}</p>" for word in words)
    number = data.draw(st.integers(0, len(words) - 1))

    classy = Sources((("card.mjml.j2", by_class),))
    wordy = Sources((("card.mjml.j2", by_text),))

    element = html.fromstring(f'<p class="{words[number]}">A title</p>')
    assert classy.find_element(element).line == number + 1
    assert wordy.find_element(html.fromstring(f"<p>{words[number]}</p>")).line == number + 1


@pytest.mark.parametrize(
    ("element", "line"),
    [
        pytest.param('<a href="https://example.org/1">One</a>', 1, id="a value that a tag writes"),
        pytest.param('<a href="https://example.org/fixed">Two</a>', 2, id="the same value"),
        pytest.param('<a class="button" href="https://x.org">Go</a>', 3, id="what MJML makes"),
        pytest.param("<b>1 of 3</b>", 4, id="text around a tag"),
        pytest.param("<b>the end</b>", 5, id="another text"),
        pytest.param('<i class="raw">x</i>', 6, id="what a tag writes"),
        pytest.param("<u>x</u>", 1, id="nothing like it"),
    ],
)
def test_jinja_and_mjml_are_seen_through(element: str, line: int) -> None:
    source = """\
<a href="{{ paper.url }}">One</a>
<a href="https://example.org/fixed">Two</a>
<mj-button css-class="button" href="{{ letter.url }}">{{ letter.button }}</mj-button>
<b>{{ number }} of {{ count }}</b>
<b>{% if a < b %}The end{% endif %}</b>
{{ '<i class="raw">' | safe }}x{{ '</i>' | safe }}
"""

    assert Sources((("layout.mjml.j2", source),)).find_element(html.fromstring(element)).line == line


def test_a_declaration_is_found_in_its_rule() -> None:
    sheet = "p { color: #111 }\n.a, .b {\n  margin: 0;\n  color: {{ theme.light.ink }};\n}\n"
    sources = Sources((("style.css.j2", sheet), ("card.mjml.j2", '<p style="color: #333">x</p>')))

    assert sources.find_declaration("color", "#222", ".a, .b") == ("style.css.j2", 4)
    assert sources.find_declaration("color", "#111", "p") == ("style.css.j2", 1)
    assert sources.find_declaration("color", "#333") == ("card.mjml.j2", 1)
