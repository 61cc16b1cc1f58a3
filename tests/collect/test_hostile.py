"""What the world does to those who read it: every fault ends in entries, or in one line that says what happened."""

import asyncio
import gzip
import socket
import subprocess
import sys
import time
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from digest.collect.client import Answer as Fetched
from digest.collect.client import Client, MissingError, Request
from digest.collect.limits import Limits
from digest.collect.sources import Feed
from digest.collect.turns import Deadline, NoAnswerError
from digest.errors import CollectError, SuspiciousError
from digest.model import Entry, Validators
from digest.ports import Ask, Page
from tests.builders import NOW
from tests.collect.evil_http import Answer, EvilHttp
from tests.collect.pages import feed, rss, rss_item
from tests.deliver.evil_smtp import make_certificate, server_context

QUICK = Limits(deadline_s=3, backoff_s=0.01, backoff_max_s=0.02, read_s=0.3)
ONE = rss(rss_item())
THREE = rss(rss_item(1), rss_item(2), rss_item(3))
CUT = THREE[: THREE.rindex(b"<dc:creator>")]
ARXIV_DOWN = b"<!DOCTYPE html>\n<html><head><title>arXiv is down for maintenance</title></head></html>"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIP = {"Content-Encoding": "gzip"}


@dataclass
class Result:
    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    error: type[Exception] | None = None
    took_s: float = 0.0


def read(url: str, limits: Limits = QUICK, allow_private: bool = True, **client: Any) -> Result:
    """What a poll has in hand of one page: entries, problems, and the error that ended it."""
    started = time.monotonic()
    result = Result()
    try:
        fetched = asyncio.run(fetch(url, limits, allow_private, **client))
        assert fetched.page
        listing = Feed(url, "blog").parse(fetched.page)
        result.entries = listing.entries
        result.problems = tuple(filter(None, (fetched.problem, *listing.problems)))
    except CollectError as exc:
        result.error = type(exc)
        result.problems = (f"{exc.problem}; {exc.hint}" if exc.hint else exc.problem,)
    except TimeoutError:
        result.error = TimeoutError
    result.took_s = time.monotonic() - started
    assert all("\n" not in problem and len(problem) < 700 for problem in result.problems)
    return result


async def fetch(url: str, limits: Limits, allow_private: bool, **client: Any) -> Fetched:
    known = client.pop("known", None)
    deadline = Deadline(limits.deadline_s)
    request = Request(ask=Ask(url), allow_private=allow_private, validators=known, deadline=deadline)
    async with aclosing(Client(contact="tests", limits=limits, **client)) as one, deadline.timeout:
        return await one.fetch(request)


def resolving(*addresses: str) -> Callable[[str, int], Any]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def layers(body: bytes, count: int) -> bytes:
    for _ in range(count):
        body = gzip.compress(body)
    return body


def xml(prolog: str, title: str) -> bytes:
    return f'<?xml version="1.0"?>{prolog}<rss version="2.0"><channel><title>{title}</title></channel></rss>'.encode()


LAUGHS = "<!DOCTYPE x [" + '<!ENTITY l0 "ha">' + "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)
) + "]>"  # fmt: skip
OUT = "{server}/stolen"  # Replaced by an address that notices.
ENTITIES = "the XML declares entities or an unsafe encoding"


def soon(seconds: float) -> dict[str, str]:
    return {"Retry-After": format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)}


def dated(seconds: float) -> Answer:
    """A refusal by date, with the server's own idea of now."""
    later = soon(seconds)["Retry-After"]
    head = f"HTTP/1.1 429 X\r\nDate: {soon(0)['Retry-After']}\r\nRetry-After: {later}\r\nContent-Length: 0\r\n\r\n"
    return Answer(raw=head.encode())


@dataclass
class Fault:
    """A name of the fault, what the server does, what is said of it, and how many papers are left."""

    name: str
    answers: tuple[Answer, ...]
    says: str = ""
    papers: int = 0
    error: type[Exception] | None = None
    within_s: float = 3.5
    limits: Limits = QUICK


