"""The client against a server that misbehaves: every fault becomes a poll that says what happened."""

import asyncio
import gzip
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from digest.collect.client import Answer as CollectAnswer
from digest.collect.client import Client, Request
from digest.collect.limits import Limits
from digest.collect.poll import poll_sources, validator_name
from digest.collect.sources import Arxiv, Feed, HuggingFace
from digest.collect.turns import Deadline, NoAnswerError
from digest.collect.web import is_arxiv, is_public, resolve_host, retry_after_s, shown
from digest.errors import CollectError, ConfigError
from digest.model import PaperKey, Poll, Validators, Verdict
from digest.ports import Ask, Listing, Page, Source, Window
from tests.builders import NOW
from tests.collect.evil_http import Answer, EvilHttp, Proxy
from tests.collect.pages import hf, hf_item, rss, rss_item
from tests.deliver.evil_smtp import make_certificate, server_context

WINDOW = Window(since=NOW - timedelta(days=1), until=NOW)
QUICK = Limits(deadline_s=5, backoff_s=0.01, read_s=2, arxiv_spacing_s=0.2)
ONE = rss(rss_item())


def poll(
    *sources: Source, limits: Limits = QUICK, known: Mapping[str, Validators] | None = None, **more: Any
) -> list[Poll]:
    def connect() -> Client:
        return Client(contact="test@example.org", limits=limits, resolve=resolve)

    resolve = more.pop("resolve", resolve_host)
    windows = {source.name: WINDOW for source in sources}
    return asyncio.run(poll_sources(sources, windows, known or {}, connect=connect, limits=limits, **more))


def name_of(url: str) -> str:
    return validator_name(Feed(url, "blog"), url)


def poll_one(url: str, limits: Limits = QUICK, known: Mapping[str, Validators] | None = None, **more: Any) -> Poll:
    [done] = poll(Feed(url, "blog", allow_private=True), limits=limits, known=known, **more)
    return done


def ask(url: str | Ask, allow_private: bool = True, limits: Limits = QUICK, **client: Any) -> CollectAnswer:
    """One request of a client of its own."""

    async def asked() -> CollectAnswer:
        deadline = Deadline(limits.deadline_s)
        request = Request(ask=Ask(url) if isinstance(url, str) else url, allow_private=allow_private, deadline=deadline)
        async with aclosing(Client(contact="tests", limits=limits, **client)) as one, deadline.timeout:
            return await one.fetch(request)

    return asyncio.run(asked())


def test_a_good_answer_is_fresh_and_polite(server: EvilHttp) -> None:
    url = server.answers("/f", Answer(ONE, headers={"ETag": '"1"', "Last-Modified": "Fri, 20 Nov 2026 05:00:00 GMT"}))

    done = poll_one(url)

    assert (done.verdict, done.problems, [entry.key for entry in done.entries]) == (
        Verdict.FRESH,
        (),
        ["arxiv:2611.00001"],
    )
    assert done.validators == ((name_of(url), Validators('"1"', "Fri, 20 Nov 2026 05:00:00 GMT")),)
    [request] = server.requests
    assert request.headers["user-agent"].startswith("paperround/")
    assert "(+test@example.org)" in request.headers["user-agent"]
    assert "application/rss+xml" in request.headers["accept"]
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


def test_validators_are_sent_back_and_304_is_unchanged(server: EvilHttp) -> None:
    url = server.answers("/f", Answer(status=304))

    done = poll_one(url, known={name_of(url): Validators('"1"', "Fri, 20 Nov 2026 05:00:00 GMT")})

    assert (done.verdict, done.entries, done.validators) == (Verdict.UNCHANGED, (), ())
    assert server.requests[0].headers["if-none-match"] == '"1"'
    assert server.requests[0].headers["if-modified-since"] == "Fri, 20 Nov 2026 05:00:00 GMT"


