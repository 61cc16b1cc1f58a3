import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from digest.deliver.oauth import OauthSettings, fetch_access_token, forget_access_token
from digest.errors import ConfigError, DeliverError, SmtpRefusedError, UnreachableError
from digest.model import Receipt
from tests.deliver.evil_smtp import EvilSmtp
from tests.deliver.mail import deliver_together


class TokenServer:
    """Gives ``token-1``, ``token-2`` and so on, or what it is told to answer."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.status = 200
        self.lives_s = 3600
        self.body: bytes | None = None
        self.url = ""

    def answer(self) -> bytes:
        if self.body is not None:
            return self.body
        return json.dumps({"access_token": f"token-{len(self.asked)}", "expires_in": self.lives_s}).encode()


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with serving(TokenServer()) as server:
        yield server


@contextmanager
def serving(tokens: TokenServer) -> Iterator[TokenServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            tokens.asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(tokens.status)
            self.end_headers()
            self.wfile.write(tokens.answer())

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        tokens.url = f"http://127.0.0.1:{http.server_port}/token"
        yield tokens
        http.shutdown()
        thread.join()


def account(server: TokenServer) -> OauthSettings:
    # The port makes each test's settings their own.
    return OauthSettings(refresh_token="r-secret", client_id="id", client_secret="c-secret", token_url=server.url)


def test_a_refresh_token_buys_an_access_token(server: TokenServer) -> None:
    assert asyncio.run(fetch_access_token(account(server))) == "token-1"
    assert server.asked == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": ["r-secret"],
            "client_id": ["id"],
            "client_secret": ["c-secret"],
        }
    ]


@pytest.mark.parametrize(("lives_s", "asked"), [(3600, 1), (61, 1), (59, 3), (0, 3)])
def test_a_token_is_kept_until_its_last_minute(server: TokenServer, lives_s: int, asked: int) -> None:
    server.lives_s = lives_s
    for _ in range(3):
        asyncio.run(fetch_access_token(account(server)))

    assert len(server.asked) == asked


def test_a_forgotten_token_is_replaced(server: TokenServer) -> None:
    first = asyncio.run(fetch_access_token(account(server)))
    forget_access_token(account(server))

    assert asyncio.run(fetch_access_token(account(server))) != first


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, b'{"error": "invalid_grant"}', SmtpRefusedError, "HTTP 400, invalid_grant"),
        (401, b"<html>", SmtpRefusedError, "HTTP 401"),
        (200, b"{}", SmtpRefusedError, "no reason given"),
        (200, b"[]", SmtpRefusedError, "no reason given"),
        (200, b'{"access_token": "a\\u00e4"}', SmtpRefusedError, "no reason given"),
        (429, b"", UnreachableError, "HTTP 429"),
        (503, b"", UnreachableError, "HTTP 503"),
    ],
)
def test_no_token_is_one_clear_error(
    server: TokenServer, status: int, body: bytes, kind: type[DeliverError], words: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(DeliverError, match=words) as caught:
        asyncio.run(fetch_access_token(account(server)))

    assert type(caught.value) is kind
    assert "secret" not in str(caught.value)
    if kind is SmtpRefusedError:
        assert "DIGEST_OAUTH__REFRESH_TOKEN" in caught.value.hint


def test_a_server_that_cannot_be_asked_means_wait() -> None:
    with serving(TokenServer()) as gone:
        pass

    with pytest.raises(UnreachableError, match="DIGEST_OAUTH__TOKEN_URL"):
        asyncio.run(fetch_access_token(account(gone)))


def test_secrets_do_not_go_over_an_open_line_and_are_not_shown() -> None:
    with pytest.raises(ConfigError, match="open line"):
        OauthSettings(refresh_token="r", client_id="id", token_url="http://example.org/token")

    shown = repr(OauthSettings(refresh_token="r-sec", client_id="id", client_secret="c-sec", token_url="https://e.org"))
    assert "sec" not in shown.replace("client_secret", "")


def test_xoauth2_signs_in(server: TokenServer) -> None:
    with EvilSmtp(credentials=("ada", "token-1"), auth="PLAIN LOGIN XOAUTH2") as smtp:
        results = deliver_together(smtp.port, *"abc", username="ada", oauth=account(server))

    assert [type(result) for result in results] == [Receipt] * 3
    assert smtp.said("AUTH XOAUTH2") == smtp.said("AUTH") == smtp.connections
    assert len(server.asked) == 1


def test_a_refused_token_is_one_attempt_and_another_token_the_next_time(server: TokenServer) -> None:
    with EvilSmtp(credentials=("ada", "token-2"), auth="XOAUTH2") as smtp:
        (first,) = deliver_together(smtp.port, "a", username="ada", oauth=account(server))
        assert smtp.said("AUTH") == 1
        (second,) = deliver_together(smtp.port, "a", username="ada", oauth=account(server))

    assert isinstance(first, SmtpRefusedError)
    assert "DIGEST_OAUTH__REFRESH_TOKEN" in first.hint
    assert "token-1" not in str(first)
    assert isinstance(second, Receipt)


def test_a_server_without_xoauth2_does_not_get_the_token(server: TokenServer) -> None:
    with EvilSmtp(credentials=("ada", "x"), auth="PLAIN LOGIN") as smtp:
        (result,) = deliver_together(smtp.port, "a", username="ada", oauth=account(server))

    assert isinstance(result, SmtpRefusedError)
    assert "XOAUTH2" in result.hint
    assert smtp.said("AUTH") == 0
    assert not server.asked
