"""Serves the preview on this machine: a page, the mail in a frame that may do nothing, and word of changes."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final, get_args

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest.config.problems import ConfigProblems
from digest.errors import ConfigError, DigestError
from digest.preview.changes import Changes
from digest.preview.details import tell_details, tell_findings
from digest.preview.frame import Conditions, Scheme, embed_pictures, open_links_outside, show_under
from digest.preview.studio import Choices, Papers, Studio, Wish
from digest.text.masking import mask_addresses

HOST: Final = "127.0.0.1"
_YEARS: Final = range(2000, 2101)

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self';"
    " sandbox allow-popups allow-popups-to-escape-sandbox"
)
_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FILES: Final = ("page.css", "page.js")
_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_ZOOMS: Final = range(100, 301)
_OWN_SITES: Final = ("none", "same-origin")
"""Somebody typed or opened the address; a page of ours asked."""


class WishError(ValueError):
    """What the page asked for cannot be read."""


def build_app(studio: Studio, changes: Changes) -> Starlette:
    """The preview as an ASGI application, for requests that were made to this machine by its own name only."""

    def page(_request: Request) -> Response:
        # Whoever loads the page anew wants everything anew.
        studio.forget()
        return _page_file("page.html")

    def choices(_request: Request) -> Response:
        return JSONResponse(_told(studio.choices()))

    def mail(request: Request) -> Response:
        return _tell(lambda: tell_details(studio.show(read_wish(request.query_params))))

    def checks(request: Request) -> Response:
        spam = request.query_params.get("spam") == "on"
        return _tell(lambda: tell_findings(studio.show(read_wish(request.query_params)), spam=spam))

    def frame(request: Request) -> Response:
        conditions = read_conditions(request.query_params)
        try:
            message = studio.show(read_wish(request.query_params)).message
        except DigestError as error:
            # The page shows the error in its own words.
            return Response(str(error), 409, media_type="text/plain")
        html = open_links_outside(show_under(embed_pictures(message.html, message.raw), conditions))
        return Response(html, media_type="text/html", headers={"Content-Security-Policy": _MAIL_POLICY})

    async def events(_request: Request) -> Response:
        return StreamingResponse(changes.stream(), media_type="text/event-stream")

    @asynccontextmanager
    async def watched(_app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(changes.watch())
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    return Starlette(
        routes=[
            Route("/", page),
            *(Route(f"/{name}", partial(_answer_file, name)) for name in _FILES),
            Route("/choices", choices),
            Route("/mail", mail),
            Route("/checks", checks),
            Route("/frame", frame),
            Route("/changes", events),
        ],
        # A page of somebody else's whose name was made to lead here sends its own name.
        middleware=[
            Middleware(_Headers),
            Middleware(_OwnPages),
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False),
        ],
        exception_handlers={WishError: _refuse},
        lifespan=watched,
    )


def serve_preview(studio: Studio, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        studio: Makes the mails.
        port: 0 takes any that is free.
        ready: Called with the address once somebody answers there.

    Raises:
        ConfigError: The port is taken.
    """

    def forget(saved: Sequence[Path]) -> None:
        studio.forget(people=any(path.resolve() in files for path in saved))

    files = [path.resolve() for path in studio.files]
    changes = Changes(studio.folders, studio.files, forget)
    with _listen(port) as listening:
        url = f"http://{HOST}:{listening.getsockname()[1]}/"
        server = _Server(build_app(studio, changes), changes, lambda: ready(url))
        with suppress(KeyboardInterrupt):
            server.run([listening])


def read_wish(query: Mapping[str, str]) -> Wish:
    """Which mail the page asks for.

    Raises:
        WishError: A value is none.
    """
    papers: Papers = next((each for each in get_args(Papers) if each == query.get("papers")), "stored")
    text = query.get("day", "")
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise WishError(f"{text!r} is no date") from exc
    if day and day.year not in _YEARS:
        raise WishError(f"{text!r} is not of a year from {_YEARS[0]} to {_YEARS[-1]}")
    return Wish(
        subscriber=query.get("subscriber", ""),
        template=query.get("template", ""),
        theme=query.get("theme", ""),
        language=query.get("language", ""),
        day=day,
        papers=papers,
    )


def read_conditions(query: Mapping[str, str]) -> Conditions:
    """Under which conditions the page shows it.

    Raises:
        WishError: A value is none.
    """
    scheme: Scheme | None = next((each for each in get_args(Scheme) if each == query.get("scheme")), None)
    zoom = query.get("zoom", "100")
    if not (len(zoom) == 3 and zoom.isascii() and zoom.isdigit() and int(zoom) in _ZOOMS):
        raise WishError(f"{zoom!r} is no size from {_ZOOMS[0]} to {_ZOOMS[-1]}")
    return Conditions(scheme=scheme, images=query.get("images") != "off", css=query.get("css") != "off", zoom=int(zoom))


class _Server(uvicorn.Server):
    """Says when it is ready, and lets listeners go when it is to end."""

    def __init__(self, app: ASGIApp, changes: Changes, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2)
        )
        self._changes = changes
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._changes.close()
        await super().shutdown(sockets)


class _Headers:
    """Adds to every answer what no page of ours goes without."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                for name, value in ({"Content-Security-Policy": _PAGE_POLICY} | _ALWAYS).items():
                    if name.lower().encode() not in there:
                        message["headers"] = [*message["headers"], (name.lower().encode(), value.encode())]
            await send(message)

        await self._app(scope, receive, send_with)


class _OwnPages:
    """Refuses what a page of somebody else's asks for, which browsers say since 2023: none of it may cost us work.

    Source:
        https://www.w3.org/TR/fetch-metadata/, read 2026-11-22.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and Headers(scope=scope).get("Sec-Fetch-Site", "none") not in _OWN_SITES:
            app = PlainTextResponse("Open this address by itself", 403)
        await app(scope, receive, send)


def _tell(tell: Callable[[], dict[str, object]]) -> Response:
    try:
        return JSONResponse(tell())
    except DigestError as error:
        return JSONResponse({"errors": _told_errors(error)})


def _page_file(name: str) -> Response:
    content = (resources.files("digest.preview") / "page" / name).read_bytes()
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]])


def _answer_file(name: str, _request: Request) -> Response:
    return _page_file(name)


def _refuse(_request: Request, error: Exception) -> Response:
    return Response(str(error), 400, media_type="text/plain")


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as exc:
        listening.close()
        problem = f"port {port} cannot be used ({exc.strerror})"
        taken = exc.errno == errno.EADDRINUSE
        hint = (
            "is another preview running? Choose another port, or 0 for any that is free" if taken else "choose another"
        )
        raise ConfigError(problem, where="--port", hint=hint) from exc
    return listening


def _told(choices: Choices) -> dict[str, object]:
    return {
        "subscribers": [
            {
                "id": each.id,
                "name": each.name,
                "template": each.template,
                "theme": each.theme,
                "language": each.language or "en",
            }
            for each in choices.subscribers
        ],
        "templates": choices.templates,
        "themes": choices.themes,
        "languages": choices.languages,
        "day": choices.day.isoformat(),
    }


def _told_errors(error: DigestError) -> list[dict[str, str]]:
    return [
        {"where": each.where, "problem": mask_addresses(each.problem), "hint": mask_addresses(each.hint)}
        for each in (error.problems if isinstance(error, ConfigProblems) else (error,))
    ]
