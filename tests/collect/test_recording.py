"""What was recorded is replayed: the same answers and the same failures, without the network and without secrets."""

import asyncio
import gzip
import json
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.collect.client import Answer, Client, Request
from digest.collect.limits import Limits
from digest.collect.recording import Recorder, Replayer, read_run, write_run
from digest.collect.turns import Deadline
from digest.errors import CollectError, ConfigError
from digest.model import PaperKey, Validators
from digest.ports import Ask, Window
from tests.builders import NOW, a_paper
from tests.collect.evil_http import Answer as Evil
from tests.collect.evil_http import EvilHttp
from tests.collect.pages import rss, rss_item
from tests.deliver.evil_smtp import make_certificate, server_context

QUICK = Limits(deadline_s=2, backoff_s=0.01, backoff_max_s=0.02, read_s=0.3, body_bytes=2_000_000)
ONE = rss(rss_item())
Outcome = Answer | tuple[str, str, str]


def outcomes(*asks: Ask, limits: Limits = QUICK, known: Validators | None = None, **client: Any) -> list[Outcome]:
    """What one client makes of these requests, one after the other."""

    async def run() -> list[Outcome]:
        async with aclosing(Client(contact="me@example.org", limits=limits, **client)) as one:
            return [await outcome(one, ask) for ask in asks]

    async def outcome(client: Client, ask: Ask) -> Outcome:
        deadline = Deadline(limits.deadline_s)
        try:
            async with deadline.timeout:
                answer = await client.fetch(Request(ask=ask, allow_private=True, validators=known, deadline=deadline))
                return replace(answer, problem=hurried(answer.problem))
        except CollectError as exc:
            return type(exc).__name__, hurried(exc.problem), exc.hint
        except TimeoutError:
            return "TimeoutError", "", ""

    return asyncio.run(run())


def hurried(problem: str) -> str:
    """The same, whatever time it took."""
    return re.sub(r"(?<=tries in )\d+ s", "0 s", problem)


def replayed(folder: Path, *asks: Ask, **more: Any) -> list[Outcome]:
    return outcomes(*asks, transport=Replayer(folder), resolve=must_not_resolve, **more)


