from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.deliver.folder import FolderBackend
from digest.errors import StoreError, UnreachableError
from tests.deliver.mail import a_message


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_message_is_three_files(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"

    parts = EmailMessage(policy.SMTP)
    parts.set_content("Two papers.\n")
    parts.add_alternative("<p>Two papers.</p>\n", subtype="html")

    receipt = FolderBackend(folder).deliver(a_message(raw=parts.as_bytes()), lambda: None)

    assert names(folder) == ["ada-1.eml", "ada-1.html", "ada-1.txt"]
    assert (folder / "ada-1.eml").read_bytes() == parts.as_bytes()
    assert (folder / "ada-1.html").read_text() == "<p>Two papers.</p>\n"
    assert (folder / "ada-1.txt").read_text() == "Two papers.\n"
    assert (receipt.code, receipt.text) == (250, "written to ada-1.eml")


def test_the_same_edition_again_replaces_itself(tmp_path: Path) -> None:
    for raw in (b"1\r\n", b"2\r\n"):
        FolderBackend(tmp_path).deliver(a_message(raw=raw), lambda: None)

    assert len(names(tmp_path)) == 3
    assert (tmp_path / "ada-1.eml").read_bytes() == b"2\r\n"


def test_without_a_durable_ledger_nothing_appears(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def fail() -> None:
        seen.append(names(tmp_path))
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        FolderBackend(tmp_path).deliver(a_message(), fail)

    assert seen == [[".ada-1.eml.part", ".ada-1.html.part", ".ada-1.txt.part"]]
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "message_id", ["<../../etc/passwd@x>", "<a/b\\c:d\0e@x>", "<...@x>", "<" + "x" * 400 + "@x>", ""]
)
def test_names_are_safe(tmp_path: Path, message_id: str) -> None:
    folder = tmp_path / "out"

    FolderBackend(folder).deliver(a_message(message_id=message_id), lambda: None)

    assert names(tmp_path) == ["out"]
    assert len(names(folder)) == 3
    assert not any(name.startswith(".") for name in names(folder))


def test_a_folder_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UnreachableError, match="cannot be written") as caught:
        FolderBackend(tmp_path / "file").deliver(a_message(), lambda: None)
    assert caught.value.where == str(tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_stops_the_run_and_leaves_no_half_message(tmp_path: Path) -> None:
    (tmp_path / ".ada-1.eml.part").symlink_to("/dev/full")

    with pytest.raises(UnreachableError, match="No space left"):
        FolderBackend(tmp_path).deliver(a_message(), lambda: None)

    assert names(tmp_path) == []
