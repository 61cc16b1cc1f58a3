"""Single keys of the subscribers file are changed, and nothing else in it."""

import os
import stat
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.config.edit import RosterFile
from digest.config.subscribers import load_subscribers
from digest.config.yaml_lines import read_yaml
from digest.errors import ConfigError
from digest.model import DateSpan, SubscriberId

ADA, BEN = SubscriberId("ada"), SubscriberId("ben")
SPAN = DateSpan(date(2026, 11, 22), date(2026, 12, 6))
HEAD = "sources:\n  - arxiv: [cs.CL]   # all of it\n"
PLAIN = (
    HEAD
    + """
subscribers:
  # The lab's own.
  - name: Ada            # since 2024
    # at the lab
    email: "ada@example.org"
    topics:
      - {name: T, any: [fog]}   # odd   spacing stays

  - email: ben@example.org
    name: Ben
    topics: [{name: T, any: [rain]}]
"""
)


def a_file(folder: Path, text: str) -> Path:
    path = folder / "subscribers.yaml"
    path.write_bytes(text.encode())
    return path


def changed_lines(path: Path, before: str) -> list[str]:
    """Lines that were added; all others must be as they were, in their order."""
    old, new = before.splitlines(keepends=True), path.read_bytes().decode().splitlines(keepends=True)
    added = []
    for line in new:
        if old and line == old[0]:
            old.pop(0)
        else:
            added.append(line)
    assert not old, "a line is gone or changed"
    return added


