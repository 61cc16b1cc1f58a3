"""Sources that misbehave: whatever they do, the others' papers arrive, and theirs come when they work again."""

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.home import FRIDAY, SATURDAY, Done, Home, a_home, a_listing, announce, arxiv, papers_in, reader, text_of
from tests.collect.evil_http import Answer, EvilHttp
from tests.collect.pages import hf, hf_item, rss, rss_item
from tests.deliver.evil_smtp import Accepted, EvilSmtp

# More than is left for this source, so that it is not asked again at once: tests/collect tries the retries.
LATER = {"Retry-After": "3600"}
FAULTS: dict[str, tuple[Answer, list[str]]] = {
    "missing": (Answer(b"no such list", 404), ["HTTP 404 from http://127.0.0.1:"]),
    "throttled": (Answer(b"", 429, LATER), ["HTTP 429", "asks us to wait 3600 s"]),
    "down": (Answer(b"", 503, LATER), ["HTTP 503", "asks us to wait 3600 s"]),
    "maintained": (Answer(b"<!DOCTYPE html><title>Down today</title>"), ["HTML page titled 'Down today'"]),
    "overloaded": (Answer(b"Rate exceeded.\n", 200, LATER), ["'Rate exceeded.' from", "asks us to wait 3600 s"]),
    "broken": (Answer(rss(rss_item(70))[:-40]), ["the feed broke off after"]),
    "malformed": (
        Answer(hf(hf_item(80, title="Invented Paper 80"), "a text", {"paper": {"id": "2611.00081"}})),
        ["skipped item 2: an object was expected", "skipped '2611.00081'"],
    ),
}
"""By the name of the source: what it answers on Friday, and what the report says."""

LATE = {name: number for number, name in enumerate(FAULTS, 50)}
"""By the name of the source: the paper it lists on Saturday, when it works again."""


class Days(NamedTuple):
    friday: Done
    friday_mail: Accepted
    saturday: Done
    saturday_mail: Accepted
    status: Done


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    """A Friday on which every source but one has a fault, and a Saturday without."""
    with ExitStack() as stack:
        home = stack.enter_context(a_home(tmp_path_factory.mktemp("faults")))
        http = stack.enter_context(a_listing(1, 2))
        smtp = stack.enter_context(EvilSmtp())
        # Each on a host of its own: one that wants to be left alone wants it for all of its addresses.
        faulty = {name: stack.enter_context(EvilHttp().running()) for name in FAULTS if name != "malformed"}
        home.subscribe(
            reader("Ada", limit=100),
            sources=[
                arxiv(http, name="good"),
                arxiv(http, "/weekend", name="weekend"),
                *(arxiv(server, name=name) for name, server in faulty.items()),
                {"huggingface": "daily", "name": "malformed", "url": f"{http.url}/hf", "allow_private": True},
            ],
        )
        home.mail_to(smtp)
        http.answers("/weekend/cs.CL", rss(rss_item(90, title="Invented on a Friday")))
        for name, server in faulty.items():
            server.answers("/rss/cs.CL", FAULTS[name][0])
        http.answers("/hf?date=2026-11-20&limit=100", FAULTS["malformed"][0])
        friday = home.run(now=FRIDAY)
        [friday_mail] = smtp.accepted

        announce(http, 1, 2, 3)
        http.answers("/weekend/cs.CL", rss())
        for name, server in faulty.items():
            server.answers("/rss/cs.CL", rss(rss_item(LATE[name], title=f"Invented, from {name}")))
        item = hf_item(LATE["malformed"], title="Invented, from malformed")
        http.answers("/hf?date=2026-11-20&limit=100", hf(hf_item(80, title="Invented Paper 80"), item))
        home.forget_holds()
        saturday = home.run(now=SATURDAY)
        [saturday_mail] = smtp.accepted[1:]
        yield Days(friday, friday_mail, saturday, saturday_mail, home.digest("status", "--json"))


def shown(name: str) -> str:
    return name if name == "malformed" else f"arxiv:{name}"


@pytest.mark.parametrize("name", FAULTS)
def test_a_source_with_a_fault_is_named_and_its_papers_come_later(days: Days, name: str) -> None:
    for said in FAULTS[name][1]:
        assert said in days.friday.out
    footer = text_of(days.friday_mail).rpartition("May be missing:")[2]
    assert shown(name) in " ".join(footer.split())
    assert shown(name) in days.friday.last_line

    assert f"2611.{LATE[name]:05d}" in papers_in([days.saturday_mail])
    assert shown(name) not in text_of(days.saturday_mail).rpartition("-- ")[2]
    [state] = [source for source in json.loads(days.status.out)["sources"] if source["name"] == shown(name)]
    assert (state["verdict"], state["problem"]) == ("fresh", "")


def test_the_others_papers_arrive_and_none_is_repeated(days: Days) -> None:
    friday, saturday = (papers_in([mail]) for mail in (days.friday_mail, days.saturday_mail))

    assert days.friday.code == 1
    assert set(friday) == {"2611.00001", "2611.00002", "2611.00080", "2611.00090"}
    assert days.saturday.code == 0
    assert set(saturday) == {"2611.00003", *(f"2611.{number:05d}" for number in LATE.values())}


def test_an_empty_weekend_feed_is_no_fault(days: Days) -> None:
    assert "quiet arxiv:weekend: 0 listed" in days.saturday.out
    assert "arxiv:weekend" not in days.saturday.last_line
    assert "weekend" not in text_of(days.saturday_mail)


def test_a_real_malformed_day_costs_the_readers_nothing_else(real_data: Path, home: Home) -> None:
    """On this day Hugging Face's list was recorded with texts in place of its objects."""
    day = "2024-12-17"
    body = gzip.decompress((real_data / "hf-daily" / "raw" / f"{day}.json.gz").read_bytes())
    with a_listing(1) as http, EvilSmtp() as smtp:
        http.answers(f"/hf?date={day}&limit=100", body)
        hugging_face = {"huggingface": "daily", "url": f"{http.url}/hf", "allow_private": True}
        home.subscribe(reader("Ada"), sources=[arxiv(http), hugging_face])
        home.mail_to(smtp)

        done = home.run(now=f"{day}T23:00")

    assert done.code == 1
    assert "skipped item 1: an object was expected, not '{'paper': {'id': " in done.out
    assert papers_in(smtp.accepted) == ["2611.00001"]
    assert "huggingface:daily: not read in full" in text_of(smtp.accepted[0])
