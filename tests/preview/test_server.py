import asyncio
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp
from watchfiles._rust_notify import RustNotify

from digest.config.settings import Settings
from digest.errors import ConfigError
from digest.preview.changes import Changes
from digest.preview.server import WishError, build_app, read_conditions, read_wish, serve_preview
from digest.preview.studio import Studio, Wish
from tests.builders import NOW

LETTER = "template=confirm"


class Client:
    """Asks without a network."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8025") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Nobody is written to: what is shown is invented."""
    return Studio(
        Settings.model_construct(subscribers=tmp_path / "none.yaml", templates=tmp_path / "looks"), lambda: NOW
    )


@pytest.fixture
def client(studio: Studio) -> Client:
    return Client(build_app(studio, Changes((), (), lambda _: None)))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8025", 200),
        ("localhost:8025", 200),
        ("evil.example:8025", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost@evil.example", 400),
        ("", 400),
    ],
)
@pytest.mark.parametrize("path", ["/", "/choices", f"/mail?{LETTER}", f"/frame?{LETTER}", "/page.js"])
def test_only_requests_by_this_machines_own_name_are_answered(
    client: Client, path: str, host: str, status: int
) -> None:
    answer = client.get(path, headers={"Host": host})

    assert answer.status_code == status
    if status == 400:
        assert answer.text == "Invalid host header"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "same-origin"])
@pytest.mark.parametrize("path", ["/", f"/checks?{LETTER}", f"/frame?{LETTER}"])
def test_pages_of_others_are_answered_nothing(client: Client, path: str, site: str) -> None:
    is_ours = site in ("none", "same-origin")

    answer = client.get(path, headers={"Sec-Fetch-Site": site})

    assert answer.status_code == (200 if is_ours else 403)
    assert policy_of(answer.headers)["default-src"] == "'none'"


def policy_of(headers: Mapping[str, str]) -> dict[str, str]:
    parts = (each.strip().partition(" ") for each in headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize(
    "path", ["/", "/page.css", "/page.js", "/choices", f"/mail?{LETTER}", "/none", "/../etc/passwd"]
)
def test_the_page_runs_only_what_is_its_own(client: Client, path: str) -> None:
    headers = client.get(path).headers

    policy = policy_of(headers)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["frame-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_the_mail_may_do_nothing(client: Client) -> None:
    answer = client.get(f"/frame?{LETTER}")

    policy = policy_of(answer.headers)
    assert policy["default-src"] == "'none'"
    assert "script-src" not in policy
    assert policy["img-src"] == "data:"
    assert policy["frame-ancestors"] == "'self'"
    assert policy["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert "Please confirm" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_page_carries_no_script_or_style_of_its_own(client: Client) -> None:
    page = client.get("/").text

    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count('<script src="/page.js"') == 1
    assert not [each for each in ("onclick", "onload", "http:", "https:") if each in page]


@pytest.mark.parametrize(
    "path", ["/page.html", "/server.py", "/..%2fserver.py", "/page/../server.py", "/static/page.js"]
)
def test_no_other_file_is_served(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(client: Client, method: str) -> None:
    assert client.request(method, "/choices").status_code == 405


def test_what_is_broken_is_told_with_its_place_and_hint(client: Client) -> None:
    [error] = client.get("/mail?template=dialy&papers=everything").json()["errors"]

    assert error["problem"] == "unknown template 'dialy'"
    assert "did you mean 'daily'?" in error["hint"]
    [nobody] = client.get("/mail").json()["errors"]
    assert nobody["where"].endswith("none.yaml")
    assert client.get("/frame").status_code == 409


def test_a_part_of_ones_own_is_shown_once_it_is_saved_and_forgotten(
    client: Client, studio: Studio, tmp_path: Path
) -> None:
    query = f"/mail?{LETTER}"
    before = client.get(query).json()
    part = tmp_path / "looks" / "confirm" / "subject.txt.j2"
    part.parent.mkdir(parents=True)
    part.write_text("Ours\n")

    unread = client.get(query).json()
    studio.forget(people=False)
    after = client.get(query).json()

    assert unread == before
    assert after["subject"] == "Ours"
    assert after["made"] != before["made"]


@pytest.mark.parametrize(
    "query", [{"day": day} for day in ("soon", "2026-13-01", "0001-01-01", "1999-12-31", "2101-01-01", "9999-12-31")]
)
def test_a_wish_that_cannot_be_read_is_refused(client: Client, query: dict[str, str]) -> None:
    with pytest.raises(WishError):
        read_wish(query)
    assert client.get("/mail", params=query).status_code == 400


@pytest.mark.parametrize("zoom", ["99", "301", "-200", "²", "1e9", "0100", "9" * 5_000])
def test_a_size_that_is_none_is_refused(client: Client, zoom: str) -> None:
    with pytest.raises(WishError):
        read_conditions({"zoom": zoom})


def test_a_wish_that_says_nothing_is_the_first_subscribers_mail() -> None:
    assert read_wish({"papers": "<b>", "width": "360"}) == Wish()


def test_a_port_that_is_taken_is_said_so(studio: Studio) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            serve_preview(studio, port, lambda url: None)

    assert str(caught.value) == (
        f"--port: port {port} cannot be used (Address already in use)\n"
        "  hint: is another preview running? Choose another port, or 0 for any that is free"
    )


def test_a_list_that_the_subscribers_file_names_is_watched_from_the_start(tmp_path: Path) -> None:
    people, feeds = tmp_path / "subscribers.yaml", tmp_path / "feeds.opml"
    people.write_text(
        "sources: [{opml: feeds.opml}]\nsubscribers:\n"
        "  - {name: Ada, email: ada@example.org, topics: [{name: One, any: [alpha]}]}\n"
    )
    feeds.write_text(
        '<opml version="2.0"><body><outline type="rss" text="A" xmlUrl="https://a.example/"/></body></opml>'
    )

    studio = Studio(Settings(subscribers=people, database_url="sqlite://"), lambda: NOW)

    assert {path.resolve() for path in studio.files} == {people, feeds}
    if studio._world:
        # From Python 3.13 on, an open database that is forgotten is a warning.
        studio._world.papers._engine.dispose()  # type: ignore[attr-defined]  # a store may be of another kind


def test_a_subscribers_file_that_cannot_be_read_is_watched_itself(studio: Studio, tmp_path: Path) -> None:
    assert studio.files == (tmp_path / "none.yaml",)


def test_files_that_cannot_be_watched_are_looked_at_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def without_watches(paths: list[str], debug: bool, polls: bool, *others: Any) -> RustNotify:
        if not polls:
            raise OSError("OS file watch limit reached.")
        return RustNotify(paths, debug, polls, *others)

    monkeypatch.setattr("watchfiles.main.RustNotify", without_watches)
    saved: list[Path] = []

    async def save() -> None:
        changes = Changes([tmp_path], [], saved.extend)
        watching = asyncio.create_task(changes.watch())
        async with asyncio.timeout(10):
            while not saved:
                (tmp_path / f"{time.monotonic_ns()}.j2").touch()
                await asyncio.sleep(0.05)
        changes.close()
        await watching

    asyncio.run(save())

    assert {path.parent for path in saved if path.suffix} == {tmp_path}
    assert "files cannot be watched (OS file watch limit reached.)" in caplog.text
