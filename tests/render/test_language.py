import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, nodes

from digest.errors import RenderError
from digest.paths import shipped
from digest.render.language import LANGUAGES, find_language, note_language, read_language

DAY = date(2026, 11, 20)  # a Friday
ROOT = Path(__file__).parents[2]
TRANSLATED = LANGUAGES[1:]
NAMES = {"Atom", "BibTeX", "JSON", "PDF", "Paperround", "RIS"}
"""Words in templates that are the same in every language: formats and the program are called by their names."""
READ_ALOUD = ("alt", "aria-label", "placeholder", "title")
"""Attributes whose value people read or hear."""


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    """The script that `make messages` runs."""
    spec = spec_from_file_location("messages", ROOT / "docs" / "messages.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def said(messages: ModuleType) -> Catalog:
    """Everything that the code and the templates say."""
    found = messages.extract_messages()
    assert isinstance(found, Catalog)
    return found


def write_catalogue(folder: Path, text: str, tag: str = "de") -> Path:
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (folder / f"{tag}.po").write_text(head + text, encoding="utf-8")
    return folder


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%(?:\(\w+\))?.", text.replace("%%", "")))


def forms(text: object) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)  # type: ignore[arg-type]  # of a plural


@pytest.mark.parametrize("tag", TRANSLATED)
def test_everything_that_is_said_is_translated(messages: ModuleType, said: Catalog, tag: str) -> None:
    assert list(messages.wanting(messages.read_catalogue(tag), said)) == [], "make messages, then translate"


@pytest.mark.parametrize("tag", TRANSLATED)
def test_catalogues_are_as_the_script_writes_them(messages: ModuleType, said: Catalog, tag: str) -> None:
    written = (messages.CATALOGUES / f"{tag}.po").read_text(encoding="utf-8")

    assert messages.update_catalogue(messages.read_catalogue(tag), said) == written, "make messages"


@pytest.mark.parametrize("tag", TRANSLATED)
def test_every_form_has_the_placeholders_of_its_message(messages: ModuleType, tag: str) -> None:
    for message in messages.read_catalogue(tag):
        if message.id and all(forms(message.string)):
            assert {frozenset(placeholders(each)) for each in forms(message.string)} == {
                frozenset(placeholders(each)) for each in forms(message.id)
            }, message.id


def test_messages_are_found_in_code_and_templates(messages: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "digest" / "render").mkdir(parents=True)
    (tmp_path / "templates" / "daily").mkdir(parents=True)
    (tmp_path / "digest" / "render" / "why.py").write_text(
        'language.say("by %(what)s", what=x)\nsay = language.say\nsay("a" " b")\n'
        'language.count("%(num)s cat", "%(num)s cats", 3)\ntext.count("z", 0)\ndata.count(b"z")\nlanguage.say(text)\n'
    )
    (tmp_path / "templates" / "daily" / "card.txt.j2").write_text(
        '{% if a %}{{ _("dog %(n)s", n=1) | wrap }}{% endif %}{{ ngettext("%(num)s ox", "%(num)s oxen", n) }}{{ _(a) }}'
    )

    found = {message.id for message in messages.extract_messages(tmp_path) if message.id}

    assert found == {
        "by %(what)s",
        "a b",
        ("%(num)s cat", "%(num)s cats"),
        "dog %(n)s",
        ("%(num)s ox", "%(num)s oxen"),
    }


def test_an_update_keeps_what_is_said_and_guesses_nothing(messages: ModuleType) -> None:
    old, said = Catalog("de", fuzzy=False), Catalog(fuzzy=False)
    old.add("kept", "behalten")
    old.add("said no more", "verstummt")
    said.add("kept")
    said.add("said now more")

    text = messages.update_catalogue(old, said)

    assert text.endswith('\nmsgid "kept"\nmsgstr "behalten"\n\nmsgid "said now more"\nmsgstr ""\n')
    assert "verstummt" not in text


@pytest.mark.parametrize(
    ("translation", "problem"),
    [
        pytest.param("", "not translated", id="empty"),
        pytest.param("von %(wsa)s", "placeholders", id="misspelt"),
        pytest.param("100 % von %(what)s", "placeholders", id="bare percent sign"),
    ],
)
def test_what_is_wrong_with_a_translation_is_found(messages: ModuleType, translation: str, problem: str) -> None:
    known, said = Catalog("de", fuzzy=False), Catalog(fuzzy=False)
    known.add("by %(what)s", translation)
    said.add("by %(what)s")

    assert [line.partition(":")[0] for line in messages.wanting(known, said)] == [
        problem if problem != "placeholders" else "placeholders that the message does not have"
    ]


