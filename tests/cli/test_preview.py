"""``digest preview`` as a process: the files it writes, what it says, and how it ends."""

from tests.cli.home import FRIDAY, Home


def test_a_mail_can_be_seen_in_another_template_theme_and_language(readers: Home) -> None:
    shown = readers.digest("preview", "Ada", "--template", "compact", "--theme", "ink", "--language", "de", now=FRIDAY)

    assert shown.code == 0
    assert shown.out.startswith("Ada: ")
    page = (readers.folder / "var/preview/ada.html").read_text()
    assert '<html lang="de"' in page
    assert "reader@example.org" in (readers.folder / "var/preview/ada.headers.txt").read_text()


def test_a_letter_needs_no_subscriber(home: Home) -> None:
    shown = home.digest("preview", "--template", "confirm", "--language", "nl", now=FRIDAY)

    assert shown.code == 0
    assert shown.out.startswith("note: mails in nl have their own words in English; ")
    assert "\nconfirm: an invented letter, " in shown.out
    assert (home.folder / "var/preview/confirm.html").exists()


def test_a_template_that_is_broken_costs_only_its_readers(readers: Home) -> None:
    looks = readers.folder / "looks" / "compact"
    looks.mkdir(parents=True)
    (looks / "subject.txt.j2").write_text("{{ cuont }}\n")
    readers.env["DIGEST_TEMPLATES"] = "looks"
    people = readers.folder / "subscribers.yaml"
    people.write_text(people.read_text().replace('"name": "Ben"', '"name": "Ben", "template": "compact"'))

    shown = readers.digest("preview", now=FRIDAY)

    assert shown.code == 2
    assert "looks/compact/subject.txt.j2:1: 'cuont' is undefined" in shown.err
    assert sorted(path.name for path in (readers.folder / "var/preview").iterdir()) == [
        "ada.headers.txt",
        "ada.html",
        "ada.txt",
    ]


def test_pictures_need_a_browser_and_a_page_needs_none(home: Home) -> None:
    missing = home.digest("preview", "--matrix", "shots", "--browser", "netscape")
    both = home.digest("preview", "--matrix", "shots", "--serve")

    assert (missing.code, both.code) == (2, 2)
    assert "Chromium: there is no program 'netscape'" in missing.err
    assert "--serve and --matrix are two things" in both.err
    assert not (home.folder / "shots").exists()