def fails(name: str, says: str, *answers: Answer, error: type[Exception] = CollectError, **more: Any) -> Fault:
    return Fault(name, answers, says, error=error, **more)


def gives(name: str, papers: int, *answers: Answer, says: str = "", **more: Any) -> Fault:
    return Fault(name, answers, says, papers, **more)


FAULTS = [
    fails("asks for 120 s", "HTTP 429 from {url}, which asks us to wait 120 s; only 3 s are left",
          Answer(b"", 429, {"Retry-After": "120"}), error=NoAnswerError, within_s=1),
    fails("asks for a date", "which asks us to wait 90 s", dated(90), error=NoAnswerError, within_s=1),
    fails("asks for ages", "which asks us to wait ages", Answer(b"", 429, {"Retry-After": "1" * 400}),
          error=NoAnswerError, within_s=1),
    fails("asks for no time", "HTTP 429 from {url}, 4 tries in", Answer(b"", 429), error=NoAnswerError),
    gives("asks for garbage", 1, Answer(b"", 429, {"Retry-After": "soon"}), Answer(ONE)),
    gives("asks for the past", 1, dated(-90), Answer(ONE)),
    gives("asks for less than nothing", 1, Answer(b"", 503, {"Retry-After": "-5"}), Answer(ONE)),
    *(fails(f"code {status}", f"HTTP {status} from {{url}}, 4 tries", Answer(ARXIV_DOWN, status), error=NoAnswerError)
      for status in (500, 502, 503, 504)),
    fails("maintenance with 200", "HTML page titled 'arXiv is down for maintenance' where a feed was expected",
          Answer(ARXIV_DOWN, headers={"Content-Type": "application/rss+xml"}), error=SuspiciousError),
    fails("header drips", "", Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, drip_s=0.02),
          error=TimeoutError, limits=replace(QUICK, deadline_s=0.5), within_s=1),
    fails("body drips", "", Answer(ONE, drip_s=0.02), error=TimeoutError, limits=replace(QUICK, deadline_s=0.5),
          within_s=1),
    fails("no header", "no answer from {url} in time, 4 tries in", Answer(raw=b"", stalls=True),
          error=NoAnswerError),
    gives("stalls at the end", 2, Answer(THREE[:-400], claims=len(THREE), stalls=True), says="broke off after"),
    gives("cut off", 2, Answer(CUT, claims=len(THREE)), says="the answer of {url} broke off after"),
    gives("cut off at first", 3, Answer(CUT, claims=len(THREE)), Answer(THREE)),
    gives("reset", 2, Answer(CUT, claims=len(THREE), resets=True), says="broke off after"),
    gives("length too small", 2, Answer(THREE, claims=len(CUT)), says="the feed broke off after"),
    gives("length too large", 3, Answer(THREE, claims=len(THREE) + 99), says="broke off after"),
    gives("chunk cut off", 2, Answer(raw=CHUNKED + b"%x\r\n%b" % (len(THREE), CUT)), says="broke off after"),
    gives("chunk error", 2, Answer(raw=CHUNKED + b"%x\r\n%b\r\nzz\r\n" % (len(CUT), CUT)), says="broke off after"),
    gives("no last chunk", 3, Answer(raw=CHUNKED + b"%x\r\n%b\r\n" % (len(THREE), THREE)), says="broke off after"),
    fails("two lengths", "no valid answer from {url}",
          Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"), error=NoAnswerError),
    fails("no HTTP", "no valid answer from {url}", Answer(raw=b"SSH-2.0-OpenSSH_9\r\n"), error=NoAnswerError),
    fails("endless header", "no valid answer from {url}", Answer(raw=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000),
          error=NoAnswerError),
    fails("hangs up", "no valid answer from {url}", Answer(raw=b""), error=NoAnswerError),
    fails("gzip bomb", "unpacks to more than 200 times its size",
          Answer(gzip.compress(bytes(60_000_000)), headers=GZIP), within_s=1),
    fails("slower bomb", "more than 20,971,520 bytes from {url}", Answer(gzip.compress(
          b"".join(zlib.crc32(b"%d" % n).to_bytes(4, "big") * 25 for n in range(300_000))), headers=GZIP), within_s=2),
    fails("no gzip", "broken gzip from {url}", Answer(ONE, headers=GZIP)),
    fails("nested", "content encoding 'gzip, gzip' from {url}, which we did not ask for",
          Answer(layers(ONE, 2), headers={"Content-Encoding": "gzip, gzip"})),
    fails("secretly nested", "not a feed", Answer(layers(ONE, 3), headers=GZIP)),
    fails("brotli", "content encoding 'br'", Answer(ONE, headers={"Content-Encoding": "br"})),
    gives("gzip cut off", 2, Answer(gzip.compress(CUT + bytes(range(256)) * 9, 0)[:len(CUT) + 10], headers=GZIP),
          says="broke off after"),
    fails("billion laughs", ENTITIES, Answer(xml(LAUGHS, "&l9;")), within_s=1),
    fails("quadratic", ENTITIES, Answer(xml(f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>', "&a;" * 9_000))),
    fails("external entity", ENTITIES, Answer(xml(f'<!DOCTYPE x [<!ENTITY a SYSTEM "{OUT}">]>', "&a;"))),
    fails("file entity", ENTITIES, Answer(xml('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "&a;"))),
    fails("parameter entity", ENTITIES, Answer(xml(f'<!DOCTYPE x [<!ENTITY % a SYSTEM "{OUT}"> %a;]>', "x"))),
    fails("in UTF-16", ENTITIES, Answer(xml(LAUGHS, "&l9;").decode().encode("utf-16"))),
    fails("in UTF-7", ENTITIES, Answer(b'<?xml version="1.0" encoding="utf-7"?>' + xml(LAUGHS, "x")[21:])),
    fails("as escapes", ENTITIES,
          Answer(b'<?xml version="1.0" encoding="unicode_escape"?>\\x3c!ENTITY \xff<rss/>')),
    gives("DTD elsewhere", 1, Answer(ONE.replace(b"<rss", f'<!DOCTYPE rss SYSTEM "{OUT}"><rss'.encode(), 1))),
    gives("style sheet elsewhere", 1,
          Answer(ONE.replace(b"<rss", f'<?xml-stylesheet href="{OUT}"?><rss'.encode(), 1))),
    gives("includes another", 1, Answer(ONE.replace(
          b"<channel>", f'<channel><x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{OUT}"/>'.encode()))),
    fails("loop", "more than 5 redirects from {url}, the last to {url}", Answer(b"", 302, {"Location": "/f"})),
    fails("file", "refused file:/etc/passwd (where {url} redirects to)",
          Answer(b"", 301, {"Location": "file:///etc/passwd"})),
    fails("gopher", "refused gopher://127.0.0.1/ (where", Answer(b"", 301, {"Location": "gopher://127.0.0.1/"})),
    fails("data", "{url} redirects to what is no web address",
          Answer(b"", 301, {"Location": "data:text/xml,<rss/>"})),
    fails("no address", "no valid answer from {url} (Invalid URL", Answer(b"", 301, {"Location": "http://a:b:c/"}),
          error=NoAnswerError),
    fails("to nowhere", "HTTP 302 from {url}", Answer(b"", 302)),
    fails("bogus 304", "HTTP 304 from {url}", Answer(status=304)),
    fails("gone", "HTTP 410 from {url}", Answer(b"", 410)),
    fails("missing", "HTTP 404 from {url}", Answer(b"", 404), error=MissingError),
    fails("nothing", "not a feed: the body is empty", Answer(b"")),
    fails("no content", "HTTP 204 from {url}", Answer(status=204)),
    gives("100,000 items", 5_000, Answer(feed(*(f"<item><title>T {n}</title><guid>{n}</guid></item>"
          for n in range(100_000)))), says="kept the first 5,000 of 100,000 items", within_s=20,
          limits=replace(QUICK, deadline_s=20)),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_and_leaves_what_is_whole(server: EvilHttp, fault: Fault) -> None:
    stolen = server.answers("/stolen", b"<!ENTITY b 'stolen'>")
    for answer in fault.answers:
        answer.body = answer.body.replace(OUT.encode(), stolen.encode())
    url = server.answers("/f", *fault.answers)

    result = read(url, fault.limits)

    assert (result.error, len(result.entries)) == (fault.error, fault.papers), result.problems
    assert fault.says.format(url=url) in " | ".join(result.problems)
    assert bool(result.problems) == bool(fault.says) or fault.error
    assert result.took_s < fault.within_s
    assert "/stolen" not in server.paths()


def readable(text: str) -> bool:
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in text) and bool(text.encode())


TITLE = "Erdős–Rényi: na\u00efve “graphs” 图"
LATIN = "Über naïve Café"


def titled(title: str, declared: str = "UTF-8") -> str:
    return rss(rss_item(title=title)).decode().replace("UTF-8", declared, 1)


@pytest.mark.parametrize(
    ("body", "header", "title"),
    [
        pytest.param(titled(TITLE).encode(), "", TITLE, id="no charset stated"),
        pytest.param(titled(TITLE).encode(), "iso-8859-1", TITLE, id="the header lies"),
        pytest.param(titled(TITLE, "iso-8859-1").encode(), "", TITLE, id="the feed lies"),
        pytest.param(titled(TITLE, "utf-16").encode(), "utf-32", TITLE, id="both lie"),
        pytest.param(titled(LATIN, "iso-8859-1").encode("latin-1"), "", LATIN, id="latin-1, stated inside"),
        pytest.param(titled(LATIN).encode("latin-1"), "iso-8859-1", LATIN, id="latin-1, stated outside"),
        pytest.param(titled(LATIN).encode("latin-1"), "", LATIN, id="latin-1, called UTF-8"),
        pytest.param(titled(LATIN).encode("latin-1"), "utf-7", LATIN, id="latin-1, called UTF-7"),
        pytest.param(titled(LATIN).encode("latin-1"), "no-such", LATIN, id="latin-1, called what nobody knows"),
        pytest.param(titled(TITLE, "UTF-16").encode("utf-16"), "", TITLE, id="UTF-16 with a mark"),
        pytest.param(titled(TITLE, "UTF-16").encode("utf-16-le"), "", TITLE, id="UTF-16 without a mark"),
        pytest.param(titled(TITLE).encode("utf-16-be"), "utf-8", TITLE, id="UTF-16 without a mark, called UTF-8"),
        pytest.param(titled(TITLE, "UTF-32").encode("utf-32-be"), "", TITLE, id="UTF-32"),
        pytest.param(titled(TITLE).encode("utf-8-sig"), "", TITLE, id="UTF-8 with a mark"),
        pytest.param(titled("図形", "Shift_JIS").encode("shift_jis"), "", "図形", id="Shift JIS"),
        pytest.param(titled("図形", "ISO-2022-JP").encode("iso-2022-jp"), "", "図形", id="ISO-2022-JP"),
        pytest.param(titled(TITLE + " é" * 20 + " @").encode().replace(b"@", b"\xff"), "",
                     TITLE + " é" * 20 + " \ufffd", id="one byte is wrong"),
        pytest.param(titled("A\0B\x01C\x0bD\x1fE").encode(), "", "ABCDE", id="NULs and controls"),
        pytest.param(titled("A\x85B\x9fC").encode(), "", "A…BŸC", id="C1 as in Windows"),
        pytest.param(titled("A&#xD800;B&#55296;C&#0;D&#9999999;E&#x1F600;").replace("&amp;", "&").encode(), "",
                     "A\ufffdB\ufffdC\ufffdD\ufffdE😀", id="characters that are none"),
    ],
)  # fmt: skip
def test_text_is_read_in_its_true_charset(server: EvilHttp, body: bytes, header: str, title: str) -> None:
    headers = {"Content-Type": f"application/rss+xml; charset={header}"} if header else {}

    result = read(server.answers("/f", Answer(body, headers=headers)))

    [entry] = result.entries
    assert entry.title == title
    assert readable(entry.title)
    assert readable(entry.abstract)


def test_a_feed_cut_off_within_a_letter_keeps_the_others(server: EvilHttp) -> None:
    whole = rss(rss_item(1, title=TITLE), rss_item(2, title=TITLE), rss_item(3, title="図")).decode().encode()
    at = whole.index("図".encode()) + 1

    result = read(server.answers("/f", Answer(whole[:at], claims=len(whole))))

    assert [entry.title for entry in result.entries] == [TITLE, TITLE]


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data", "http://[::ffff:127.0.0.1]:{port}/g", "http://127.0.0.1:{port}/g",
     "http://0:{port}/g", "http://2130706433:{port}/g", "http://0x7f.1:{port}/g", "http://localhost:{port}/g",
     "//127.1:{port}/g", "http://[::1]:{port}/g"],
)  # fmt: skip
def test_a_redirect_into_the_private_network_is_refused_with_the_hop(server: EvilHttp, target: str) -> None:
    location = target.format(port=server.port)
    server.answers("/f", Answer(b"", 302, {"Location": location}))
    server.answers("/g", ONE)
    fake = {"journal.invalid": "93.184.216.34"}

    async def resolve(host: str, port: int) -> Sequence[str]:
        if host in fake:
            return [fake[host]]
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]

    result = read("http://journal.invalid/f", allow_private=False, resolve=resolve, transport=to(server))

    assert (result.error, server.paths()) == (CollectError, ["/f"])
    assert "(where http://journal.invalid/f redirects to): it leads to the private address" in result.problems[0]


def to(server: EvilHttp) -> Any:
    """The network, where the public address of a test is this server."""
    import httpx

    class Loopback(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.host == "93.184.216.34":
                request.url = request.url.copy_with(host="127.0.0.1", port=server.port)
            return await super().handle_async_request(request)

    return Loopback()


def test_fifty_hops_end_after_five(server: EvilHttp) -> None:
    for number in range(50):
        server.answers(f"/{number}", Answer(b"", 307, {"Location": f"/{number + 1}"}))

    result = read(server.url + "/0")

    assert result.problems == (f"more than 5 redirects from {server.url}/0, the last to {server.url}/6",)


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "cannot be resolved ([Errno -2] Name or"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "cannot be resolved ([Errno -3] Temporary failure)"),
        (UnicodeError("label too long"), "cannot be resolved (label too long)"),
        ((), "has no address"),
        (60.0, "could not be resolved in time"),
    ],
    ids=["NXDOMAIN", "SERVFAIL", "no name", "no records", "silence"],
)
def test_a_name_that_leads_nowhere_is_named(failure: object, says: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if isinstance(failure, Exception):
            raise failure
        await asyncio.sleep(failure if isinstance(failure, float) else 0)
        return ()

    result = read("http://journal.invalid/f", replace(QUICK, connect_s=0.1), resolve=resolve)

    assert result.error is NoAnswerError
    assert f"the name journal.invalid {says}" in result.problems[0]


def test_a_name_that_turns_private_between_tries_is_refused_at_once(server: EvilHttp) -> None:
    addresses = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])

    async def resolve(host: str, port: int) -> Sequence[str]:
        return [next(addresses)]

    server.answers("/f", Answer(b"", 503), ONE)

    result = read("http://rebinding.invalid/f", allow_private=False, resolve=resolve, transport=to(server))

    assert result.problems[0].startswith(
        "refused http://rebinding.invalid/f: it leads to the private address 127.0.0.1; set allow_private"
    )
    assert len(server.requests) == 1


