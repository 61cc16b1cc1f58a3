import asyncio
from collections.abc import Awaitable, Callable
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.deliver.folder import FolderBackend
from digest.errors import StoreError, UnreachableError
from digest.model import Message, Receipt
from tests.deliver.mail import a_message


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def agree() -> None:
    pass


def deliver(folder: Path, message: Message, before_dot: Callable[[], Awaitable[None]] = agree) -> Receipt:
    return asyncio.run(FolderBackend(folder).deliver(message, before_dot))


def test_a_message_is_three_files(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"

    parts = EmailMessage(policy.SMTP)
    parts.set_content("Two papers.\n")
    parts.add_alternative("<p>Two papers.</p>\n", subtype="html")

    receipt = deliver(folder, a_message(raw=parts.as_bytes()))

    assert names(folder) == ["ada-1.eml", "ada-1.html", "ada-1.txt"]
    assert (folder / "ada-1.eml").read_bytes() == parts.as_bytes()
    assert (folder / "ada-1.html").read_text() == "<p>Two papers.</p>\n"
    assert (folder / "ada-1.txt").read_text() == "Two papers.\n"
    assert (receipt.code, receipt.text) == (250, "written to ada-1.eml")
    # Addresses and tokens are in it.
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_same_edition_again_replaces_itself(tmp_path: Path) -> None:
    for raw in (b"1\r\n", b"2\r\n"):
        deliver(tmp_path, a_message(raw=raw))

    assert len(names(tmp_path)) == 3
    assert (tmp_path / "ada-1.eml").read_bytes() == b"2\r\n"


def test_many_at_once_are_all_written(tmp_path: Path) -> None:
    async def deliver_all() -> None:
        backend = FolderBackend(tmp_path)
        messages = [a_message(f"r{number}@example.org", raw=b"%d\r\n" % number) for number in range(20)]

        async def wait() -> None:
            await asyncio.sleep(0.01)

        await asyncio.gather(*[backend.deliver(message, wait) for message in messages])
        await backend.close()

    asyncio.run(deliver_all())

    assert {path.read_bytes() for path in tmp_path.glob("*.eml")} == {b"%d\r\n" % number for number in range(20)}


@pytest.mark.parametrize("error", [StoreError("the disk is full"), asyncio.CancelledError()])
def test_without_a_durable_ledger_nothing_appears(tmp_path: Path, error: BaseException) -> None:
    seen: list[list[str]] = []

    async def fail() -> None:
        seen.append(names(tmp_path))
        raise error

    with pytest.raises(type(error)):
        deliver(tmp_path, a_message(), fail)

    assert seen == [[".ada-1.eml.part", ".ada-1.html.part", ".ada-1.txt.part"]]
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "message_id", ["<../../etc/passwd@x>", "<a/b\\c:d\0e@x>", "<...@x>", "<" + "x" * 400 + "@x>", ""]
)
def test_names_are_safe(tmp_path: Path, message_id: str) -> None:
    folder = tmp_path / "out"

    deliver(folder, a_message(message_id=message_id))

    assert names(tmp_path) == ["out"]
    assert len(names(folder)) == 3
    assert not any(name.startswith(".") for name in names(folder))


def test_a_folder_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UnreachableError, match="cannot be written") as caught:
        deliver(tmp_path / "file", a_message())
    assert caught.value.where == str(tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_stops_the_run_and_leaves_no_half_message(tmp_path: Path) -> None:
    (tmp_path / ".ada-1.eml.part").symlink_to("/dev/full")

    with pytest.raises(UnreachableError, match="No space left"):
        deliver(tmp_path, a_message())

    assert names(tmp_path) == []
