"""This machine: its clock, its time zones, its disk, who may read its files, and the database."""

import os
import re
import shutil
import stat
import zoneinfo
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import make_url

from digest.doctor import Finding, Level
from digest.ports import SourceState
from digest.store.database import (
    check_ledger,
    connect_database,
    database_file,
    newer,
    reading,
    revision_of,
    where,
    writing,
)
from digest.store.marker import check_marker, check_missing
from digest.store.papers import Papers
from digest.store.schema import REVISION

_ASKED_S = 10
_OFF_A_LITTLE = timedelta(minutes=5)
_OFF = timedelta(hours=1)
_OLD_ZONES = timedelta(days=2 * 365)
_LONG_AGO = timedelta(days=4)
"""Longer than a weekend with a holiday at its end."""
_LOW_BYTES, _FULL_BYTES = 500_000_000, 50_000_000
_LONG_WAL_BYTES = 200_000_000


def look_at_clock(now: datetime, other: datetime, whose: str) -> Iterator[Finding]:
    """Compare the clock with what a server says it is."""
    off = abs(now - other)
    side = "ahead of" if now > other else "behind"
    if off <= _OFF_A_LITTLE:
        yield Finding("clock", Level.OK, f"{now:%Y-%m-%d %H:%M} UTC, as at {whose}")
        return
    level = Level.ERROR if off > _OFF else Level.WARNING
    hint = "have it set from the network: timedatectl set-ntp true"
    yield Finding("clock", level, f"{off.total_seconds() / 60:.0f} minutes {side} {whose}", hint)


def read_date(url: str, proxy: str | None = None) -> datetime | None:
    """What the server of this address says the time is; ``None`` if it does not."""
    try:
        with httpx.Client(proxy=proxy, trust_env=False, timeout=_ASKED_S) as client:
            said = client.head(httpx.URL(url).copy_with(raw_path=b"/", fragment=None)).headers.get("date", "")
        date = parsedate_to_datetime(said)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    return date if date.tzinfo else None


def look_at_zones(zones: Iterable[ZoneInfo], now: datetime) -> Iterator[Finding]:
    """Say which time zone data are used, and how old they are."""
    used, release = zone_data(zoneinfo.TZPATH)
    many = len({zone.key for zone in zones})
    found = f"{release or 'of unknown age'} ({used}), {many} in use"
    year = int(release[:4]) if re.fullmatch(r"\d{4}\S*", release) else now.year
    if now - datetime(year, 12, 31, tzinfo=now.tzinfo) > _OLD_ZONES:
        hint = "governments change their clocks every year: upgrade the system's tzdata, or pip install -U tzdata"
        yield Finding("time zones", Level.WARNING, found, hint)
    else:
        yield Finding("time zones", Level.OK, found)


def zone_data(places: Iterable[str]) -> tuple[str, str]:
    """Which data `zoneinfo` reads, and their release: the system's where there are any, else the package's."""
    for place in map(Path, places):
        if (place / "Etc/UTC").exists():
            return str(place), _release(place)
    try:
        # 2025.2 is the release 2025b.
        year, _, number = version("tzdata").partition(".")
        return "package tzdata", f"{year}{chr(ord('a') + int(number.partition('.')[0]) - 1)}"
    except (PackageNotFoundError, ValueError):
        return "package tzdata", ""


def _release(place: Path) -> str:
    for name in ("tzdata.zi", "+VERSION"):
        try:
            with (place / name).open(encoding="ascii", errors="replace") as file:
                # "# version 2025b"
                return file.readline().rpartition(" ")[2].strip()
        except OSError:
            continue
    return ""