def test_the_third_host_with_the_same_page_tells_of_a_captive_portal(server: EvilHttp) -> None:
    portal = b"<html><head><title>Welcome to the airport</title></head></html>"

    async def run() -> list[str]:
        told: list[str] = []
        async with aclosing(Client(contact="tests", limits=QUICK, resolve=resolving("127.0.0.1"))) as client:
            for host in ("a.invalid", "a.invalid", "b.invalid", "c.invalid", "d.invalid"):
                url = f"http://{host}:{server.port}" + server.answers(f"/{len(told)}", portal).removeprefix(server.url)
                deadline = Deadline(3)
                try:
                    async with deadline.timeout:
                        await client.fetch(Request(ask=Ask(url), allow_private=True, deadline=deadline))
                    told.append("")
                except SuspiciousError as exc:
                    told.append(exc.problem)
        return told

    assert asyncio.run(run()) == [
        "", "", "",
        "the same HTML page from 3 hosts (a.invalid, b.invalid, c.invalid)",
        "the same HTML page from 4 hosts (a.invalid, b.invalid, c.invalid, d.invalid)",
    ]  # fmt: skip


def test_validators_are_sent_and_what_cannot_be_is_not_kept(server: EvilHttp) -> None:
    known = Validators('"1"', "nonsense")
    url = server.answers("/f", Answer(ONE, headers={"ETag": '"é"', "Last-Modified": "x" * 900}))

    fetched = asyncio.run(fetch(url, QUICK, True, known=known))

    assert fetched.validators is None
    assert server.requests[0].headers["if-none-match"] == '"1"'
    assert server.requests[0].headers["if-modified-since"] == "nonsense"


