"""The file that a SQLite database is: where it lies, which one it is, and who holds its lock."""

import contextlib
import os
from pathlib import Path

from digest.errors import ConfigError
from digest.store.trouble import cannot_write

# Their locks do not reach from machine to machine, or nobody knows whether they do; SQLite's own list of ways to lose a
# database (https://www.sqlite.org/howtocorrupt.html) warns of them.
_NETWORK = frozenset(
    (
        *("afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"),
        *("fuse.ceph", "fuse.davfs2", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
    )
)

_MOUNTS = Path("/proc/self/mountinfo")
_LOCKS = Path("/proc/locks")


def create_file(path: Path) -> None:
    """Create an empty file that only its owner may read: it tells who reads what.

    Raises:
        StoreError: It cannot be.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as exc:
        raise cannot_write(str(path), exc) from exc


def replace_durably(draft: Path, path: Path) -> None:
    """Let a finished file take a name, in one step that a power cut cannot take back.

    Raises:
        OSError: It cannot.
    """
    _sync(draft, os.O_RDWR)
    draft.replace(path)
    _sync(path.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def file_id(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one under its name; ``None`` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def refuse_network(path: Path, mounts: str | None = None) -> None:
    """SQLite's locks cannot be relied on where several machines see the file.

    Args:
        path: Of the database, which need not exist yet.
        mounts: The system's table of mounts, as in proc_pid_mountinfo(5); read if it is not given.

    Raises:
        ConfigError: The path is on a network's file system.
    """
    kind = kind_of_file_system(path, _read(_MOUNTS) if mounts is None else mounts)
    if kind in _NETWORK:
        raise ConfigError(
            f"the file would be on a network's file system ({kind}), where two runs could send the same mail",
            where=str(path),
            hint="set DIGEST_DATABASE_URL to a local file or to PostgreSQL; where only one machine ever uses the file,"
            " add ?network=1 to its address",
        )


def kind_of_file_system(path: Path, mounts: str) -> str:
    """The type of the file system that a path is on, or would be; empty if the table does not say."""
    place, found = os.path.realpath(path), ("", "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        # Spaces and the like are written as octal numbers.
        point = fields[4].encode("latin-1", "backslashreplace").decode("unicode_escape")
        is_above = place == point or place.startswith(point.rstrip("/") + "/")
        # Of two on one point the later one is seen.
        if is_above and len(point) >= len(found[0]):
            found = point, after.split()[0]
    return found[1]


def lock_holders(path: Path) -> list[int]:
    """The ids of other processes that hold a lock for writing; empty where the system does not tell."""
    inodes = {found[1] for name in (path, Path(f"{path}-shm")) if (found := file_id(name))}
    holders = set()
    for line in _read(_LOCKS).splitlines():
        # proc_locks(5): "1: POSIX  ADVISORY  WRITE 1234 08:01:131 120 120"
        fields = line.split()
        with contextlib.suppress(IndexError, ValueError):
            if fields[3] == "WRITE" and int(fields[5].rpartition(":")[2]) in inodes:
                holders.add(int(fields[4]))
    return sorted(holders - {os.getpid(), 0, -1})


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
