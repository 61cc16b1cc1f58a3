import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from digest.errors import ConfigError
from digest.export.archive import public, read_editions
from digest.export.formats import Format
from digest.export.site import LIST, build_files, build_stream, find_earlier, write_files
from digest.model import DeliveryState, Edition, Paper, Poll, SubscriberId, Verdict
from digest.store.database import open_database
from digest.store.ledger import SqlLedger
from digest.store.papers import Papers
from tests.builders import NOW, a_match, a_paper, a_subscriber, an_entry
from tests.export.archives import FOLDERS, FRIDAY, a_private_archive, an_archive, private_edition
from tests.store.ledgers import claimed, move, open_edition

ADA = SubscriberId("ada")
PRIVATE = re.compile(rb"canary|Chatham|07:31|31\.2|17\.5|0\.83|\b77\b|first paper|this month", re.IGNORECASE)


def send(engine: Engine, edition: Edition, state: DeliveryState) -> None:
    ledger = SqlLedger(engine)
    assert open_edition(ledger, edition, through_seq=9)
    delivery = claimed(ledger)
    assert move(ledger, delivery, DeliveryState.DOT)
    assert move(ledger, delivery, state, detail="250 ok")


def test_accepted_editions_are_read_back_without_what_is_private(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/digest.sqlite3")
    papers = Papers(engine)
    papers.record(Poll(source="x", verdict=Verdict.FRESH, entries=tuple(map(an_entry, range(1, 12)))), NOW)
    reader = private_edition().subscriber
    send(engine, replace(private_edition(), follow_ups=()), DeliveryState.ACCEPTED)
    for number, state in ((9, DeliveryState.FAILED), (10, DeliveryState.ACCEPTED), (11, DeliveryState.ACCEPTED)):
        day = FRIDAY + timedelta(days=number - 8)
        send(engine, Edition(subscriber=reader, date=day, matched=(a_match(a_paper(number)),)), state)
    days = [FRIDAY + timedelta(days=distance) for distance in (3, 2, 0)]

    def read(since: date, until: date) -> list[date]:
        return [each.date for each in read_editions(SqlLedger(engine), papers, reader, since, until)]

    assert read(date.min, date.max) == days
    assert read(days[1], days[1]) == [days[1]]
    assert read(days[0] + timedelta(days=1), date.max) == []
    edition = read_editions(SqlLedger(engine), papers, reader, FRIDAY, FRIDAY)[0]
    assert [int(paper.key[-5:]) for paper in edition.papers] == [1, 2, 3, 4, 5]
    assert edition == public(edition)
    engine.dispose()


@pytest.mark.parametrize("language", ["", "de"])
def test_nothing_says_who_is_written_to_or_why(language: str) -> None:
    edition = public(private_edition())
    edition = replace(edition, subscriber=replace(edition.subscriber, language=language))
    archive = a_private_archive(editions=(edition,), base_url="https://example.org/")

    files = build_files(archive, FOLDERS)
    streams = [build_stream(archive, each, FOLDERS).encode() for each in Format if each is not Format.SITE]

    assert sorted(files) == [
        "2026-11-20.bib", "2026-11-20.html", "2026-11-20.ris", "atom.xml", "feed.json", "index.html", "style.css"
    ]  # fmt: skip
    for data in (*files.values(), *streams):
        assert b"Invented Paper" in data or b"--ink" in data
        assert not PRIVATE.search(data)


def test_writing_it_again_changes_no_byte(tmp_path: Path) -> None:
    archive = a_private_archive()
    folder = tmp_path / "deep" / "public"

    assert write_files(folder, ADA, build_files(archive, FOLDERS, find_earlier(folder, ADA))) == 7
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert write_files(folder, ADA, build_files(archive, FOLDERS, find_earlier(folder, ADA))) == 0

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_pages_of_earlier_exports_stay_and_are_led_to(tmp_path: Path) -> None:
    later = replace(an_archive(a_paper(1)).editions[0], date=FRIDAY + timedelta(days=7))
    write_files(tmp_path, ADA, build_files(an_archive(a_paper(1), a_paper(2)), FOLDERS))
    (tmp_path / "2020-01-01.html").write_text("somebody else's")

    assert find_earlier(tmp_path, ADA) == (FRIDAY,)
    write_files(tmp_path, ADA, build_files(an_archive(editions=(later,)), FOLDERS, find_earlier(tmp_path, ADA)))

    assert "Invented Paper 2" in (tmp_path / "2026-11-20.html").read_text()
    index = (tmp_path / "index.html").read_text()
    assert re.findall(r'href="([\d-]+)\.html"', index) == ["2026-11-27", "2026-11-20"]
    assert 'rel="prev" href="2026-11-20.html"' in (tmp_path / "2026-11-27.html").read_text()
    # A day without an edition takes nothing away.
    feed = (tmp_path / "atom.xml").read_text()
    assert write_files(tmp_path, ADA, build_files(an_archive(editions=()), FOLDERS, find_earlier(tmp_path, ADA))) == 1
    assert (tmp_path / "atom.xml").read_text() == feed
    assert "Invented Paper" in feed


def test_a_file_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    files = build_files(an_archive(a_paper()), FOLDERS)

    with pytest.raises(ConfigError, match="was not written by digest export"):
        write_files(tmp_path, ADA, files)

    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    (tmp_path / "index.html").rename(tmp_path / "other.html")
    write_files(tmp_path, ADA, files)
    assert (tmp_path / "other.html").read_text() == "mine"
    assert not list(tmp_path.glob("*.part"))
    assert (tmp_path / LIST).read_text().splitlines()[1:] == sorted(files)


def test_a_folder_holds_the_editions_of_one_subscriber(tmp_path: Path) -> None:
    write_files(tmp_path, ADA, build_files(an_archive(a_paper(1)), FOLDERS))
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    files = build_files(an_archive(a_paper(2)), FOLDERS)

    for refused in (
        lambda: find_earlier(tmp_path, SubscriberId("ben")),
        lambda: write_files(tmp_path, SubscriberId("ben"), files),
    ):
        with pytest.raises(ConfigError, match="holds the editions of another subscriber"):
            refused()

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert not any(b"ada" in data for data in first.values())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(ConfigError) as caught:
        write_files(file, ADA, {"a": b""})
    assert caught.value.where == "--to"


def test_keys_are_unique_in_the_whole_archive() -> None:
    def edition(day: date, *papers: Paper) -> Edition:
        return Edition(subscriber=a_subscriber(), date=day, matched=tuple(map(a_match, papers)))

    older = edition(FRIDAY, a_paper(1))
    newer = edition(FRIDAY + timedelta(days=1), a_paper(2))

    files = build_files(an_archive(editions=(newer, older), formats=frozenset({Format.BIBTEX})), FOLDERS)

    keys = [re.findall(r"@misc\{([^,]*),", files[name].decode()) for name in sorted(files)]
    assert keys == [["example2026invented"], ["example2026invented-2"]]


def test_a_stream_holds_every_paper_once() -> None:
    archive = an_archive(a_paper(1), a_paper(2))
    archive = replace(archive, editions=(*archive.editions, replace(archive.editions[0], date=FRIDAY - timedelta(1))))

    assert build_stream(archive, Format.BIBTEX, FOLDERS).count("@misc{") == 2
    assert build_stream(archive, Format.RIS, FOLDERS).count("TY  - ") == 2
    assert len(json.loads(build_stream(archive, Format.JSON, FOLDERS))["items"]) == 2