@pytest.mark.parametrize(
    ("item", "title", "year"),
    [
        ("<title>T</title><link>https://a.example/1</link>", "T", None),
        ("<title>T</title><guid>x1</guid><pubDate>yesterday</pubDate>", "T", None),
        ("<title>T</title><guid>x1</guid><pubDate>Fri, 31 Dec 9999 23:59:59 GMT</pubDate>", "T", None),
        ("<title>T</title><guid>x1</guid><pubDate>0001-01-01T00:00:00Z</pubDate>", "T", None),
        ("<title>T</title><guid>x1</guid><pubDate>2026-11-20T23:59:60Z</pubDate>", "T", 2026),
        ("<title>T</title><guid>x1</guid><pubDate>Fri, 20 Nov 2026 23:59:60 GMT</pubDate>", "T", None),
        ("<title>T</title><guid>x1</guid><pubDate>99 Foo 99</pubDate>", "T", None),
        ("<title>T</title>", "skipped 'T': it has neither a usable link nor an id", None),
        (
            "<title>T</title><link>javascript:alert(1)</link>",
            "skipped 'T': it has neither a usable link nor an id",
            None,
        ),
        ("<link>https://a.example/1</link>", "skipped item 1 ('https://a.example/1'): it has no title", None),
        ("", "skipped item 1 ('no link'): it has no title", None),
    ],
)
def test_an_item_that_lacks_something_is_kept_or_skipped_by_name(
    server: EvilHttp, item: str, title: str, year: int | None
) -> None:
    result = read(server.answers("/f", feed(f"<item>{item}</item>")))

    if title.startswith("skipped"):
        assert (result.entries, result.problems) == ((), (title,))
    else:
        [entry] = result.entries
        assert (entry.title, entry.published and entry.published.year, result.problems) == (title, year, ())


