"""Tells a service that waits for runs that one began and how it ended, so that a run that never came is noticed.

As healthchecks.io has it (https://healthchecks.io/docs/http_api/, read 2026-11-22): ``/start``, the address itself
after a success, ``/<exit code>`` after a failure.
"""

import asyncio
import logging

import httpx

_LIMIT_S = 10

log = logging.getLogger(__name__)


def ping_start(url: str) -> None:
    """Say that a run begins; see `ping_end`."""
    _ping(url, "/start")


def ping_end(url: str, exit_code: int) -> None:
    """Say how a run ended; what goes wrong is a log line, without the address, which whoever knows it may use."""
    _ping(url, f"/{exit_code}" if exit_code else "")


def _ping(url: str, suffix: str) -> None:
    try:
        status = asyncio.run(_ask(url.rstrip("/") + suffix))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
        log.warning("DIGEST_PING_URL: not reached (%s)", type(exc).__name__)
    else:
        if status >= 400:
            log.warning("DIGEST_PING_URL: answered with HTTP %d", status)


async def _ask(url: str) -> int:
    async with asyncio.timeout(_LIMIT_S), httpx.AsyncClient(timeout=_LIMIT_S) as client:
        return (await client.get(url)).status_code