class _Words(HTMLParser):
    """Collects what people read of a page: text outside of style sheets, and some attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._in_style = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style += tag in ("style", "mj-style")
        self.texts += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_endtag(self, tag: str) -> None:
        self._in_style -= tag in ("style", "mj-style")

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.texts.append(data)


def words_of(text: str, is_html: bool) -> set[str]:
    if is_html:
        parser = _Words()
        parser.feed(text)
        parser.close()
        text = " ".join(parser.texts)
    return set(re.findall(r"[^\W\d_]+", text))


def printed(node: nodes.Node) -> Iterator[str]:
    """Texts in an expression that end up in the mail as they are."""
    match node:
        case nodes.Const(value=str(text)):
            # The filter `format` fills in "%3s".
            yield re.sub(r"%[-\d.]*[a-z]", "", text)
        case nodes.Concat() | nodes.Add() | nodes.Mul() | nodes.Or() | nodes.And() | nodes.List() | nodes.Tuple():
            for each in node.iter_child_nodes():
                yield from printed(each)
        case nodes.CondExpr():
            yield from printed(node.expr1)
            if node.expr2:
                yield from printed(node.expr2)
        case nodes.Filter():
            if node.node:
                yield from printed(node.node)
            for each in node.args if node.name in ("default", "d", "join") else ():
                yield from printed(each)


def untranslated_words(source: str, is_html: bool) -> set[str]:
    """Words of a template that readers of every language get to see."""
    tree = Environment(autoescape=True).parse(source)
    read = []
    for output in tree.find_all(nodes.Output):
        # What a tag prints must not join the words beside it.
        read += [n.data if isinstance(n, nodes.TemplateData) else f" {' '.join(printed(n))} " for n in output.nodes]
    words = words_of("".join(read), is_html)
    for assign in tree.find_all(nodes.Assign):
        words |= {word for text in printed(assign.node) for word in words_of(text, is_html)}
    return words - NAMES


TEMPLATES = sorted(path for path in shipped("templates").rglob("*.j2") if not path.name.endswith(".css.j2"))


@pytest.mark.parametrize("path", TEMPLATES, ids=[f"{path.parent.name}/{path.name}" for path in TEMPLATES])
def test_templates_have_no_words_that_nobody_can_translate(path: Path) -> None:
    assert untranslated_words(path.read_text(encoding="utf-8"), not path.name.endswith(".txt.j2")) == set()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param("<p>Nothing new {{ day }}</p>", {"Nothing", "new"}, id="text"),
        pytest.param('<img alt="Logo of {{ theme.brand }}" class="big" />', {"Logo", "of"}, id="attribute"),
        pytest.param("<mj-style>p { color: red; }</mj-style><!-- note -->", set(), id="style sheet, comment"),
        pytest.param('{{ "score " ~ paper.score | wrap }}', {"score"}, id="expression"),
        pytest.param('{{ "%3s of %-12s" | format(n, name) }}', {"of"}, id="format"),
        pytest.param('{{ "Yes" if a == "no" else _("No") }}', {"Yes"}, id="either"),
        pytest.param('{% set x = "Untitled" %}{{ title | default("None") }}', {"Untitled", "None"}, id="value"),
        pytest.param('{{ _("Score") }} {{ ngettext("%(num)s a", "%(num)s as", n) }} {{ d | map("nowrap") }}', set()),
        pytest.param('{{ "&zwnj;" * 9 | safe }}{{ "<div role=\\"main\\">" | safe }}PDF', set(), id="no words"),
    ],
)
def test_untranslated_words_are_found(source: str, words: set[str]) -> None:
    assert untranslated_words(source, is_html=True) == words


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("", "en"),
        ("en-US", "en"),
        ("de", "de"),
        ("pt_BR", "pt"),
        ("ZH-Hans-CN", "zh"),
        ("nl", "en"),
        ("../de", "en"),
    ],
)
def test_the_nearest_language_is_found(tag: str, found: str) -> None:
    language = find_language(tag)

    assert (language.tag, language.dir) == (found, "ltr")


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("en", ("20 Nov", "20 Nov 2026", "Fri 20 Nov", "Friday, 20 November 2026", "Friday")),
        ("de", ("20. Nov.", "20. Nov. 2026", "Fr., 20. Nov.", "Freitag, 20. November 2026", "Freitag")),
        ("fr", ("20 nov.", "20 nov. 2026", "ven. 20 nov.", "vendredi 20 novembre 2026", "vendredi")),
        ("es", ("20 nov", "20 nov 2026", "vie, 20 nov", "viernes, 20 de noviembre de 2026", "viernes")),
        (
            "pt",
            (
                *("20 de nov.", "20 de nov. de 2026", "sex., 20 de nov."),
                *("sexta-feira, 20 de novembro de 2026", "sexta-feira"),
            ),
        ),
        ("zh", ("11月20日", "2026年11月20日", "11月20日周五", "2026年11月20日星期五", "星期五")),
        ("ja", ("11月20日", "2026年11月20日", "11月20日(金)", "2026年11月20日金曜日", "金曜日")),
    ],
)
def test_dates_are_as_the_language_writes_them(tag: str, said: tuple[str, ...]) -> None:
    language = find_language(tag)
    ways = language.short_date, language.full_date, language.weekday_date, language.long_date, language.weekday

    assert tuple(way(DAY) for way in ways) == said


@pytest.mark.parametrize(
    ("tag", "numbers", "words"),
    [
        ("en", ("999", "1,234", "9.4", "6"), "a, b and c"),
        ("de", ("999", "1.234", "9,4", "6"), "a, b und c"),
        ("fr", ("999", "1\u202f234", "9,4", "6"), "a, b et c"),
        ("es", ("999", "1.234", "9,4", "6"), "a, b y c"),
        ("pt", ("999", "1.234", "9,4", "6"), "a, b e c"),
        ("zh", ("999", "1,234", "9.4", "6"), "a、b和c"),
        ("ja", ("999", "1,234", "9.4", "6"), "a、b、c"),
    ],
)
def test_numbers_and_lists_are_as_the_language_writes_them(tag: str, numbers: tuple[str, ...], words: str) -> None:
    language = find_language(tag)

    assert tuple(language.number(number) for number in (999, 1234, 9.4, 6.0)) == numbers
    assert [language.listed(("a", "b", "c")), language.listed(("a",)), language.listed(())] == [words, "a", ""]


@pytest.mark.parametrize("tag", ["", "en", "de-AT", "pt_BR", "ZH-Hant"])
def test_of_a_language_that_the_mail_speaks_there_is_nothing_to_note(tag: str) -> None:
    assert note_language(tag) == ""


@pytest.mark.parametrize("tag", ["nl", "klingon", "xx-DE"])
def test_of_another_language_it_is_noted_that_the_mail_speaks_english(tag: str) -> None:
    assert find_language(tag).tag == "en"
    assert note_language(tag).startswith(f"mails in {tag} have their own words in English; there are words in en, de,")


@given(tag=st.sampled_from(LANGUAGES), number=st.integers(0, 10**9))
def test_every_language_counts(tag: str, number: int) -> None:
    language = find_language(tag)

    said = language.count("%(num)s paper for %(name)s", "%(num)s papers for %(name)s", number, name="100 % Ada")

    assert language.number(number) in said
    assert "100 % Ada" in said


def test_what_a_catalogue_lacks_is_english(tmp_path: Path) -> None:
    folder = write_catalogue(
        tmp_path,
        'msgid "trend"\nmsgstr "Trend"\n\n#, fuzzy\nmsgid "author"\nmsgstr "Autor"\n\nmsgid "words"\nmsgstr ""\n\n'
        'msgid "%(num)s paper"\nmsgid_plural "%(num)s papers"\nmsgstr[0] "%(num)s Artikelchen"\nmsgstr[1] ""\n',
    )
    language = read_language("de", folder)

    assert [language.say(each) for each in ("trend", "author", "words", "new")] == ["Trend", "author", "words", "new"]
    assert language.count("%(num)s paper", "%(num)s papers", 1) == "1 Artikelchen"
    assert language.count("%(num)s paper", "%(num)s papers", 2) == "2 papers"


def test_no_catalogue_is_english_with_dates_of_its_own(tmp_path: Path) -> None:
    language = read_language("fr", tmp_path)

    assert language.say("by %(what)s", what="Ada") == "by Ada"
    assert language.short_date(DAY) == "20 nov."


@pytest.mark.parametrize(
    "translation",
    [
        pytest.param("von %(nmae)s", id="misspelt"),
        pytest.param("von %s", id="without a name"),
        pytest.param("von %(name)d", id="a number"),
        pytest.param("zu 100 % von %(name)s", id="bare percent sign"),
        pytest.param("von %(name", id="not closed"),
    ],
)
def test_a_translation_that_cannot_be_filled_in_is_not_used(tmp_path: Path, translation: str) -> None:
    folder = write_catalogue(
        tmp_path,
        f'msgid "by %(name)s"\nmsgstr "{translation}"\n\nmsgid "%(num)s by %(name)s"\n'
        f'msgid_plural "%(num)s of %(name)s"\nmsgstr[0] "%(num)s von %(name)s"\nmsgstr[1] "{translation}"\n',
    )
    language = read_language("de", folder)

    assert language.say("by %(name)s", name="Ada") == "by Ada"
    assert language.count("%(num)s by %(name)s", "%(num)s of %(name)s", 2, name="Ada") == "2 of Ada"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"garbage\n", id="no catalogue"),
        pytest.param(b'msgid "a"\nmsgstr "\xff"\n', id="not UTF-8"),
        pytest.param(b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=none\\n"\n', id="unknown charset"),
        pytest.param(
            b'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n;\\n"\n\nmsgid "a"\nmsgstr "b"\n', id="plurals"
        ),
    ],
)
def test_a_broken_catalogue_is_named_and_costs_no_mail(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "de.po").write_bytes(content)

    with pytest.raises(RenderError, match=r"de\.po: "):
        read_language("de", tmp_path)
    language = find_language("de-AT", tmp_path)

    assert language.say("by %(what)s", what="Ada") == "by Ada"
    assert "de.po" in caplog.text