@pytest.mark.parametrize(
    "item",
    [
        rss_item(title="T" * 1_000_000),
        rss_item(title="$\\alpha{" * 120_000),
        rss_item(abstract="\\'e{" * 1_000_000),
        rss_item(authors=", ".join(f"Author {number}" for number in range(10_000))),
        rss_item().replace(
            "<category>cs.CL", "".join(f"<dc:creator>A {n}</dc:creator>" for n in range(9_000)) + "<category>"
        ),
        rss_item(title="\u202egnp.exe\u202c" + "Z\u0300\u0301" * 5_000 + "👩‍👩‍👧‍👦" * 500 + "ש" * 900),
    ],
    ids=["title of 1 MB", "formulas without end", "accents without end", "10,000 authors", "9,000 creators", "zalgo"],
)
def test_what_is_too_much_is_capped(server: EvilHttp, item: str) -> None:
    result = read(server.answers("/f", rss(item)))

    [entry] = result.entries
    assert 0 < len(entry.title) <= 500
    assert len(entry.abstract) <= 20_000
    assert 0 < len(entry.authors) <= 5_000
    assert all(len(name) <= 200 for name in entry.authors)
    assert readable(entry.title)
    assert "\u202e" not in entry.title
    assert result.took_s < 3


@pytest.mark.parametrize(
    "body",
    [
        b"<rss version='2.0' " + b" ".join(b"a%d='x'" % number for number in range(100_000)) + b"/>",
        b"<rss version='2.0'><channel>" + b"<a>" * 1_000_000,
        feed("<item>" + "".join(f"<category>{number}</category>" for number in range(50_000)) + "</item>"),
        feed(f"<item><keywords>{','.join(map(str, range(50_000)))}</keywords></item>"),
        feed("<item>" + "<x/>" * 50_000 + "</item>"),
        b"<rss version='2.0'><channel>" + b"<" * 5_000_000,
        b"<rss version='2.0'><channel><title>" + b"&a" * 3_000_000,
    ],
    ids=["attributes", "depth", "categories", "keywords", "elements", "brackets", "ampersands"],
)
def test_what_would_take_hours_to_parse_is_refused_at_once(body: bytes) -> None:
    started = time.monotonic()

    with pytest.raises(CollectError, match="the XML is a trap"):
        Feed("https://a.example/f").parse(Page("https://a.example/f", body))

    assert time.monotonic() - started < 2