def test_304_to_an_unconditional_request_is_a_failure(server: EvilHttp) -> None:
    done = poll_one(server.answers("/f", Answer(status=304)))

    assert (done.verdict, done.problems) == (Verdict.FAILED, (f"HTTP 304 from {server.url}/f",))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_passing_fault_is_tried_again(server: EvilHttp, status: int) -> None:
    done = poll_one(server.answers("/f", Answer(b"<html>busy", status), Answer(b"", status), ONE))

    assert (done.verdict, len(server.requests)) == (Verdict.FRESH, 3)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(Answer(b"", 503), "HTTP 503 from {url}, 4 tries in 0 s", id="503"),
        pytest.param(Answer(b"", 429), "HTTP 429 from {url}, 4 tries in 0 s", id="429"),
        pytest.param(
            Answer(b"Rate exceeded."), "'Rate exceeded.' from {url}, 4 tries in 0 s", id="rate exceeded with 200"
        ),
        pytest.param(Answer(b"", 404), "HTTP 404 from {url}", id="404"),
        pytest.param(Answer(b"", 403), "HTTP 403 from {url}", id="403 elsewhere is final"),
        pytest.param(
            Answer(b"<!DOCTYPE html><html><title>Down for maintenance</title>"),
            "HTML page titled 'Down for maintenance' where a feed was expected from {url}",
            id="HTML with 200",
        ),
        pytest.param(Answer(b""), "not a feed: the body is empty from {url}", id="empty body"),
        pytest.param(Answer(b"/etc/passwd"), "not a feed: it starts with '/etc/passwd' from {url}", id="a path"),
        pytest.param(
            Answer(b"", 429, {"Retry-After": "120"}),
            "HTTP 429 from {url}, which asks us to wait 120 s; only 5 s are left",
            id="Retry-After beyond the deadline",
        ),
        pytest.param(
            Answer(b"", 503, {"Retry-After": "9" * 5000}),
            "HTTP 503 from {url}, which asks us to wait ages; only 5 s are left",
            id="absurd Retry-After",
        ),
        pytest.param(Answer(ONE, headers={"Content-Encoding": "gzip"}), "broken gzip from {url} (", id="not gzip"),
        pytest.param(
            Answer(ONE, headers={"Content-Encoding": "gzip, gzip"}),
            "content encoding 'gzip, gzip' from {url}",
            id="nested",
        ),
        pytest.param(
            Answer(b"", 302, {"Location": "file:///etc/passwd"}),
            "refused file:/etc/passwd (where {url} redirects to): only http",
            id="file",
        ),
        pytest.param(
            Answer(b"", 302, {"Location": "http://a:b:c/"}),
            "no valid answer from {url} (Invalid URL in loc",
            id="broken redirect",
        ),
        pytest.param(Answer(b"", 302), "HTTP 302 from {url}", id="redirect to nowhere"),
    ],
)
def test_a_fault_is_named(server: EvilHttp, answer: Answer, says: str) -> None:
    url = server.answers("/f", answer)

    done = poll_one(url)

    assert done.verdict in (Verdict.FAILED, Verdict.SUSPICIOUS)
    assert len(done.problems) == 1
    assert done.problems[0].startswith(says.format(url=url))
    assert done.validators == ()


@pytest.mark.parametrize("value", ["1", "soon", "-5", "0"])
def test_retry_after_is_honoured_or_ignored(server: EvilHttp, value: str) -> None:
    url = server.answers("/f", Answer(b"", 429, {"Retry-After": value}), ONE)

    done = poll_one(url)

    waited = server.requests[1].at - server.requests[0].at
    assert done.verdict is Verdict.FRESH
    assert waited >= 0.95 if value == "1" else waited < 0.9


def test_retry_after_as_a_date_is_read_by_the_servers_clock() -> None:
    def date(**later: float) -> str:
        return format_datetime(NOW + timedelta(**later), usegmt=True)

    assert retry_after_s({"retry-after": date(seconds=90), "date": date()}) == 90
    assert retry_after_s({"retry-after": date(seconds=-90), "date": date()}) is None
    assert retry_after_s({"retry-after": date(seconds=90)}) is None
    assert retry_after_s({}) is None


def test_a_bomb_is_not_unpacked(server: EvilHttp) -> None:
    bomb = gzip.compress(b"\0" * 60_000_000)

    done = poll_one(server.answers("/f", Answer(bomb, headers={"Content-Encoding": "gzip"})))

    assert done.verdict is Verdict.FAILED
    assert (
        "unpacks to more than 200 times its size" in done.problems[0]
        or "more than 20,971,520 bytes" in done.problems[0]
    )


def test_gzip_is_read(server: EvilHttp) -> None:
    done = poll_one(server.answers("/f", Answer(gzip.compress(ONE), headers={"Content-Encoding": "gzip"})))

    assert done.verdict is Verdict.FRESH


def test_a_body_over_the_cap_fails(server: EvilHttp) -> None:
    done = poll_one(server.answers("/f", ONE + b" " * 2000), limits=Limits(body_bytes=1000, deadline_s=5))

    assert done.problems == (f"more than 1,000 bytes from {server.url}/f",)


