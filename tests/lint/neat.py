"""A small template that is as it should be, to be spoiled in one place."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from digest.lint import Finding, lint_template
from digest.render.compile import Template, load_template

NOW = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)

FILES: Mapping[str, str] = {
    "subject.txt.j2": "{{ count }} papers",
    "layout.mjml.j2": """\
<mjml lang="{{ mail.language }}" dir="{{ mail.dir }}">
  <mj-head>
    <mj-title>{{ mail.title }}</mj-title>
    <mj-style>
      {% include "style.css.j2" %}
    </mj-style>
  </mj-head>
  <mj-body background-color="#ffffff">
    {{ '<div role="main">' | safe }}
    <mj-section>
      <mj-column>
        {{ part.head }}
        {{ part.sections }}
        {{ part.rest }}
        {{ part.footer }}
      </mj-column>
    </mj-section>
    {{ '</div>' | safe }}
  </mj-body>
</mjml>
""",
    "style.css.j2": """\
p { color: #222222; }
.pale { color: #595959; }
a { color: #1d4f8f; }
@media (prefers-color-scheme: dark) {
  body, div { background-color: #151619 !important; }
  p, h1, h2, h3, li { color: #efebe2 !important; }
  a { color: #93bdf2 !important; }
}
""",
    "head.mjml.j2": """\
<mj-text>
  <h1>{{ reader.heading }}</h1>
</mj-text>
""",
    "section.mjml.j2": """\
<mj-text>
  <h2>{{ section.heading }}</h2>
</mj-text>
{{ part.cards }}
""",
    "card.mjml.j2": """\
<mj-text>
  <h3>{% if paper.url %}<a href="{{ paper.url }}">{{ paper.title }}</a>{% else %}{{ paper.title }}{% endif %}</h3>
  <p class="pale">{{ paper.abstract }}</p>
</mj-text>
""",
    "rest.mjml.j2": "<mj-text><h2>{{ list.heading }}</h2><ul>{{ part.lines }}</ul></mj-text>",
    "line.mjml.j2": '<li>{% if item.url %}<a href="{{ item.url }}">{{ item.title }}</a>{% endif %}</li>',
    "more.mjml.j2": "<li>{{ more.text }}</li>",
    "footer.mjml.j2": """\
<mj-text>
  <p>The end.</p>
  <p><a href="{{ reader.unsubscribe }}">Unsubscribe</a></p>
</mj-text>
""",
    "layout.txt.j2": "{{ part.head }}\n{{ part.sections }}\n{{ part.rest }}\n{{ part.footer }}\n",
    "head.txt.j2": "{{ reader.heading }}\n",
    "section.txt.j2": "{{ section.heading }}\n\n{{ part.cards }}\n",
    "card.txt.j2": "{{ paper.number }}. {{ paper.title | wrap(66) }}\n{{ paper.url }}\n",
    "rest.txt.j2": "{{ list.heading }}\n\n{{ part.lines }}\n",
    "line.txt.j2": "{{ item.title | wrap }}\n{{ item.url }}\n",
    "more.txt.j2": "{{ more.text }}\n",
    "footer.txt.j2": "{{ reader.unsubscribe }}\n",
}


def a_template(folder: Path, **changes: str) -> Template:
    """The template with some files changed, named as in ``card_mjml``; an empty text leaves a file out."""
    files = dict(FILES) | {f"{name.replace('_', '.')}.j2": text for name, text in changes.items()}
    (folder / "neat").mkdir(parents=True)
    for name, text in files.items():
        (folder / "neat" / name).write_text(text, encoding="utf-8")
    return load_template("neat", [folder])


def findings(template: Template, rule: str = "") -> list[Finding]:
    return [each for each in lint_template(template, NOW, spam=False) if each.rule == rule or not rule]


def spoil(name: str, old: str, new: str) -> dict[str, str]:
    """A file with something replaced, which must be there once."""
    text = FILES[f"{name.replace('_', '.')}.j2"]
    assert text.count(old) == 1
    return {name: text.replace(old, new)}
