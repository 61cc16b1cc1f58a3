"""Each template with each theme that is used; what becomes of those that are broken."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from digest.app import LiveWorld
from digest.looks import Look, load_looks, template_folders
from digest.paths import shipped
from digest.render.compose import compose_message
from digest.render.theme import Theme
from tests.builders import NOW, a_match, an_edition

PAPER, INK = ("daily", "paper"), ("daily", "ink")
BROKEN = "{% for paper in %}\n"

Mine = Callable[..., tuple[Path, ...]]


@pytest.fixture
def mine(tmp_path: Path) -> Mine:
    """Writes files into a folder of the operator's; gives the folders."""

    def mine(**files: str) -> tuple[Path, ...]:
        for name, text in files.items():
            path = tmp_path / "mine" / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return template_folders(tmp_path / "mine")

    return mine


def is_shipped(files: tuple[Path, ...]) -> bool:
    return all(path.is_relative_to(shipped("templates")) for path in files)


def test_each_look_is_compiled_once_with_its_theme() -> None:
    looks = load_looks([PAPER, INK, PAPER], template_folders(None))

    assert looks.templates.keys() == {PAPER, INK}
    assert [looks.templates[look].theme.name for look in (PAPER, INK)] == ["paper", "ink"]
    assert not looks.problems
    assert not looks.fallbacks


def test_mail_with_a_broken_template_waits(mine: Mine) -> None:
    folders = mine(daily__card_txt_j2=BROKEN)

    looks = load_looks([PAPER, INK, ("weekly", "paper")], folders)

    assert looks.templates.keys() == {("weekly", "paper")}
    assert not looks.fallbacks
    # One mistake is told once, though it is in the way of two.
    ((problem, concerned),) = looks.problems.items()
    assert problem.where.endswith("mine/daily/card.txt.j2:1")
    assert concerned == (INK, PAPER)


def test_what_is_shipped_stands_in_for_what_is_broken(mine: Mine) -> None:
    folders = mine(daily__card_txt_j2=BROKEN, ours__subject_txt_j2="Papers", ours__card_txt_j2=BROKEN)

    looks = load_looks([INK, ("ours", "ink")], folders, builtin=True)

    assert {look: template.name for look, template in looks.templates.items()} == {
        INK: "daily",
        ("ours", "ink"): "daily",
    }
    assert all(is_shipped(template.files) and template.theme.name == "ink" for template in looks.templates.values())
    assert [problem.where.rpartition("mine/")[2] for problem in looks.problems] == [
        "daily/card.txt.j2:1",
        "ours/card.txt.j2:1",
    ]


def test_a_template_that_compiles_is_used_and_what_is_shipped_is_at_hand(mine: Mine) -> None:
    folders = mine(daily__card_txt_j2="{{ paper.title }}\n")

    looks = load_looks([PAPER], folders, builtin=True)

    assert not looks.problems
    assert not is_shipped(looks.templates[PAPER].files)
    assert is_shipped(looks.fallbacks[PAPER].files)


@pytest.mark.parametrize("own", [True, False])
def test_an_unknown_template_is_told_and_daily_stands_in_if_it_may(mine: Mine, own: bool) -> None:
    folders = mine(themes__x_yaml="") if own else template_folders(None)
    unknown: Look = ("dialy", "paper")

    held, replaced = load_looks([unknown], folders), load_looks([unknown], folders, builtin=True)

    assert not held.templates
    assert replaced.templates[unknown].name == "daily"
    for looks in (held, replaced):
        ((problem, concerned),) = looks.problems.items()
        assert "unknown template 'dialy'" in str(problem)
        assert "did you mean 'daily'?" in problem.hint
        assert concerned == (unknown,)


def test_a_broken_theme_is_told_line_by_line_and_costs_only_its_readers(mine: Mine) -> None:
    folders = mine(themes__ours_yaml="brand: Ours\nlight: {link: blue}\nfont: a;b\n", daily__card_txt_j2="x\n")
    ours: Look = ("daily", "ours")

    held, replaced = load_looks([PAPER, ours], folders), load_looks([PAPER, ours], folders, builtin=True)

    assert held.templates.keys() == {PAPER}
    assert replaced.templates[ours].theme == Theme()
    # Only the theme is broken: the operator's template is used all the same.
    assert not is_shipped(replaced.templates[ours].files)
    for looks in (held, replaced):
        assert [problem.where.rpartition(":")[2] for problem in looks.problems] == ["2", "3"]
        assert set(looks.problems.values()) == {(ours,)}


def test_a_service_notices_changed_templates_and_themes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    themes, card = Path("mine/themes"), Path("mine/daily/card.txt.j2")
    themes.mkdir(parents=True)
    monkeypatch.setenv("DIGEST_TEMPLATES", "mine")
    Path("subscribers.yaml").write_text(
        "sources: [{huggingface: daily}]\n"
        "subscribers: [{name: Ada, email: ada@example.org, trending: 5, theme: ours}]\n"
    )
    live = LiveWorld(lambda: NOW)
    try:
        assert live.load().subscribers == ()

        (themes / "ours.yaml").write_text("brand: Ours\n")
        world = live.load()
        assert [each.name for each in world.subscribers] == ["Ada"]
        assert world.templates["daily", "ours"].theme.brand == "Ours"
        assert live.load() is world

        card.parent.mkdir()
        card.write_text(BROKEN)
        assert live.load().subscribers == ()
        assert [problem.where for problem in live.config.roster.problems] == [f"{card}:1"]

        card.unlink()
        assert len(live.load().subscribers) == 1
    finally:
        # From Python 3.13 on, an open database that is forgotten is a warning.
        live.load().papers._engine.dispose()  # type: ignore[attr-defined]  # a store may be of another kind


class Shown(HTMLParser):
    """What people see of an HTML page."""

    text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_words_of_a_theme_are_shown_as_they_are_written(mine: Mine) -> None:
    words = """A & B <b>"C"</b> %(x)s \\1 &amp; it's"""
    folders = mine(themes__ours_yaml="".join(f"{key}: {json.dumps(words)}\n" for key in ("brand", "footer", "postal")))
    template = load_looks([("daily", "ours")], folders).templates["daily", "ours"]
    edition = an_edition(matched=(a_match(),))

    message = compose_message(edition, template, sender="digest@example.org", now=NOW)

    shown = Shown()
    shown.feed(message.html)
    assert " ".join(message.text.split()).count(words) >= 2
    assert message.text.startswith(words.upper())
    assert " ".join(shown.text.split()).count(words) >= 3


@pytest.mark.parametrize("name", ["confirm", "notice"])
def test_nobody_is_subscribed_to_letters(name: str) -> None:
    looks = load_looks([(name, "paper")], template_folders(None))

    assert not looks.templates
    ((problem, _),) = looks.problems.items()
    assert problem.problem == f"the template '{name}' shows no papers: it is for letters"