def look_at_database(url: str, now: datetime) -> Iterator[Finding]:
    """Open the database as it is; it is neither made nor brought up to date, and nothing is written.

    Raises:
        DigestError: It cannot be used, or is not the one that mail was last sent with.
    """
    path = database_file(make_url(url))
    if path and not path.exists():
        check_missing(path)
        folder = next(each for each in path.absolute().parents if each.exists())
        if os.access(folder, os.W_OK):
            yield Finding("database", Level.OK, f"{path} is not there yet; the first run makes it")
        else:
            hint = "check the owner and the permissions of the folder, or set DIGEST_DATABASE_URL"
            yield Finding("database", Level.ERROR, f"{path} is not there, and {folder} cannot be written", hint)
        return
    engine = connect_database(url)
    try:
        check_ledger(engine)
        with reading(engine) as connection:
            found = revision_of(connection)
        if found is not None and found > REVISION:
            raise newer(engine, found)
        # What takes its turn as a writer, and writes nothing.
        with writing(engine):
            pass
        if found:
            check_marker(engine)
        state = "up to date" if found == REVISION else f"schema {found}; the next run brings it up to date"
        yield Finding("database", Level.OK, f"{where(engine)} is whole, can be written, and is {state}")
        if found == REVISION:
            yield from _last_run(Papers(engine).source_states(), now)
    finally:
        engine.dispose()
    log = Path(f"{path}-wal")
    if path and log.exists() and log.stat().st_size > _LONG_WAL_BYTES:
        hint = "a process holds an old view of the database open: end it, and the next run makes it shorter"
        size = log.stat().st_size // 1_000_000
        yield Finding("database", Level.WARNING, f"its log {log} has {size} MB", hint)


def _last_run(sources: Sequence[SourceState], now: datetime) -> Iterator[Finding]:
    if not sources:
        return
    last = max(source.polled_at for source in sources)
    found = f"the sources were last read on {last:%Y-%m-%d at %H:%M} UTC"
    if now - last > _LONG_AGO:
        hint = "see that digest serve is running, or that cron or the timer starts digest run"
        yield Finding("last run", Level.WARNING, found, hint)
    else:
        yield Finding("last run", Level.OK, found)


def look_at_disk(url: str) -> Iterator[Finding]:
    """See how much room the database has."""
    path = database_file(make_url(url))
    if path is None:
        return
    folder = next(each for each in path.absolute().parents if each.exists())
    free = shutil.disk_usage(folder).free
    level = Level.ERROR if free < _FULL_BYTES else Level.WARNING if free < _LOW_BYTES else Level.OK
    hint = "" if level is Level.OK else "free some space: what cannot be recorded is not sent"
    yield Finding("disk", level, f"{free / 1e9:.1f} GB free at {folder}", hint)


def look_at_files(paths: Sequence[Path]) -> Iterator[Finding]:
    """See whether others may read what holds secrets and addresses; where there are no such permissions, nothing."""
    if os.name != "posix":
        return
    there = [path for path in paths if path.is_file()]
    open_to_all = [path for path in there if _is_open(path)]
    for path in open_to_all:
        found = f"everyone on this machine may read {path} ({stat.filemode(path.stat().st_mode)})"
        yield Finding("files", Level.WARNING, found, f"chmod o-rwx {path}")
    if there and not open_to_all:
        yield Finding("files", Level.OK, f"no others may read {', '.join(map(str, there))}")


def _is_open(path: Path) -> bool:
    """Whether everyone may read or write a file: what is in a closed folder is closed, too."""
    others = stat.S_IROTH | stat.S_IWOTH
    if not path.stat().st_mode & others:
        return False
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)


def look_at_secret(secret: str | None) -> Iterator[Finding]:
    """Judge the secret that readers' links are made with."""
    hint = "set DIGEST_SECRET to what openssl rand -base64 24 prints; links in mails that were sent end to work"
    if secret is None:
        yield Finding("secret", Level.OK, "DIGEST_SECRET is not set: one is made, and kept beside the database")
    elif len(secret) < 20 or len(set(secret)) < 10:
        yield Finding("secret", Level.WARNING, "DIGEST_SECRET could be guessed", hint)
    else:
        yield Finding("secret", Level.OK, "DIGEST_SECRET is set, and long enough")