def test_a_slow_drip_ends_at_the_deadline_and_disturbs_nobody(server: EvilHttp) -> None:
    slow = Feed(server.answers("/slow", Answer(ONE, drip_s=0.05)), "slow", allow_private=True)
    # Another host, or it would have to wait for its turn.
    other = Feed(server.answers("/f", ONE).replace("127.0.0.1", "localhost"), "other", allow_private=True)

    dripped, good = poll(slow, other, limits=Limits(deadline_s=0.5, backoff_s=0.01))

    assert (dripped.verdict, dripped.problems) == (Verdict.FAILED, ("gave up after 0.5 s",))
    assert good.verdict is Verdict.FRESH


def test_a_broken_off_body_keeps_its_whole_items(server: EvilHttp) -> None:
    body = rss(rss_item(1), rss_item(2), rss_item(3))
    cut = body[: body.rindex(b"<dc:creator>")]

    done = poll_one(server.answers("/f", Answer(cut, claims=len(body), headers={"ETag": '"1"'})))

    assert [entry.key for entry in done.entries] == ["arxiv:2611.00001", "arxiv:2611.00002"]
    assert done.verdict is Verdict.PARTIAL
    assert f"broke off after {len(cut):,} bytes, 4 tries" in done.problems[0]
    assert done.validators == ()


def test_truncated_gzip_is_partial(server: EvilHttp) -> None:
    body = gzip.compress(rss(*(rss_item(number, abstract=str(number**9) * 50) for number in range(1, 200))))

    done = poll_one(server.answers("/f", Answer(body[: len(body) // 2], headers={"Content-Encoding": "gzip"})))

    assert done.verdict is Verdict.PARTIAL
    assert 0 < len(done.entries) < 199


def test_a_relative_redirect_is_followed(server: EvilHttp) -> None:
    server.answers("/new", Answer(ONE, headers={"ETag": '"1"'}))
    url = server.answers("/f", Answer(b"", 301, {"Location": "new"}))

    done = poll_one(url)

    assert done.verdict is Verdict.FRESH
    assert done.validators == ((name_of(url), Validators('"1"')),)


def test_a_redirect_loop_ends(server: EvilHttp) -> None:
    url = server.answers("/f", Answer(b"", 302, {"Location": "/f"}))

    done = poll_one(url)

    assert done.problems == (f"more than 5 redirects from {url}, the last to {url}",)
    assert len(server.requests) == 6


def test_private_addresses_are_refused_unless_allowed(server: EvilHttp) -> None:
    url = server.answers("/f", ONE)

    [done] = poll(Feed(url, "blog"))

    assert (done.verdict, server.requests) == (Verdict.FAILED, [])
    assert done.problems == (
        f"refused {url}: it leads to the private address 127.0.0.1; set allow_private for this source if that is meant",
    )


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "192.168.0.1", "172.16.0.1", "224.0.0.1",
     "::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
     "fec0::1", "ff02::1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "http://2130706433/", "http://[::ffff:10.0.0.1]/", "//127.1/"]
)
def test_each_hop_of_a_redirect_is_checked(target: str) -> None:
    asked: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": target})

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1"] if host == "journal.invalid" else await resolve_host(host, port)

    with pytest.raises(CollectError, match=r"where http://journal.invalid/f redirects to\): it leads to the private"):
        ask("http://journal.invalid/f", False, resolve=resolve, transport=httpx.MockTransport(redirect))
    assert asked == ["1.1.1.1"]


class Body(httpx.AsyncByteStream):
    """An answer's content, as it comes from the network: not read yet."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content


def fetch(
    url: str | Ask,
    answer: Callable[[httpx.Request], httpx.Response],
    addresses: Sequence[str] = ("93.184.216.34",),
    **more: Any,
) -> Page | None:
    """What the client makes of the answers of a public host with these addresses."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return ask(url, allow_private=False, resolve=resolve, transport=httpx.MockTransport(answer), **more).page


def test_one_private_address_among_public_ones_is_refused() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, stream=Body(ONE))

    with pytest.raises(CollectError, match=r"private address 10\.0\.0\.1"):
        fetch("https://journal.invalid/f", answer, ["93.184.216.34", "10.0.0.1"])
    assert asked == []


def test_a_redirect_out_of_tls_is_refused() -> None:
    asked: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.scheme)
        return httpx.Response(302, headers={"Location": "http://journal.invalid/f"})

    with pytest.raises(CollectError, match="unencrypted http://journal"):
        fetch("https://journal.invalid/f", redirect)
    assert asked == ["https"]


def test_the_address_is_asked_under_the_hosts_name_in_tls_and_http() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, stream=Body(ONE))

    fetch("https://journal.invalid:8443/f", answer)

    [request] = asked
    assert (request.url.host, request.url.port) == ("93.184.216.34", 8443)
    assert request.extensions["sni_hostname"] == "journal.invalid"
    assert request.headers["host"] == "journal.invalid:8443"