async def must_not_resolve(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was resolved")


TAGGED = {"ETag": '"é"', "Last-Modified": "x", "Content-Type": "text/xml; charset=x"}
BUSY = Evil(b"", 503)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param((Evil(ONE, headers=TAGGED),), id="good"),
        pytest.param((Evil(b""),), id="empty"),
        pytest.param((BUSY, BUSY, Evil(ONE)), id="busy at first"),
        pytest.param((BUSY,), id="busy"),
        pytest.param((Evil(b"", 429, {"Retry-After": "1"}), Evil(ONE)), id="throttled for a second"),
        pytest.param((Evil(b"", 429, {"Retry-After": "600"}),), id="throttled for long"),
        pytest.param((Evil(b"no", 404),), id="missing"),
        pytest.param((Evil(status=304),), id="bogus 304"),
        pytest.param((Evil(b"", 302, {"Location": "/g?token=tiger"}),), id="redirect"),
        pytest.param((Evil(b"", 302, {"Location": "/f"}),), id="loop"),
        pytest.param((Evil(b"", 302, {"Location": "file:///etc/passwd"}),), id="file"),
        pytest.param((Evil(b"", 302, {"Location": "http://a:b:c/"}),), id="broken redirect"),
        pytest.param((Evil(ONE, claims=len(ONE) + 9),), id="broke off"),
        pytest.param((Evil(ONE, claims=len(ONE) + 9), Evil(ONE)), id="broke off at first"),
        pytest.param((Evil(ONE, claims=99),), id="short length"),
        pytest.param((Evil(raw=CHUNKED + b"5\r\n<rss>\r\nzz\r\n"),), id="chunk error"),
        pytest.param((Evil(raw=b""),), id="hung up"),
        pytest.param((Evil(raw=b"\x00\x01\x02"),), id="no HTTP"),
        pytest.param((Evil(ONE[:50], claims=len(ONE), resets=True),), id="reset"),
        pytest.param((Evil(ONE[:50], claims=len(ONE), stalls=True),), id="stall"),
        pytest.param((Evil(gzip.compress(ONE), headers=GZIP),), id="gzip"),
        pytest.param((Evil(gzip.compress(ONE)[:-9], headers=GZIP),), id="half a gzip"),
        pytest.param((Evil(ONE, headers=GZIP),), id="no gzip"),
        pytest.param((Evil(gzip.compress(bytes(9_000_000)), headers=GZIP),), id="bomb"),
        pytest.param((Evil(bytes(2_500_000)),), id="too large"),
        pytest.param((Evil(ONE, headers={"Content-Encoding": "br"}),), id="unknown encoding"),
        pytest.param((Evil(b"Rate exceeded."),), id="rate exceeded"),
    ],
)  # fmt: skip
def test_whatever_a_server_does_is_replayed(server: EvilHttp, tmp_path: Path, answers: tuple[Evil, ...]) -> None:
    server.answers("/g", ONE)
    asks = [Ask(server.answers("/f?token=tiger&day=1", *answers)), Ask(server.url + "/f?token=tiger&day=1")]

    first = outcomes(*asks, transport=Recorder(tmp_path))

    assert replayed(tmp_path, *asks) == first
    assert b"tiger" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_deadline_is_replayed_without_waiting_for_it(server: EvilHttp, tmp_path: Path) -> None:
    ask = Ask(server.answers("/f", Evil(ONE, drip_s=0.05)))
    hurried = replace(QUICK, deadline_s=0.3)

    first = outcomes(ask, limits=hurried, transport=Recorder(tmp_path))

    assert first == replayed(tmp_path, ask) == [("TimeoutError", "", "")]


def test_names_that_cannot_be_resolved_and_hosts_that_cannot_be_reached_are_replayed(tmp_path: Path) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if host == "gone.invalid":
            raise OSError(-2, "Name or service not known")
        return [] if host == "empty.invalid" else ["127.0.0.1"]

    asks = [Ask(f"http://{host}.invalid:1/f") for host in ("gone", "empty", "down")]

    first = outcomes(*asks, transport=Recorder(tmp_path), resolve=resolve)

    assert replayed(tmp_path, *asks) == first
    assert [kind for kind, *_ in map(tuple, first)] == ["NoAnswerError"] * 3  # type: ignore[arg-type]


