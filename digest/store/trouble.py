"""What goes wrong in a database, in our words: SQLite's and PostgreSQL's errors with what to do about them."""

from digest.errors import StoreError

BUSY_S = 10
"""How long a writer waits for its turn, unless the database's address says otherwise."""

_PERMISSIONS = "check the owner and the permissions of the file and of its folder, or set DIGEST_DATABASE_URL"
_GO_ON = "nothing is lost: the same command goes on where this one stopped"
_LOCKED = (
    "locked by another process for too long",
    f"wait for the other run to end, or look for its process; {_GO_ON}",
)
_FULL = ("the disk is full", f"free some space; {_GO_ON}")
_DAMAGED = ("the file is damaged", "stop all runs and put a backup in its place with digest db restore")

# By the start of SQLite's name for its error (``sqlite3.SQLITE_…``), or of PostgreSQL's code (``psycopg.errors.lookup``
# names it): what is wrong, and what to do.
_TROUBLES = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": ("the disk cannot be used", f"look for free space, a file size limit or a failing disk; {_GO_ON}"),
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": (
        "the file is no database",
        "set DIGEST_DATABASE_URL to another file, or put a backup in its place with digest db restore",
    ),
    "SQLITE_READONLY": ("the file cannot be written", _PERMISSIONS),
    "SQLITE_CANTOPEN": ("the file cannot be opened", _PERMISSIONS),
    "SQLITE_PERM": ("the file cannot be opened", _PERMISSIONS),
    "55P03": _LOCKED,
    "25006": ("the server takes no writes", "set DIGEST_DATABASE_URL to the primary, or end its read-only mode"),
    "40": ("another connection was in the way", _GO_ON),
    "42501": ("this user may not do it", "make the user of DIGEST_DATABASE_URL the owner of the database"),
    "53100": _FULL,
    "53": ("the server has no room", f"look at its connections and its memory; {_GO_ON}"),
    "57": ("the server was stopped", f"start it; {_GO_ON}"),
    "08": ("the connection broke", f"look at the server and its log; {_GO_ON}"),
    "XX": ("the server's data are damaged", "look at the server's log, and put a backup in its place"),
}
_GONE = ("the connection broke", f"look at the server and its log; {_GO_ON}")
_CLOSED = ("the server cannot be reached, or lets nobody in", "check that it runs, and DIGEST_DATABASE_URL")


def in_our_words(error: BaseException | None, where: str, *, was_connected: bool = True) -> StoreError:
    """What a driver's error means, without the values of the statement.

    Args:
        error: Of ``sqlite3`` or of psycopg.
        where: The database.
        was_connected: Whether the statement had a connection.
    """
    # Values stand in PostgreSQL's further lines.
    said = (str(error).splitlines() or [""])[0]
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    known = next((trouble for start, trouble in _TROUBLES.items() if (code or "").startswith(start)), None)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if code is None and hasattr(error, "sqlstate") and kinds & {"OperationalError", "InterfaceError"}:
        # psycopg tells no code of what happened to the connection itself.
        known = _GONE if was_connected else _CLOSED
    problem, hint = known or ("the database failed", "")
    return StoreError(f"{problem} ({said})", where=where, hint=hint)


def damaged(where: str, found: str) -> StoreError:
    """What was found is not what was written."""
    problem, hint = _DAMAGED
    return StoreError(f"{problem} ({found})", where=where, hint=f"{hint}; nothing was sent")


def cannot_write(where: str, error: OSError) -> StoreError:
    """The file system turned us away."""
    return StoreError(f"cannot be written ({error.strerror})", where=where, hint=_PERMISSIONS)