@pytest.mark.parametrize(
    ("reader", "line"),
    [
        pytest.param(ADA, "    paused: true  # unsubscribed by mail on 2026-11-22\n", id="after a commented line"),
        pytest.param(BEN, "    paused: true  # unsubscribed by mail on 2026-11-22\n", id="name is not first"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_one_line_is_added_and_every_other_byte_stays(
    tmp_path: Path, reader: SubscriberId, line: str, end: str
) -> None:
    text = PLAIN.replace("\n", end)
    path = a_file(tmp_path, text)
    file = RosterFile(path)

    assert file.pause(reader, "unsubscribed by mail on 2026-11-22")
    file.save()

    assert changed_lines(path, text) == [line.replace("\n", end)]
    left = load_subscribers(path, {})
    assert not left.problems
    assert {each.id for each in left.subscribers} == {ADA, BEN} - {reader}
    assert not RosterFile(path).pause(reader, "again")


QUIET = {
    "none": ("", ["2026-11-22..2026-12-06"]),
    "one date": ("    quiet: 2026-12-24  # Christmas\n", ["2026-11-22..2026-12-06", "2026-12-24"]),
    "a list": (
        "    quiet:\n    # every year\n    - 2026-12-24..2027-01-02  # Christmas\n    - 2027-05-01\n",
        ["2026-11-22..2026-12-06", "2026-12-24..2027-01-02", "2027-05-01"],
    ),
    "a list in brackets": (
        '    quiet: ["2026-12-24", 2027-05-01]\n',
        ["2026-11-22..2026-12-06", "2026-12-24", "2027-05-01"],
    ),
    "an empty list": ("    quiet: []\n", ["2026-11-22..2026-12-06"]),
}


@pytest.mark.parametrize("name", QUIET)
def test_a_pause_is_one_more_quiet_span_and_resuming_ends_it(tmp_path: Path, name: str) -> None:
    before, expected = QUIET[name]
    path = a_file(tmp_path, PLAIN.replace("    # at the lab\n", before))
    file = RosterFile(path)

    assert file.keep_quiet(ADA, SPAN, "paused by mail")
    file.save()

    assert list(RosterFile(path).written[ADA].quiet) == expected
    (ada,) = (each for each in load_subscribers(path, {}).subscribers if each.id == ADA)
    assert SPAN in ada.quiet
    assert ("Christmas" in path.read_text()) == ("Christmas" in before)
    assert not RosterFile(path).keep_quiet(ADA, SPAN, "paused by mail")

    again = RosterFile(path)
    assert again.end_quiet(ADA, date(2026, 11, 25), "resumed by mail")
    again.save()
    assert list(RosterFile(path).written[ADA].quiet) == ["2026-11-22..2026-11-24", *expected[1:]]
    assert not RosterFile(path).end_quiet(ADA, date(2026, 11, 25), "resumed by mail")


def test_what_the_defaults_say_of_quiet_dates_still_holds(tmp_path: Path) -> None:
    path = a_file(tmp_path, "defaults:\n  quiet: [2026-12-24, 2027-05-01]\n" + PLAIN)
    file = RosterFile(path)

    file.keep_quiet(ADA, SPAN, "paused")
    file.save()

    found = {each.id: len(each.quiet) for each in load_subscribers(path, {}).subscribers}
    assert found == {ADA: 3, BEN: 2}


def test_json_and_entries_on_one_line_are_changed_too(tmp_path: Path) -> None:
    for text in (
        '{"sources": [{"arxiv": ["cs.CL"]}],\n "subscribers": [{\n "name": "Ada", "email": "ada@example.org"}]}',
        HEAD + "subscribers:\n- {name: Ada, email: ada@example.org, paused: false}\n",
    ):
        path = a_file(tmp_path, text)
        file = RosterFile(path)
        file.pause(ADA, "unsubscribed")
        file.keep_quiet(ADA, SPAN, "paused")
        file.save()

        found = RosterFile(path).written[ADA]
        assert (found.is_paused, found.quiet) == (True, ("2026-11-22..2026-12-06",))


def test_a_value_is_replaced_and_its_comment_kept(tmp_path: Path) -> None:
    path = a_file(tmp_path, PLAIN.replace("    # at the lab\n", "    paused: false   # she is back\n"))
    file = RosterFile(path)
    file.pause(ADA, "unsubscribed by mail")
    file.save()

    assert "    paused: true  # unsubscribed by mail   # she is back\n" in path.read_text()


@pytest.mark.parametrize(
    "subscribers",
    [
        pytest.param("  - &one {name: Ada, email: a@example.org}\n  - *one\n", id="an entry that is two"),
        pytest.param("  - name: &n Ben\n    paused: &p false\n  - name: Ada\n    paused: *p\n", id="an alias"),
        pytest.param("  - name: Ada\n    paused: &p false\n  - name: Ben\n    paused: *p\n", id="what an alias names"),
        pytest.param("  - name: Ada\n    paused: !!bool false\n", id="a tag"),
        pytest.param("  - name: |\n      Ada\n    email: >\n      x\n", id="no value on one line"),
    ],
)
def test_what_cannot_be_changed_alone_is_left_for_a_person(tmp_path: Path, subscribers: str) -> None:
    text = f"{HEAD}subscribers:\n{subscribers}"
    path = a_file(tmp_path, text)
    file = RosterFile(path)
    reader = next(iter(file.written)) if "|" in subscribers else ADA

    def change() -> None:
        file.pause(reader, "x")
        file.save()

    with pytest.raises(ConfigError, match=r"alias|several|one line|without changing others") as error:
        change()

    assert error.value.hint == "change it by hand"
    assert path.read_text() == text


def test_two_changes_of_one_entry_and_of_others_go_together(tmp_path: Path) -> None:
    path = a_file(tmp_path, PLAIN)
    file = RosterFile(path)

    file.keep_quiet(ADA, SPAN, "paused")
    file.keep_quiet(ADA, DateSpan(date(2027, 1, 1), date(2027, 1, 2)), "paused")
    file.pause(BEN, "unsubscribed")
    assert file.diff().count("\n+") == 3
    assert "@example.org" not in file.diff()
    file.save()

    found = RosterFile(path).written
    assert found[ADA].quiet == ("2027-01-01..2027-01-02", "2026-11-22..2026-12-06")
    assert found[BEN].is_paused


def test_pauses_do_not_add_up_to_what_the_file_may_not_hold(tmp_path: Path) -> None:
    path = a_file(tmp_path, PLAIN)
    file = RosterFile(path)
    for year in (2026, 2027):
        file.keep_quiet(ADA, DateSpan(date(year, 1, 1), date(year + 1, 1, 2)), "paused")

    with pytest.raises(ConfigError, match="days are quiet"):
        file.keep_quiet(ADA, DateSpan(date(2028, 1, 1), date(2029, 1, 1)), "paused")
    file.save()

    assert not load_subscribers(path, {}).problems


def test_a_file_that_somebody_else_changes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = a_file(tmp_path, PLAIN)
    file = RosterFile(path)
    file.pause(ADA, "unsubscribed")
    theirs = PLAIN.replace("rain", "snow")
    path.write_text(theirs)

    with pytest.raises(ConfigError, match="changed by somebody else"):
        file.save()

    assert path.read_text() == theirs
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_mode_and_links_stay(tmp_path: Path) -> None:
    real = a_file(tmp_path, PLAIN)
    real.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(real.name)
    file = RosterFile(link)
    file.pause(ADA, "unsubscribed")
    file.save()

    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert "paused: true" in real.read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = a_file(tmp_path, PLAIN)
    file = RosterFile(path)
    file.pause(ADA, "unsubscribed")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="cannot be written"):
            file.save()
    finally:
        tmp_path.chmod(0o700)


def test_a_byte_order_mark_stays(tmp_path: Path) -> None:
    path = a_file(tmp_path, "\ufeff" + PLAIN)
    file = RosterFile(path)
    file.pause(ADA, "unsubscribed")
    file.save()

    assert path.read_bytes().startswith(b"\xef\xbb\xbfsources")
    assert RosterFile(path).written[ADA].is_paused


_WORDS = st.text(st.sampled_from("ab #:'\"-{}[],&*!|>é\n"), max_size=12)
_ENTRY = st.sampled_from(
    [
        "  - name: N{n}\n    email: a{n}@example.org # {c}\n",
        "  - email: a{n}@example.org\n    # {c}\n    name: N{n}\n    quiet: [2026-12-24]\n",
        "  - {{name: N{n}, email: a{n}@example.org}}   # {c}\n",
        "  -\n    name: 'N{n}'\n\n    paused: no # {c}\n    email: x@example.org\n",
        "  - name: N{n}\n    topics:\n      - name: T   # {c}\n        any: [x]\n    quiet:\n    - 2026-12-24 # {c}\n",
    ]
)


@given(st.lists(st.tuples(_ENTRY, _WORDS), min_size=1, max_size=4), st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_file_only_what_was_meant_changes(
    tmp_path: Path, entries: list[tuple[str, str]], data: st.DataObject
) -> None:
    body = "".join(
        entry.format(n=number, c=comment.replace("\n", " ")) for number, (entry, comment) in enumerate(entries)
    )
    path = a_file(tmp_path, f"{HEAD}subscribers:\n{body}# the end")
    before = read_yaml(path).value
    chosen = data.draw(st.integers(0, len(entries) - 1))
    file = RosterFile(path)
    is_pause = data.draw(st.booleans())
    key, value = ("paused", True) if is_pause else ("quiet", "2026-11-22..2026-12-06")

    if is_pause:
        file.pause(SubscriberId(f"n{chosen}"), "unsubscribed")
    else:
        file.keep_quiet(SubscriberId(f"n{chosen}"), SPAN, "paused")
    file.save()

    after = read_yaml(path).value
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    entry = after["subscribers"][chosen]
    assert entry[key] is value if is_pause else entry[key][0] == value
    for both in (before, after):
        both["subscribers"][chosen].pop(key, None)
    assert before == after
    text = path.read_text()
    assert all(comment.replace("\n", " ").strip() in text for _, comment in entries)
