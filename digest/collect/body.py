"""Bodies are decoded while they are read, so that no bomb is ever unpacked."""

import zlib
from dataclasses import dataclass

import httpx

from digest.collect.limits import Limits
from digest.errors import CollectError
from digest.text.clean import clean_text, fit

# Small bodies may shrink a lot honestly.
_RATIO_FREE_BYTES = 1024 * 1024
# Decoded at a time, so that a bomb is noticed as early however large the pieces are that come from the network.
_SLICE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Body:
    """What came of it."""

    data: bytes
    is_whole: bool
    """False if the connection broke first."""


async def read_body(response: httpx.Response, at: str, limits: Limits) -> Body:
    """Read a streamed response and undo its content encoding.

    Args:
        response: Not read yet.
        at: Its address, for problems.
        limits: Of size and of expansion.

    Raises:
        CollectError: It is too large, grows too much, or is encoded in a way we did not ask for or cannot read.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise CollectError(f"content encoding '{fit(clean_text(encoding), 40)}' from {at}, which we did not ask for")
    unzip = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    body, received = bytearray(), 0
    try:
        async for chunk in response.aiter_raw():
            for start in range(0, len(chunk), _SLICE_BYTES):
                piece = chunk[start : start + _SLICE_BYTES]
                received += len(piece)
                body += unzip.decompress(piece, limits.body_bytes + 1 - len(body)) if unzip else piece
                if len(body) > max(_RATIO_FREE_BYTES, received * limits.expansion):
                    raise CollectError(f"the answer of {at} unpacks to more than {limits.expansion} times its size")
                if max(len(body), received) > limits.body_bytes:
                    raise CollectError(f"more than {limits.body_bytes:,} bytes from {at}")
    except zlib.error as exc:
        raise CollectError(f"broken gzip from {at} ({exc})") from exc
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout):
        return Body(bytes(body), is_whole=False)
    return Body(bytes(body), is_whole=not unzip or not received or (unzip.eof and not unzip.unused_data))