def test_the_second_address_is_asked_when_the_first_cannot_be_reached() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if len(asked) == 1:
            raise httpx.ConnectError("no route to host")
        return httpx.Response(200, stream=Body(ONE))

    page = fetch("https://journal.invalid/f", answer, ["93.184.216.34", "1.1.1.1"])

    assert page
    assert page.body == ONE
    assert asked == ["93.184.216.34", "1.1.1.1"]


@pytest.mark.parametrize("status", [403, 406, 429, 503])
def test_arxiv_throttles_in_many_ways_and_is_asked_again(status: int) -> None:
    answers = iter([httpx.Response(status, stream=Body(b"busy")), httpx.Response(200, stream=Body(ONE))])

    page = fetch("https://rss.arxiv.org/rss/cs.CL", lambda request: next(answers))

    assert page
    assert page.body == ONE


def test_a_long_page_that_begins_like_a_refusal_is_a_page() -> None:
    body = b"Rate exceeded, a study. " + b"We measure limits. " * 20
    answers = iter([httpx.Response(200, stream=Body(body))])

    page = fetch("https://journal.invalid/f", lambda request: next(answers))

    assert page
    assert page.body == body


def test_a_proxy_of_the_environment_is_not_used(server: EvilHttp, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)

    assert poll_one(server.answers("/f", ONE)).verdict is Verdict.FRESH


def test_the_checked_address_is_the_one_connected(server: EvilHttp) -> None:
    """The name does not exist: only a connection to the resolved address itself can succeed, under the host's name."""
    calls = 0

    async def resolve(host: str, port: int) -> Sequence[str]:
        nonlocal calls
        calls += 1
        return ["127.0.0.1"]

    server.answers("/f", ONE)

    done = poll_one(f"http://journal.invalid:{server.port}/f", resolve=resolve)

    assert (done.verdict, calls) == (Verdict.FRESH, 1)
    assert server.requests[0].headers["host"] == f"journal.invalid:{server.port}"


def test_a_name_without_address_is_a_failure() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    done = poll_one("http://journal.invalid/f", resolve=resolve)

    assert done.problems == ("the name journal.invalid cannot be resolved (no such name), 4 tries in 0 s",)


def test_a_refused_connection_is_a_failure(server: EvilHttp) -> None:
    done = poll_one("http://127.0.0.1:1/f")

    assert done.verdict is Verdict.FAILED
    assert done.problems[0].startswith("no connection to http://127.0.0.1:1/f (")


def test_arxiv_hosts_share_one_connection_and_its_spacing(server: EvilHttp) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    server.answers("/cs.CL", ONE)
    server.answers("/cs.CV", ONE)
    hosts = [f"http://{host}:{server.port}" for host in ("rss.arxiv.org", "export.arxiv.org")]

    done = poll(
        Arxiv(("cs.CL",), url=hosts[0], allow_private=True),
        Arxiv(("cs.CV",), url=hosts[1], allow_private=True),
        resolve=resolve,
    )

    assert [one.verdict for one in done] == [Verdict.FRESH, Verdict.FRESH]
    assert server.requests[1].at - server.requests[0].at >= 0.2


def test_which_hosts_are_arxivs() -> None:
    assert [is_arxiv(host) for host in ("arxiv.org", "RSS.arxiv.org.", "notarxiv.org", "arxiv.org.evil.example")] == [
        True,
        True,
        False,
        False,
    ]


def hf_source(server: EvilHttp) -> HuggingFace:
    return HuggingFace(url=server.url + "/hf", allow_private=True)


def test_a_missing_day_of_hugging_face_is_quiet(server: EvilHttp) -> None:
    server.answers("/hf?date=2026-11-19&limit=100", hf(hf_item()))

    [done] = poll(hf_source(server))

    assert (done.verdict, done.problems, len(done.entries)) == (Verdict.FRESH, (), 1)
    assert server.paths() == [f"/hf?date=2026-11-{day}&limit=100" for day in (18, 19, 20)]


def test_a_full_page_of_hugging_face_asks_for_the_next(server: EvilHttp) -> None:
    server.answers("/hf", hf())
    server.answers("/hf?date=2026-11-19&limit=100", hf(*(hf_item(number) for number in range(1, 101))))
    server.answers("/hf?date=2026-11-19&limit=100&p=1", hf(hf_item(101)))

    [done] = poll(hf_source(server))

    assert (done.verdict, len(done.entries)) == (Verdict.FRESH, 101)