def test_the_second_address_answers_in_the_replay_too(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "1.1.1.1":
            raise httpx.ConnectError("no route to host")
        return httpx.Response(200, stream=Stream(ONE))

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1", "1.0.0.1"]

    ask = Ask("https://journal.invalid/f")
    network = httpx.MockTransport(answer)

    [first] = outcomes(ask, transport=Recorder(tmp_path, network), resolve=resolve, limits=replace(QUICK, tries=1))

    assert isinstance(first, Answer)
    assert replayed(tmp_path, ask, limits=replace(QUICK, tries=1)) == [first]


def test_a_certificate_that_is_not_valid_is_replayed(tmp_path: Path) -> None:
    with EvilHttp(server_context(make_certificate(tmp_path))).running() as server:
        ask = Ask(server.url + "/f")
        first = outcomes(ask, transport=Recorder(tmp_path / "run"))

    assert replayed(tmp_path / "run", ask) == first
    assert "certificate" in str(first)


def test_an_unchanged_page_is_replayed_as_unchanged(server: EvilHttp, tmp_path: Path) -> None:
    ask = Ask(server.answers("/f", Evil(status=304)))

    first = outcomes(ask, known=Validators('"1"'), transport=Recorder(tmp_path))

    assert first == replayed(tmp_path, ask, known=Validators('"1"')) == [Answer()]


def test_posts_to_one_address_are_told_apart_by_what_they_post(server: EvilHttp, tmp_path: Path) -> None:
    url = server.answers("/batch", b"first", b"second")
    one, two = Ask(url, body=b'["1"]'), Ask(url, body=b'["2"]')

    first = outcomes(one, two, transport=Recorder(tmp_path))

    assert replayed(tmp_path, two, one) == first[::-1]


def test_an_address_that_was_asked_often_answers_in_its_order_and_then_stays(server: EvilHttp, tmp_path: Path) -> None:
    ask = Ask(server.answers("/f", b"1", b"2", b"3"))
    outcomes(ask, ask, ask, transport=Recorder(tmp_path))

    again = replayed(tmp_path, ask, ask, ask, ask)

    assert [one.page.body for one in again if isinstance(one, Answer) and one.page] == [b"1", b"2", b"3", b"3"]


def test_what_was_not_recorded_is_named(server: EvilHttp, tmp_path: Path) -> None:
    outcomes(Ask(server.answers("/f", ONE)), transport=Recorder(tmp_path))

    [(kind, problem, _)] = map(tuple, replayed(tmp_path, Ask(server.url + "/g?api_key=tiger")))  # type: ignore[arg-type]

    assert (kind, problem) == ("CollectError", f"GET {server.url}/g was not recorded")


def test_nothing_secret_or_personal_is_written(server: EvilHttp, tmp_path: Path) -> None:
    url = server.answers("/f", Evil(ONE, headers={"Set-Cookie": "id=jaguar", "X-Key": "puma", "ETag": '"1"'}))
    address = f"{url}?api_key=tiger&mailto=leo@example.org&email=lion&tool=lynx&author=Ada&term=cat".replace(
        "//", "//ada:cheetah@"
    )

    outcomes(Ask(address, (("X-Api-Key", "panther"),)), transport=Recorder(tmp_path))

    written = b"".join(path.read_bytes() for path in tmp_path.iterdir()).decode()
    for secret in ("tiger", "leo@", "lion", "lynx", "cheetah", "panther", "jaguar", "puma", "me@example.org"):
        assert secret not in written
    assert "author=Ada&term=cat" in written
    assert replayed(tmp_path, Ask(address.replace("tiger", "another")))[0] == replace(
        outcomes(Ask(address))[0],  # type: ignore[type-var]
        page=replace(outcomes(Ask(address))[0].page, url=address.replace("tiger", "another")),  # type: ignore[union-attr,type-var]
    )


class Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes, failure: Exception | None = None, size: int = 1000) -> None:
        self._body, self._failure, self._size = body, failure, size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), self._size):
            yield self._body[start : start + self._size]
        if self._failure:
            raise self._failure


FAILURES = st.sampled_from([httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout, httpx.ConnectError])
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "content-encoding", "etag", "last-modified", "retry-after", "location", "date"]),
    st.sampled_from([b"gzip", b"text/xml; charset=latin-1", b'"1"', b"\xff", b"1", b"-1", b"/g", b"http://[", b""]),
)


@st.composite
def scripted(draw: st.DrawFn) -> tuple[int, dict[str, bytes], bytes, type[Exception] | None, int]:
    body = draw(
        st.sampled_from([ONE, ONE[:70], gzip.compress(ONE), gzip.compress(bytes(3_000_000)), b"", b"Rate exceeded."])
    )
    status = draw(st.sampled_from([200, 200, 200, 301, 304, 307, 403, 404, 406, 429, 500, 503]))
    return status, draw(HEADERS), body, draw(st.none() | FAILURES), draw(st.integers(1, 5000))


