"""``digest lint`` judges what is shipped and what is the operator's own."""

import json

from tests.cli.home import Home
from tests.lint.neat import FILES


def own_template(home: Home, **changes: str) -> None:
    folder = home.folder / "mine" / "neat"
    folder.mkdir(parents=True)
    for name, text in (dict(FILES) | {f"{name.replace('_', '.')}.j2": text for name, text in changes.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    home.env["DIGEST_TEMPLATES"] = "mine"
    # Without SpamAssassin, which is slow.
    home.env["PATH"] = ""


def test_a_template_without_faults_is_let_through(home: Home) -> None:
    done = home.digest("lint", "confirm", "--theme", "paper", "--language", "de")

    assert (done.code, done.err) == (0, "")
    assert "1 look judged, no errors, no warnings" in done.out


def test_findings_name_file_and_line_and_who_has_them(home: Home) -> None:
    own_template(home, footer_mjml='<mj-text>\n<p><a href="nowhere">Web</a></p>\n</mj-text>\n', footer_txt="\n")

    done = home.digest("lint", "neat")
    told = home.digest("lint", "neat", "--theme", "paper", "--language", "nl", "--json")

    assert (done.code, told.code) == (1, 1)
    assert "error mine/neat/footer.mjml.j2:2: the link 'nowhere' has no scheme [links]" in done.out
    assert "  hint: links of a mail begin with https://" in done.out
    assert "  in neat/ink, neat/paper, neat/plain" in done.out
    assert done.last_line.startswith("note: spamassassin is not installed")
    (finding,) = [each for each in json.loads(told.out) if each["rule"] == "links"]
    assert (finding["file"], finding["line"], finding["in"]) == ("mine/neat/footer.mjml.j2", 2, ["neat/paper"])


def test_what_cannot_be_judged_is_an_error_of_its_own(home: Home) -> None:
    own_template(home, card_mjml="<mj-text><p>{{ paper.titel }}</p></mj-text>")

    broken = home.digest("lint", "neat", "confirm", "--theme", "paper")

    assert broken.code == 2
    assert "mine/neat/card.mjml.j2:1: " in broken.err
    assert "titel" in broken.err
    assert "1 look judged, no errors" in broken.out


def test_a_template_that_is_not_there_was_not_judged(home: Home) -> None:
    done = home.digest("lint", "nosuch", "--theme", "paper")

    assert done.code == 2
    assert "unknown template 'nosuch'" in done.err
    assert "no looks judged, no errors, no warnings" in done.out