def test_one_unreadable_page_of_several_is_partial(server: EvilHttp) -> None:
    server.answers("/hf", hf(hf_item()))
    server.answers("/hf?date=2026-11-19&limit=100", b"<html><title>Log in</title>")

    [done] = poll(hf_source(server))

    assert done.verdict is Verdict.PARTIAL
    assert done.problems == (
        f"HTML page titled 'Log in' where JSON was expected from {server.url}/hf?date=2026-11-19&limit=100",
    )
    assert len(server.requests) == 3


def test_a_server_that_is_down_is_not_asked_for_the_other_pages(server: EvilHttp) -> None:
    server.answers("/hf", Answer(b"", 503))

    [done] = poll(hf_source(server))

    assert (done.verdict, len(done.problems), len(server.requests)) == (Verdict.FAILED, 1, 4)


@dataclass(frozen=True)
class Scripted(Source):
    """A source whose parser does as told."""

    url: str
    listing: Listing | Exception
    name: str = "scripted"
    allow_private: bool = True

    def asks(self, window: Window) -> Sequence[Ask]:
        return [Ask(self.url)]

    def parse(self, page: Page) -> Listing:
        if isinstance(self.listing, Exception):
            raise self.listing
        return self.listing


def test_a_bug_in_a_parser_is_named_and_isolated(server: EvilHttp) -> None:
    url = server.answers("/f", ONE)
    done: list[str] = []

    polls = poll(
        Scripted(url, ZeroDivisionError("by\x00 zero")),
        Feed(url, "blog", allow_private=True),
        on_poll=lambda poll: done.append(poll.source),
    )

    assert [one.verdict for one in polls] == [Verdict.FAILED, Verdict.FRESH]
    assert polls[0].problems == ("unexpected ZeroDivisionError: by zero; please report this",)
    assert sorted(done) == ["blog", "scripted"]


def test_a_parser_that_hangs_ends_at_the_deadline_and_is_left_behind(server: EvilHttp) -> None:
    released = threading.Event()

    class Hanging(Scripted):
        def parse(self, page: Page) -> Listing:
            released.wait(60)
            return Listing()

    [done] = poll(Hanging(server.answers("/f", ONE), Listing()), limits=Limits(deadline_s=0.3))
    [left] = [thread for thread in threading.enumerate() if thread.name == "parse scripted"]
    released.set()
    left.join(5)

    assert (done.verdict, done.problems) == (Verdict.FAILED, ("gave up after 0.3 s",))
    assert left.daemon
    assert not left.is_alive()


def test_problems_are_capped_and_counted(server: EvilHttp) -> None:
    url = server.answers("/f", ONE)

    [done] = poll(Scripted(url, Listing(problems=tuple(f"skipped {number}" for number in range(50)))))

    assert done.verdict is Verdict.PARTIAL
    assert done.problems[19:] == ("skipped 19", "and 30 more")


def test_an_endless_chain_of_pages_ends(server: EvilHttp) -> None:
    url = server.answers("/f", ONE)

    class Endless(Scripted):
        def parse(self, page: Page) -> Listing:
            return Listing(next=Ask(page.url + "x"))

    server.answers("/f", *([ONE] * 1))
    for number in range(1, 60):
        server.answers("/f" + "x" * number, ONE)

    [done] = poll(Endless(url, Listing()), limits=Limits(pages=7, deadline_s=5))

    assert (done.problems, len(server.requests)) == (("stopped after 7 pages",), 7)


def test_entries_are_capped_and_will_be_asked_for_again(server: EvilHttp) -> None:
    url = server.answers("/f", Answer(rss(*(rss_item(number) for number in range(1, 9))), headers={"ETag": '"1"'}))

    done = poll_one(url, limits=Limits(entries=5, deadline_s=5))

    assert (len(done.entries), done.verdict, done.validators) == (5, Verdict.PARTIAL, ())
    assert done.problems == ("kept the first 5 of 8 papers",)


def test_secrets_stay_out_of_messages(server: EvilHttp) -> None:
    url = server.answers("/f?api_key=tiger&day=1", Answer(b"", 404)).replace("//", "//ada:cheetah@")

    done = poll_one(url)

    assert done.problems == (f"HTTP 404 from {server.url}/f?api_key=…&day=1",)
    assert shown("https://a:b@c@example.org/x@y") == "https://example.org/x@y"


def test_validators_that_cannot_be_sent_back_are_not_kept(server: EvilHttp) -> None:
    done = poll_one(server.answers("/f", Answer(ONE, headers={"ETag": '"é"', "Last-Modified": "x" * 900})))

    assert (done.verdict, done.validators) == (Verdict.FRESH, ())