@given(scripts=st.lists(scripted(), min_size=1, max_size=6), host=st.sampled_from(["rss.arxiv.org", "journal.example"]))
def test_any_sequence_of_answers_is_replayed(scripts: list[Any], host: str) -> None:
    left = list(scripts)

    def answer(request: httpx.Request) -> httpx.Response:
        status, headers, body, failure, size = left.pop(0) if len(left) > 1 else left[0]
        if failure is httpx.ConnectError:
            raise failure("no route")
        stream = Stream(body, failure and failure("it broke"), size)
        return httpx.Response(
            status, headers=[(name.encode(), value) for name, value in headers.items()], stream=stream
        )

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1"]

    asks = [Ask(f"https://{host}/f"), Ask(f"https://{host}/g"), Ask(f"https://{host}/f", body=b"[]")]
    # Retry-After is waited for when recording: a second is too long here.
    limits = Limits(deadline_s=0.9, backoff_s=0, backoff_max_s=0, arxiv_spacing_s=0, body_bytes=1_500_000)
    folder = Path(tempfile.mkdtemp())
    try:
        first = outcomes(*asks, limits=limits, resolve=resolve, transport=Recorder(folder, httpx.MockTransport(answer)))

        assert replayed(folder, *asks, limits=limits) == first
    finally:
        shutil.rmtree(folder)


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    paper = a_paper(ids=(PaperKey("doi:10.1/x"),), origins=(("title", "arxiv:cs.CL"),))
    windows = {
        "arxiv:cs.CL": Window(since=NOW - timedelta(days=2), until=NOW, listed=7),
        "stars": Window(since=NOW, until=NOW, papers=(paper,)),
    }

    write_run(tmp_path / "new", NOW, windows)

    run = read_run(tmp_path / "new")
    assert (run.now, run.windows) == (NOW, windows)
    assert run.now.tzinfo is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"format": 2}', "a recording of format 2, this release reads 1"),
        ("{", "not a recorded run"),
        ("[]", "not a recorded run"),
        ('{"format": 1, "now": "soon", "windows": {}}', "not a recorded run"),
        (None, "no recording"),
    ],
)
def test_what_is_no_recorded_run_is_an_error_that_names_the_file(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)

    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        read_run(tmp_path)

    assert caught.value.where == str(tmp_path / "run.json")


def test_a_folder_that_holds_a_recording_is_not_written_to(server: EvilHttp, tmp_path: Path) -> None:
    outcomes(Ask(server.answers("/f", ONE)), transport=Recorder(tmp_path))

    with pytest.raises(ConfigError, match="holds a recording"):
        Recorder(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"method": "GET", "address": "x", "failure": ["Oops", "", "", ""]}'])
def test_a_damaged_answer_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "0001.json").write_text(text)

    with pytest.raises(ConfigError, match="not a recorded answer") as caught:
        Replayer(tmp_path)

    assert caught.value.where.endswith("0001.json")


def test_a_replay_neither_waits_for_its_turn_nor_asks_for_one(tmp_path: Path) -> None:
    class Turns:
        def take(self, host: str, spacing: timedelta, now: datetime) -> datetime:
            raise AssertionError("a replay must not take real turns")

        def hold(self, host: str, until: datetime) -> None:
            raise AssertionError("a replay must not hold real hosts")

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Stream(ONE))

    hosts = ("rss.arxiv.org", "api.semanticscholar.org")
    asks = [Ask(f"https://{host}/{number}") for number in range(5) for host in hosts]
    public = [("1.1.1.1",)]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return public[0]

    recorder = Recorder(tmp_path, httpx.MockTransport(answer))
    first = outcomes(
        *asks, limits=replace(QUICK, arxiv_spacing_s=0, host_spacing_s=()), resolve=resolve, transport=recorder
    )

    started = time.monotonic()
    assert replayed(tmp_path, *asks, limits=Limits(), turns=Turns(), clock=lambda: NOW) == first
    assert time.monotonic() - started < 1
    numbers = [json.loads(path.read_bytes())["address"] for path in sorted(tmp_path.glob("*.json"))]
    assert numbers[:2] == ["rss.arxiv.org:443", "https://rss.arxiv.org/0"]
