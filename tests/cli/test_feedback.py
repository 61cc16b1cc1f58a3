from tests.cli.home import FRIDAY, SATURDAY, SUNDAY, Home

FIRST, SECOND = "arxiv:2611.00001", "arxiv:2611.00002"


def test_what_is_said_is_remembered_listed_and_taken_back(readers: Home) -> None:
    assert readers.digest("collect", now=FRIDAY).code == 0
    nothing = readers.digest("feedback", "Ada")
    assert (nothing.code, nothing.out) == (0, "Ada said nothing of any paper yet\n")

    more = readers.digest("feedback", "ada", "2611.00001", "more", now=FRIDAY)
    assert (more.code, more.out) == (0, f"Invented Paper 1\n{FIRST}, Ada: more like this\n")
    less = readers.digest("feedback", "Ada", "invented paper 2", "less", now=SATURDAY)
    assert (less.code, less.out) == (0, f"Invented Paper 2\n{SECOND}, Ada: less like this\n")

    assert said(readers) == [
        ["2026-11-21", "08:00", "less", "Invented", "Paper", "2", SECOND],
        ["2026-11-20", "08:00", "more", "Invented", "Paper", "1", FIRST],
    ]
    assert readers.digest("feedback", "Ben").out == "Ben said nothing of any paper yet\n"

    readers.digest("feedback", "Ada", FIRST, "less", now=SUNDAY)
    back = readers.digest("feedback", "Ada", SECOND, "none")
    assert (back.code, back.out) == (0, f"Invented Paper 2\n{SECOND}, Ada: what was said is taken back\n")
    again = readers.digest("feedback", "Ada", SECOND, "none")
    assert (again.code, again.out) == (0, f"Invented Paper 2\n{SECOND}, Ada: nothing had been said\n")
    assert said(readers) == [["2026-11-22", "08:00", "less", "Invented", "Paper", "1", FIRST]]


def said(home: Home) -> list[list[str]]:
    done = home.digest("feedback", "Ada")
    assert done.code == 0
    title, headings, *rows = done.out.splitlines()
    assert (title.strip(), headings.split()) == ("What Ada said", ["when", "(UTC)", "like", "this", "title", "paper"])
    return [row.split() for row in rows if row.strip()]


def test_what_cannot_be_understood_is_said_and_changes_nothing(readers: Home) -> None:
    readers.digest("collect", now=FRIDAY)

    nobody = readers.digest("feedback", "Adda", FIRST, "more")
    assert nobody.code == 2
    assert nobody.err == "error no subscriber is called 'Adda'\n  hint: did you mean 'Ada'? Known: 'Ada', 'Ben'\n"
    unknown = readers.digest("feedback", "Ada", "2611.09999", "more")
    assert unknown.code == 2
    assert "no stored paper is '2611.09999'" in unknown.err
    assert "2 papers are stored; digest collect reads the sources" in unknown.err
    half = readers.digest("feedback", "Ada", FIRST)
    assert half.code == 2
    assert half.err.startswith(f"error nothing is said of '{FIRST}'\n  hint: add more, less or none")
    odd = readers.digest("feedback", "Ada", FIRST, "perhaps")
    assert odd.code == 2
    assert "'perhaps'" in odd.err

    assert readers.digest("feedback", "Ada").out == "Ada said nothing of any paper yet\n"