def test_what_the_listener_raises_ends_the_polling_as_it_is(server: EvilHttp) -> None:
    class FullDiskError(Exception):
        pass

    def fail(_poll: Poll) -> None:
        raise FullDiskError

    sources = [Feed(server.answers(path, ONE), name=path, allow_private=True) for path in ("/a", "/b")]
    windows = {source.name: WINDOW for source in sources}

    with pytest.raises(FullDiskError):
        asyncio.run(
            poll_sources(
                sources,
                windows,
                {},
                connect=lambda: Client(contact="tests", limits=QUICK),
                limits=QUICK,
                on_poll=fail,
            )
        )


class Turns:
    """What a database would remember between runs and share among them."""

    def __init__(self) -> None:
        self.free_at: dict[str, datetime] = {}
        self.taken: list[tuple[str, datetime]] = []

    def take(self, host: str, spacing: timedelta, now: datetime) -> datetime:
        begins = max(now, self.free_at.get(host, now))
        self.free_at[host] = begins + spacing
        self.taken.append((host, begins))
        return begins

    def hold(self, host: str, until: datetime) -> None:
        self.free_at[host] = max(until, self.free_at.get(host, until))


def real_clock() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


def at_loopback(_host: str, _port: int) -> Any:
    async def resolved() -> Sequence[str]:
        return ["127.0.0.1"]

    return resolved()


def test_two_runs_at_once_keep_arxivs_spacing_between_them(server: EvilHttp) -> None:
    turns, limits = Turns(), Limits(deadline_s=5, arxiv_spacing_s=0.2)
    server.answers("/", ONE)

    async def run(*hosts: str) -> None:
        client = Client(contact="tests", limits=limits, turns=turns, clock=real_clock, resolve=at_loopback)
        async with aclosing(client):
            for number, host in enumerate(hosts):
                deadline = Deadline(limits.deadline_s)
                url = f"http://{host}:{server.port}/?{number}"
                async with deadline.timeout:
                    await client.fetch(Request(ask=Ask(url), allow_private=True, deadline=deadline))

    async def both() -> None:
        await asyncio.gather(run("rss.arxiv.org", "export.arxiv.org"), run("arxiv.org", "oaipmh.arxiv.org"))

    asyncio.run(both())

    starts = [request.at for request in server.requests]
    assert len(starts) == 4
    # The log is written when a request arrives, on a busy machine some time after its turn began.
    assert min(later - earlier for earlier, later in pairwise(starts)) >= 0.1
    assert {host for host, _ in turns.taken} == {"arxiv.org"}


def test_a_run_waits_for_the_turn_that_the_last_one_left_it(server: EvilHttp) -> None:
    turns = Turns()
    turns.free_at["arxiv.org"] = real_clock() + timedelta(seconds=0.3)
    started = time.monotonic()
    url = server.answers("/", ONE).replace("127.0.0.1", "rss.arxiv.org")

    ask(url, turns=turns, clock=real_clock, resolve=at_loopback)

    assert server.requests[0].at - started >= 0.29


def test_a_host_that_asks_for_more_time_than_there_is_is_left_alone_until_then_in_the_next_run_too(
    server: EvilHttp,
) -> None:
    turns = Turns()
    url = server.answers("/f", Answer(b"", 429, {"Retry-After": "600"}), ONE)
    other = server.answers("/g", ONE)
    alone: dict[str, Any] = {"turns": turns, "clock": lambda: NOW}

    with pytest.raises(NoAnswerError, match=r"wait 600 s until 2026-11-20 07:40 UTC; only 5 s are left"):
        ask(url, **alone)
    with pytest.raises(NoAnswerError, match=r"127\.0\.0\.1:\d+ asked to be left alone until 2026-11-20 07:40 UTC"):
        ask(other, **alone)

    assert server.paths() == ["/f"]
    assert ask(other, turns=turns, clock=lambda: NOW + timedelta(minutes=10)).page


def test_a_held_host_gives_no_more_than_one_turn_away_for_nothing(server: EvilHttp) -> None:
    turns = Turns()
    turns.hold("arxiv.org", NOW + timedelta(hours=1))

    async def run() -> None:
        made = Client(contact="tests", limits=QUICK, turns=turns, clock=lambda: NOW, resolve=at_loopback)
        async with aclosing(made) as client:
            for number in range(5):
                deadline = Deadline(5)
                request = Request(ask=Ask(f"{url}?{number}"), allow_private=True, deadline=deadline)
                with pytest.raises(
                    NoAnswerError, match=r"arxiv\.org asked to be left alone until 2026-11-20 08:30 UTC"
                ):
                    async with deadline.timeout:
                        await client.fetch(request)

    url = "http://rss.arxiv.org/f"
    asyncio.run(run())

    assert len(turns.taken) == 1


