"""Templates and themes of one's own: copied, listed, checked; what becomes of mail where they are broken."""

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from digest.cli import app
from digest.errors import ConfigError
from digest.paths import shipped
from tests.cli.home import SATURDAY, Home, address, arxiv, parsed, reader
from tests.collect.evil_http import EvilHttp
from tests.deliver.evil_smtp import EvilSmtp


def columns(out: str, name: str) -> list[str]:
    """What a listing says of a name: the words of its row."""
    (row,) = (line for line in out.splitlines() if line.split()[:1] == [name])
    return re.split(r" {2,}", row.strip())


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["templates", *words])


def test_what_is_copied_is_used_in_place_of_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nowhere = call("eject", "card")
    assert isinstance(nowhere.exception, ConfigError)
    assert str(nowhere.exception).startswith("DIGEST_TEMPLATES is not set")

    for name in ("card", "weekly/section", "daily", "compact/extra", "theme:ink"):
        assert "next: set DIGEST_TEMPLATES=mine" in call("eject", name, "--to", "mine").output
    assert sorted(str(path) for path in Path("mine").rglob("*.*")) == [
        "mine/compact/extra.css.j2",
        "mine/daily/body.mjml.j2",
        "mine/daily/body.txt.j2",
        "mine/daily/subject.txt.j2",
        "mine/parts/card.mjml.j2",
        "mine/parts/card.txt.j2",
        "mine/themes/ink.yaml",
        "mine/weekly/section.mjml.j2",
        "mine/weekly/section.txt.j2",
    ]
    for shared in ("themes/ink.yaml", "parts/card.mjml.j2", "daily/subject.txt.j2"):
        assert Path("mine", shared).read_bytes() == (shipped("templates") / shared).read_bytes()

    monkeypatch.setenv("DIGEST_TEMPLATES", "mine")
    Path("mine/parts/card.txt.j2").unlink()
    listed = call().output
    assert "yours:   mine\n" in listed
    assert columns(listed, "card")[1:] == ["card.mjml.j2", "card.txt.j2"]
    assert columns(listed, "extra")[1:] == ["extra.css.j2"]
    assert columns(listed, "compact")[1] == "extra.css.j2"
    assert columns(listed, "ink")[1:] == ["ink.yaml"]
    assert columns(listed, "daily")[1:] == ["body.mjml.j2, body.txt.j2, subject.txt.j2"]
    # Yours come first.
    assert listed.index(" yours ") < listed.index(" shipped")


def test_nothing_is_overwritten_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = Path("mine/parts/card.txt.j2")
    mine.parent.mkdir(parents=True)
    mine.write_text("mine\n")
    monkeypatch.setenv("DIGEST_TEMPLATES", "mine")

    refused = call("eject", "card")

    assert str(refused.exception) == f"{mine}: the file exists already\n  hint: --force replaces it"
    assert mine.read_text() == "mine\n"
    assert not mine.with_name("card.mjml.j2").exists()

    assert "next: edit, and look:  digest preview --open" in call("eject", "card", "--force").output
    assert mine.read_bytes() == (shipped("templates") / "parts/card.txt.j2").read_bytes()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dialy", "did you mean 'daily'? "),
        ("theme:ikn", "did you mean 'theme:ink'? "),
        ("weekly/nothing", "did you mean"),
        ("../x", ""),
        ("parts", ""),
        ("themes/../parts/card", ""),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)

    error = call("eject", name, "--to", "mine").exception

    assert isinstance(error, ConfigError)
    assert error.problem == f"no template, part or theme is called {name!r}"
    assert error.hint.endswith("digest templates lists them all")
    assert hint in error.hint
    assert not Path("mine").exists()


def test_a_broken_template_waits_or_what_is_shipped_goes_out_in_its_place(home: Home, http: EvilHttp) -> None:
    mine = home.folder / "mine"
    (mine / "themes").mkdir(parents=True)
    shutil.copytree(shipped("templates") / "daily", mine / "ours")
    (mine / "themes/ours.yaml").write_text("brand: Example Group\n")
    card = mine / "ours/card.txt.j2"
    card.write_text("{% for author in %}\n")
    home.env["DIGEST_TEMPLATES"] = "mine"
    home.subscribe(
        reader("Ada", template="ours", theme="ours"),
        reader("Ben", template="daily", theme="plain"),
        sources=[arxiv(http)],
    )
    with EvilSmtp() as smtp:
        home.mail_to(smtp)
        held = home.run()
        assert held.code == 2
        assert "error mine/ours/card.txt.j2:1: " in held.err
        assert "until then no mail for ada" in held.err
        assert smtp.recipients == [address("Ben")]

        card.write_text("{{ papr.title }}\n")
        tried = home.digest("check", now=SATURDAY)
        assert tried.code == 2
        assert "error mine/ours/card.txt.j2:1: 'papr' is undefined" in tried.err

        home.env["DIGEST_BROKEN_TEMPLATE"] = "builtin"
        replaced = home.run()
        assert replaced.code == 2
        assert "mine/ours/card.txt.j2:1: 'papr' is undefined" in replaced.out + replaced.err
        assert smtp.recipients == [address("Ben"), address("Ada")]

    html = parsed(smtp.accepted[1]).get_body(("html",))
    assert html
    # The theme is not broken.
    assert "Example Group" in str(html.get_content())


def test_check_notes_colours_that_are_hard_to_read_and_languages_without_words(home: Home, http: EvilHttp) -> None:
    (home.folder / "mine/themes").mkdir(parents=True)
    (home.folder / "mine/themes/ours.yaml").write_text('light: {muted: "#a0a0a0"}\n')
    home.env["DIGEST_TEMPLATES"] = "mine"
    home.subscribe(
        reader("Ada", theme="ours", language="nl"), reader("Ben", theme="ink", language="pt-BR"), sources=[arxiv(http)]
    )

    done = home.digest("check", now=SATURDAY)

    notes = [line for line in done.out.splitlines() if line.startswith("note: ") and "not set" not in line]
    assert done.code == 0, done.err
    assert notes[0].startswith("note: mails in nl have their own words in English; ")
    assert "note: theme ours, light: muted #a0a0a0 on sheet #fdfcf9: 2.54:1 is hard to read" in "\n".join(notes)
    assert all(" muted #a0a0a0 on " in note for note in notes[1:])
    assert len(notes) == 4


def test_check_names_what_is_wrong_in_a_theme(home: Home, http: EvilHttp) -> None:
    (home.folder / "mine/themes").mkdir(parents=True)
    (home.folder / "mine/themes/ours.yaml").write_text("brnad: x\nlogo: missing.png\n")
    home.env["DIGEST_TEMPLATES"] = "mine"
    home.subscribe(reader("Ada", theme="ours"), reader("Ben", theme="papre"), sources=[arxiv(http)])

    done = home.digest("check", now=SATURDAY)

    assert done.code == 2
    assert "error mine/themes/ours.yaml:1: unknown key 'brnad'\n  hint: did you mean 'brand'?" in done.err
    assert "until then no mail for ada" in done.err
    assert "error unknown theme 'papre'\n  hint: did you mean 'paper'? known: ink, ours, paper, plain" in done.err
    assert Path(home.folder / "var").exists() is False
