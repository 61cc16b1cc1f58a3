"""The files of an archive, and how they come into a folder that may hold others."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path

from digest.errors import ConfigError
from digest.export.archive import Archive
from digest.export.feeds import write_atom, write_json_feed
from digest.export.formats import Format
from digest.export.pages import ATOM, INDEX, JSON, STYLE, logo_name, write_index, write_page, write_style
from digest.export.references import name_papers, write_bibtex, write_ris
from digest.model import SubscriberId

LIST = ".paperround"
"""Says whose editions a folder holds and names its files that are ours, one a line: no other is ever replaced."""


def build_files(archive: Archive, folders: Sequence[Path], earlier: Iterable[date] = ()) -> dict[str, bytes]:
    """Every file of the archive by its name; the same archive always gives the same bytes.

    Args:
        archive: What to show.
        folders: Where templates are, the operator's own first.
        earlier: Of pages that earlier exports wrote; see `find_earlier`.
    """
    texts: dict[str, str] = {}
    formats = archive.formats
    # Oldest first: an edition that is added changes no key of those before it.
    keys = name_papers([paper for edition in reversed(archive.editions) for paper in edition.papers])
    days = sorted({*earlier, *(edition.date for edition in archive.editions)})
    for edition in archive.editions:
        if Format.SITE in formats:
            at = days.index(edition.date)
            before, after = days[at - 1] if at else None, next(iter(days[at + 1 :]), None)
            texts[f"{edition.date}.html"] = write_page(archive, edition, folders, before, after)
        if Format.BIBTEX in formats:
            texts[f"{edition.date}.bib"] = write_bibtex(edition.papers, keys)
        if Format.RIS in formats:
            texts[f"{edition.date}.ris"] = write_ris(edition.papers)
    # A day without an edition does not empty what feed readers may not have read yet.
    if archive.editions or not days:
        if Format.ATOM in formats:
            texts[ATOM] = write_atom(archive, folders)
        if Format.JSON in formats:
            texts[JSON] = write_json_feed(archive)
    files = {name: text.encode() for name, text in texts.items()}
    if Format.SITE in formats:
        files[INDEX] = write_index(archive, folders, earlier).encode()
        files[STYLE] = write_style(archive, folders).encode()
        if archive.theme.logo:
            files[logo_name(archive.theme)] = archive.theme.logo.content
    return files


def build_stream(archive: Archive, chosen: Format, folders: Sequence[Path]) -> str:
    """One file with all papers; any format but `Format.SITE`."""
    papers = [paper for _, paper in archive.papers]
    match chosen:
        case Format.ATOM:
            return write_atom(archive, folders)
        case Format.JSON:
            return write_json_feed(archive)
        case Format.BIBTEX:
            return write_bibtex(papers, name_papers(papers[::-1]))
        case Format.RIS:
            return write_ris(papers)
        case Format.SITE:
            raise ValueError("a site is many files")


def find_earlier(folder: Path, subscriber: SubscriberId) -> tuple[date, ...]:
    """Dates of the pages in a folder that are ours and still there.

    Raises:
        ConfigError: It holds another subscriber's editions.
    """
    found = []
    for name in _ours(folder, subscriber):
        stem, _, ending = name.partition(".")
        try:
            if ending == "html" and (folder / name).is_file():
                found.append(date.fromisoformat(stem))
        except ValueError:
            continue
    return tuple(found)


def write_files(folder: Path, subscriber: SubscriberId, files: Mapping[str, bytes]) -> int:
    """Write files; each is replaced as a whole, and one that stays the same is not touched.

    Returns:
        How many were written.

    Raises:
        ConfigError: The folder holds another subscriber's editions, a file of that name is not ours, or the folder
            cannot be written; then none was written, or the rest was not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ours = _ours(folder, subscriber)
        changed = {name: data for name, data in files.items() if _read(folder / name) != data}
        for name in changed:
            if name not in ours and (folder / name).exists():
                raise ConfigError(
                    f"'{folder / name}' was not written by digest export, and would be overwritten",
                    where="--to",
                    hint="name another folder, or move that file away",
                )
        # First, so that a file of a run that was killed is known as ours.
        _write(folder / LIST, "\n".join([_mark(subscriber), *sorted({*ours, *files}), ""]).encode())
        for name, data in changed.items():
            _write(folder / name, data)
    except OSError as exc:
        raise ConfigError(
            f"'{folder}' cannot be written ({exc.strerror})", where="--to", hint="name a folder of yours"
        ) from exc
    return len(changed)


def _ours(folder: Path, subscriber: SubscriberId) -> frozenset[str]:
    mark, *names = (_read(folder / LIST) or b"").decode("utf-8", "replace").splitlines() or [_mark(subscriber)]
    if mark != _mark(subscriber):
        raise ConfigError(
            f"'{folder}' holds the editions of another subscriber",
            where="--to",
            hint="name another folder, or empty it if this subscriber was called otherwise",
        )
    return frozenset(names)


def _mark(subscriber: SubscriberId) -> str:
    """Stands for a subscriber in a folder that everyone can read."""
    return sha256(subscriber.encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, data: bytes) -> None:
    """In one step: a web server that shows the folder never shows half a file."""
    if _read(path) == data:
        return
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)  # noqa: PTH105 - replaces on every system