def test_a_hold_lasts_a_day_at_most(server: EvilHttp) -> None:
    turns = Turns()
    url = server.answers("/f", Answer(b"", 503, {"Retry-After": "9" * 5000}))

    with pytest.raises(NoAnswerError, match=r"wait ages until 2026-11-21 07:30 UTC"):
        ask(url, turns=turns, clock=lambda: NOW)

    assert turns.free_at[f"127.0.0.1:{server.port}"] == NOW + timedelta(days=1)


def test_others_of_the_host_wait_as_well_when_it_asks_for_a_moment(server: EvilHttp) -> None:
    async def run() -> None:
        async with aclosing(Client(contact="tests", limits=QUICK)) as client:

            async def one(url: str) -> None:
                deadline = Deadline(5)
                async with deadline.timeout:
                    await client.fetch(Request(ask=Ask(url), allow_private=True, deadline=deadline))

            await asyncio.gather(one(busy), one(other))

    busy = server.answers("/busy", Answer(b"", 429, {"Retry-After": "1"}), ONE)
    other = server.answers("/other", ONE)

    asyncio.run(run())

    assert sorted(server.paths()) == ["/busy", "/busy", "/other"]
    assert min(request.at for request in server.requests[1:]) - server.requests[0].at >= 0.95


def test_shared_turns_need_a_clock() -> None:
    with pytest.raises(ValueError, match="clock"):
        Client(contact="tests", limits=QUICK, turns=Turns())


ASK = Ask("http://placeholder", (("X-Api-Key", "tiger"),), b'{"ids": ["a"]}', (PaperKey("arxiv:1"),))


def test_a_post_carries_its_body_and_key_and_its_page_says_what_it_is_about(server: EvilHttp) -> None:
    url = server.answers("/batch", Answer(b"[]", headers={"ETag": '"1"'}))

    answer = ask(replace(ASK, url=url))

    [request] = server.requests
    assert (request.method, request.body) == ("POST", b'{"ids": ["a"]}')
    assert (request.headers["content-type"], request.headers["x-api-key"]) == ("application/json", "tiger")
    assert answer == CollectAnswer(page=Page(url, b"[]", None, (PaperKey("arxiv:1"),)))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_post_that_was_turned_away_is_sent_again(server: EvilHttp, status: int) -> None:
    url = server.answers("/batch", Answer(b"", status), b"[]")

    assert ask(replace(ASK, url=url)).page
    assert [request.body for request in server.requests] == [ASK.body, ASK.body]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"[]", claims=90),
        Answer(raw=b""),
        Answer(raw=b"HTTP/1.1 200", resets=True),
        Answer(stalls=True, claims=9),
    ],
    ids=["broke off", "hung up", "reset", "silence"],
)
def test_a_post_that_may_have_been_acted_on_is_not_sent_again(server: EvilHttp, answer: Answer) -> None:
    url = server.answers("/batch", answer)

    with suppress(NoAnswerError):
        assert ask(replace(ASK, url=url), limits=replace(QUICK, read_s=0.2)).problem
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "is_followed"), [(307, True), (308, True), (301, False), (302, False), (303, False)]
)
def test_a_post_is_redirected_only_as_a_post(server: EvilHttp, status: int, is_followed: bool) -> None:
    server.answers("/new", b"[]")
    url = server.answers("/batch", Answer(b"", status, {"Location": "/new"}))

    with nullcontext() if is_followed else pytest.raises(CollectError, match=f"HTTP {status}"):
        ask(replace(ASK, url=url))

    assert [(request.method, request.path) for request in server.requests[1:]] == [("POST", "/new")] * is_followed


def test_a_key_is_not_sent_on_to_another_host(server: EvilHttp) -> None:
    elsewhere = server.answers("/new", ONE).replace("127.0.0.1", "localhost")
    server.answers("/near", Answer(b"", 302, {"Location": elsewhere}))
    url = server.answers("/f", Answer(b"", 302, {"Location": "/near"}))

    ask(Ask(url, (("Authorization", "Bearer tiger"),)))

    assert [request.headers.get("authorization") for request in server.requests] == ["Bearer tiger"] * 2 + [None]


