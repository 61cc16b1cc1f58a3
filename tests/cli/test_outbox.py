"""``digest outbox``, and what ``digest status`` says of deliveries that did not arrive."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from digest.model import DeliveryState, Paper, Poll, SubscriberId, Verdict
from digest.store.bounces import Bounces
from digest.store.database import open_database
from digest.store.ledger import LEASE, SqlLedger
from digest.store.papers import Papers
from digest.tokens import Keyring
from tests.builders import NOW, a_match, a_subscriber, an_edition, an_entry
from tests.cli.home import Home, address, reader
from tests.store.ledgers import RUN, SOON, claimed, move, open_edition

S = DeliveryState
DAY = NOW.date()
ADA = SubscriberId("ada")
SECRET = "what the links of these readers are made with"
KEYRING = Keyring(SECRET.encode())
FEED = {"feed": "https://example.org/feed"}


@contextmanager
def database(home: Home) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{home.folder}/var/digest.sqlite3")
    try:
        yield engine
    finally:
        engine.dispose()


def papers_of(engine: Engine, *numbers: int) -> list[Paper]:
    papers = Papers(engine)
    entries = tuple(an_entry(number) for number in numbers)
    papers.record(Poll(source="s", verdict=Verdict.FRESH, entries=entries), NOW)
    return list(papers.papers([entry.key for entry in entries]))


def edition(engine: Engine, name: str, state: DeliveryState, *numbers: int, days: int = 0, detail: str = "") -> None:
    """One that a run opened and left in this state."""
    ledger = SqlLedger(engine)
    matched = tuple(a_match(paper) for paper in papers_of(engine, *numbers))
    day = DAY + timedelta(days=days)
    assert open_edition(ledger, an_edition(a_subscriber(name), date=day, matched=matched))
    if state is not S.PENDING:
        delivery = claimed(ledger)
        if state is not S.CLAIMED:
            assert move(ledger, delivery, state, detail=detail)


def state_of(home: Home, name: str) -> DeliveryState:
    with database(home) as engine:
        return SqlLedger(engine).editions(SubscriberId(name), limit=1)[0].state


@pytest.fixture
def home(home: Home) -> Home:
    home.subscribe(*map(reader, ("Ada", "Ben", "Cleo", "Dora")), sources=[FEED])
    return home


def test_from_what_did_not_arrive_to_what_is_tried_again(home: Home) -> None:
    with database(home) as engine:
        edition(engine, "Ada", S.FAILED, 1, 2, detail="550 no such user")
        edition(engine, "Ben", S.UNCERTAIN, 1, detail="no reply")
        edition(engine, "Cleo", S.ACCEPTED, 1)
        edition(engine, "Gone", S.CLAIMED, 1)

    listed = home.digest("outbox", "list")
    assert listed.code == 0
    assert listed.last_line == "1 accepted, 1 claimed, 1 failed, 1 uncertain"
    assert "550 no such user" in listed.out
    only = json.loads(home.digest("outbox", "list", "--state", "failed", "--subscriber", "ADA", "--json").out)
    assert only["states"] == {"accepted": 1, "claimed": 1, "failed": 1, "uncertain": 1}
    assert [(row["subscriber"], row["date"], row["state"]) for row in only["deliveries"]] == [
        ("ada", str(DAY), "failed"),
    ]  # fmt: skip

    shown = home.digest("outbox", "show", "Ada", str(DAY))
    assert "ada 2026-11-20: failed" in shown.out
    assert "detail: 550 no such user" in shown.out
    assert "digest outbox retry ada 2026-11-20 tries it again" in shown.out
    assert "Invented Paper 2" in shown.out
    as_json = json.loads(home.digest("outbox", "show", "ada", str(DAY), "--json").out)
    assert (as_json["state"], as_json["attempts"], as_json["papers"]) == ("failed", 1, 2)
    assert as_json["contents"][0] == {
        "section": "matched", "paper": "arxiv:2611.00001", "title": "Invented Paper 1",
    }  # fmt: skip

    retried = home.digest("outbox", "retry", "Ada")
    assert (retried.code, retried.last_line) == (0, "ada 2026-11-20: 2 papers to be sent by the next run")
    assert state_of(home, "ada") == S.PENDING

    careful = home.digest("outbox", "retry", "Ben")
    assert careful.code == 2
    assert "ben 2026-11-20: the message may have arrived: 1 paper may then come twice" in careful.err
    assert "hint: leave it, and its papers come with the next edition; --yes sends this one again" in careful.err
    assert state_of(home, "ben") == S.UNCERTAIN
    assert home.digest("outbox", "retry", "Ben", str(DAY), "--yes").code == 0
    assert state_of(home, "ben") == S.PENDING

    for words, problem in (
        (["retry", "Cleo"], "cleo: none is deferred or failed or suppressed or uncertain"),
        (["retry", "Cleo", str(DAY)], "cleo 2026-11-20: it cannot be tried again: it is accepted"),
        (["retry", "Cleo", "2026-01-01"], "cleo: there is no edition of 2026-01-01"),
        # Somebody who is no subscriber any more.
        (["drop", "gone", str(DAY), "--yes"], "gone 2026-11-20: it cannot be dropped: it is claimed"),
        (["show", "Adda", str(DAY)], "no subscriber is called 'Adda'\n  hint: did you mean 'Ada'?"),
    ):
        refused = home.digest("outbox", *words)
        assert (refused.code, refused.out) == (2, "")
        assert problem in refused.err


def test_what_waits_is_dropped_only_by_somebody_who_means_it(home: Home) -> None:
    with database(home) as engine:
        edition(engine, "Ada", S.DEFERRED, 1, 2)

    asked = home.digest("outbox", "drop", "Ada")
    assert asked.code == 2
    assert "ada 2026-11-20: 2 papers would never be sent" in asked.err
    assert state_of(home, "ada") == S.DEFERRED

    dropped = home.digest("outbox", "drop", "Ada", "--yes")
    assert (dropped.code, dropped.last_line) == (0, "ada 2026-11-20: dropped, 2 papers never sent")
    assert state_of(home, "ada") == S.SKIPPED


def test_status_says_what_helps(home: Home) -> None:
    with database(home) as engine:
        edition(engine, "Ada", S.UNCERTAIN, 1)
        edition(engine, "Ben", S.SUPPRESSED, 1)
        edition(engine, "Cleo", S.FAILED, 1)
        edition(engine, "Cleo", S.ACCEPTED, 1, days=1)
        edition(engine, "Dora", S.DEFERRED, 1)
        Bounces(engine).suppress("a key", SubscriberId("ben"), reason="mail came back", now=NOW)

    status = home.digest("status")

    assert "editions: 1 accepted, 1 deferred, 1 failed, 1 suppressed, 1 uncertain" in status.out
    advice = status.out.partition("editions: ")[2].splitlines()[1:]
    assert [line.split(":")[0] for line in advice] == [
        "uncertain ada 2026-11-20", "suppressed ben 2026-11-20", "deferred dora 2026-11-20", "suppressed ben",
    ]  # fmt: skip
    assert "digest outbox retry ada 2026-11-20 --yes sends it again, though it may have arrived" in advice[0]
    assert f"next try {NOW + SOON:%Y-%m-%d %H:%M} UTC; digest outbox retry dora tries it" in advice[2]
    assert "mail came back; digest outbox lift ben" in advice[3]
    states = json.loads(home.digest("status", "--json").out)["states"]
    assert states == {"accepted": 1, "deferred": 1, "failed": 1, "suppressed": 1, "uncertain": 1}

    lifted = home.digest("outbox", "lift", "Ben")
    assert (lifted.code, lifted.last_line) == (0, "ben: 1 suppressed address and no bounces forgotten")
    assert home.digest("outbox", "retry", "Ben").code == 0
    assert "suppressed" not in home.digest("status").out


def test_what_a_run_has_in_hand_says_which_and_until_when(home: Home) -> None:
    with database(home) as engine:
        edition(engine, "Ada", S.DOT, 1)
    until = NOW + LEASE
    held = f"in hand of run {RUN} since {NOW:%Y-%m-%d %H:%M}, free at {until:%H:%M} UTC if that run died"

    assert held in home.digest("status").out
    assert held in home.digest("outbox", "list").out
    assert f"detail: {held}" in home.digest("outbox", "show", "Ada", str(DAY)).out
    newest = json.loads(home.digest("status", "--json").out)["subscribers"][0]["last_edition"]
    assert (newest["run"], newest["lease_until"]) == (RUN, until.isoformat())
    for words in (["retry", "Ada"], ["retry", "Ada", str(DAY)], ["drop", "Ada", "--yes"]):
        refused = home.digest("outbox", *words)
        assert refused.code == 2
        assert f"it is {held}" in refused.err


def test_mail_to_an_address_that_is_written_to_no_more_is_not_promised(home: Home) -> None:
    with database(home) as engine:
        edition(engine, "Ada", S.FAILED, 1)
        Bounces(engine).suppress(KEYRING.know(address("Ada")), ADA, reason="mail came back", now=NOW)
        # Theirs before the file was changed: it keeps nothing from them now.
        edition(engine, "Ben", S.FAILED, 1)
        Bounces(engine).suppress("an old one", SubscriberId("ben"), reason="mail came back", now=NOW)
    home.env["DIGEST_SECRET"] = SECRET

    refused = home.digest("outbox", "retry", "Ada")
    assert refused.code == 2
    assert "the address is written to no more, and nothing would be sent" in refused.err
    assert "hint: digest outbox lift ada writes to it again" in refused.err
    assert state_of(home, "ada") == S.FAILED
    helps = "digest outbox lift ada, then digest outbox retry ada 2026-11-20"
    assert f"failed ada 2026-11-20: {helps}" in home.digest("status").out
    assert f"what helps: {helps}" in home.digest("outbox", "show", "ada", str(DAY)).out
    assert home.digest("outbox", "retry", "Ben").code == 0


def test_who_is_paused_is_known(home: Home) -> None:
    with database(home) as engine:
        Bounces(engine).note_bounce("a key", ADA, detail="550", day=DAY, now=NOW)
        Bounces(engine).suppress("a key", ADA, reason="unsubscribed by mail", now=NOW)
        edition(engine, "Gone", S.FAILED, 1)
    home.subscribe(reader("Ada") | {"paused": True}, reader("Ben"), sources=[FEED])

    for name in ("Ada", "Gone", "gone"):
        assert home.digest("outbox", "list", "--subscriber", name).code == 0
    paused = "; paused: true in their entry (line "
    assert f"digest outbox lift ada writes to them again{paused}" in home.digest("status").out
    lifted = home.digest("outbox", "lift", "Ada")
    assert lifted.code == 0
    assert lifted.last_line.startswith(f"ada: 1 suppressed address and 1 bounce forgotten{paused}")
    assert home.digest("outbox", "lift", "Nobody").code == 2