def test_marks_without_end_are_read_in_no_time() -> None:
    for mark in (b"<![CDATA[", b"<!--", b"<?", b"<!DOCTYPE ", b"<item><title><![CDATA["):
        started = time.monotonic()
        with suppress(CollectError):
            Feed("https://a.example/f").parse(Page("https://a.example/f", b"<rss version='2.0'>" + mark * 200_000))
        assert time.monotonic() - started < 5, mark


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[EvilHttp]:
    with EvilHttp(server_context(make_certificate(tmp_path, "DNS:other.invalid"))).running() as running:
        yield running


def test_a_certificate_that_is_not_valid_is_named_and_not_asked_again(tls_server: EvilHttp) -> None:
    result = read(tls_server.url + "/f")

    assert result.error is NoAnswerError
    assert result.problems[0].startswith(f"the certificate of {tls_server.url}/f is not valid (self-signed")
    assert tls_server.requests == []


def test_a_server_that_does_not_encrypt_is_named(server: EvilHttp) -> None:
    result = read(server.url.replace("http:", "https:") + "/f")

    assert result.error is NoAnswerError
    assert "no encrypted connection to https://127.0.0.1" in result.problems[0]


def test_a_wrong_proxy_names_the_setting() -> None:
    result = read("http://journal.example/f", proxy="http://127.0.0.1:1")

    assert "no connection to the proxy http://127.0.0.1:1" in result.problems[0]
    assert result.problems[0].endswith("; check DIGEST_PROXY")


MEASURE = """
import asyncio, resource, sys
from contextlib import aclosing
from digest.collect.client import Client, Request
from digest.collect.limits import Limits
from digest.collect.turns import Deadline
from digest.errors import CollectError
from digest.ports import Ask

async def fetch(url):
    deadline = Deadline(20)
    async with aclosing(Client(contact="tests", limits=Limits(tries=1))) as client, deadline.timeout:
        try:
            await client.fetch(Request(ask=Ask(url), allow_private=True, deadline=deadline))
            return "read"
        except CollectError as exc:
            return exc.problem

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

asyncio.run(fetch(sys.argv[1]))
before = used()
print(asyncio.run(fetch(sys.argv[2])), used() - before, sep="\\n")
"""


def test_a_bomb_of_300_mb_takes_less_than_50_mb(server: EvilHttp) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(bytes(1_000_000)) for _ in range(300)), packer.flush()])
    small = server.answers("/small", ONE)
    url = server.answers("/bomb", Answer(bomb, headers=GZIP))

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, small, url], capture_output=True, text=True, check=True, timeout=60
    )

    problem, extra_mb = done.stdout.splitlines()
    assert "unpacks to more than 200 times its size" in problem
    assert float(extra_mb) < 50