@pytest.mark.parametrize("key", ["tiger\n", "tiger\r\nX: y", "tigér", "ti\x00ger"])
def test_a_key_that_cannot_be_sent_is_an_error_that_does_not_show_it(server: EvilHttp, key: str) -> None:
    with pytest.raises(CollectError, match=r"the header X-Api-Key for .* holds characters") as caught:
        ask(Ask(server.url, (("X-Api-Key", key),)))

    assert "ger" not in str(caught.value)
    assert server.requests == []


def test_no_cookie_is_sent_back(server: EvilHttp) -> None:
    url = server.answers("/f", Answer(b"", 302, {"Location": "/g", "Set-Cookie": "id=1; Path=/"}))
    server.answers("/g", ONE)

    ask(url)

    assert "cookie" not in server.requests[1].headers


def test_a_proxy_is_given_the_name_and_resolves_it(server: EvilHttp) -> None:
    server.answers("/f?a=1", ONE)

    with Proxy(server.port).running() as proxy:
        answer = ask("http://journal.example/f?a=1", False, proxy=proxy.url, resolve=must_not_resolve)

    assert answer.page
    assert proxy.asked == ["GET http://journal.example/f?a=1"]
    assert server.requests[0].headers["host"] == "journal.example"


def test_an_encrypted_host_is_reached_through_the_proxy_and_its_certificate_is_checked(tmp_path: Path) -> None:
    tls = server_context(make_certificate(tmp_path))

    with EvilHttp(tls).running() as server, Proxy(server.port).running() as proxy:  # noqa: SIM117
        with pytest.raises(
            NoAnswerError, match=r"the certificate of https://journal\.example/f is not valid \(self-sign"
        ):
            ask("https://journal.example/f", False, proxy=proxy.url, resolve=must_not_resolve)

    assert proxy.asked == ["CONNECT journal.example:443"]
    assert server.requests == []


def test_a_proxy_that_cannot_be_reached_names_its_setting() -> None:
    with pytest.raises(NoAnswerError, match=r"no connection to the proxy http://127\.0\.0\.1:1 ") as caught:
        ask("http://journal.example/f", False, proxy="http://ada:tiger@127.0.0.1:1", resolve=must_not_resolve)

    assert caught.value.hint == "check DIGEST_PROXY"
    assert "tiger" not in str(caught.value)


def test_a_proxy_that_refuses_names_its_setting(server: EvilHttp) -> None:
    with Proxy(server.port, refuses=True).running() as proxy, pytest.raises(NoAnswerError, match="407") as caught:
        ask("https://journal.example/f", False, proxy=proxy.url)

    assert caught.value.hint == "check DIGEST_PROXY"


@pytest.mark.parametrize("proxy", ["localhost:3128", "socks5://h:1", "ftp://h", "", "http://[", "http://a b"])
def test_what_is_no_proxy_is_a_wrong_setting(proxy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Client(contact="tests", limits=QUICK, proxy=proxy)

    assert caught.value.where == "DIGEST_PROXY"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "x.localhost", "printer", "db.internal", "nas.local", "127.0.0.1", "127.1",
     "2130706433", "0x7f000001", "017700000001", "0", "10.0.0.1", "[::1]",
     "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]"],
)  # fmt: skip
def test_a_proxy_is_not_led_into_the_private_network(host: str) -> None:
    with pytest.raises(CollectError, match="it leads to a private network"):
        ask(f"http://{host}/f", False, proxy="http://127.0.0.1:1")


def test_a_private_host_may_be_asked_through_a_proxy_where_it_is_meant(server: EvilHttp) -> None:
    server.answers("/f", ONE)

    with Proxy(server.port).running() as proxy:
        assert ask("http://intranet/f", proxy=proxy.url).page


async def must_not_resolve(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was resolved here")


def test_a_name_that_nobody_resolves_in_time_is_a_failure() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(NoAnswerError, match=r"the name journal\.invalid could not be resolved in time, 4 tries"):
        ask("http://journal.invalid/f", resolve=resolve, limits=replace(QUICK, connect_s=0.05))


@pytest.mark.parametrize("status", [403, 429])
def test_a_quota_that_is_used_up_ends_the_asking_and_is_remembered(server: EvilHttp, status: int) -> None:
    url = server.answers(
        "/repos/ada/x",
        Answer(b"", status, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"}),
    )

    done = poll_one(url)

    assert done.verdict is Verdict.FAILED
    assert "which asks us to wait" in done.problems[0]
    assert len(server.requests) == 1


def test_a_refusal_without_a_quota_is_final(server: EvilHttp) -> None:
    done = poll_one(server.answers("/private", Answer(b"", 403, {"X-RateLimit-Remaining": "17"})))

    assert done.problems == (f"HTTP 403 from {server.url}/private",)
