"""Group commit: many deliveries that change state at the same time share one durable write."""

import asyncio

from digest.errors import TakenOverError
from digest.ports import Ledger, Move


class GroupCommit:
    """Writes what all connections have to write in one turn of the event loop.

    The loop waits for the disk meanwhile. A thread of its own would let it go on, but it takes turns with a thread that
    is busy, and half of the speed was lost by that.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Write to this ledger."""
        self._ledger = ledger
        self._moves: list[tuple[Move, asyncio.Future[None]]] = []

    async def move(self, move: Move) -> None:
        """Write this move; it is durable when this returns, and written even if the caller is cancelled.

        Raises:
            TakenOverError: It was not written, as another run has the delivery.
            StoreError: Nothing can be written.
        """
        loop = asyncio.get_running_loop()
        if not self._moves:
            # In the turn after the next: whoever is ready by then has joined.
            loop.call_soon(loop.call_soon, self._write)
        future = loop.create_future()
        self._moves.append((move, future))
        await future

    def _write(self) -> None:
        group, self._moves = self._moves, []
        try:
            written = self._ledger.move([move for move, _ in group])
        except Exception as exc:  # noqa: BLE001 - handed on to each who waits
            for _, future in group:
                _fail(future, exc)
            return
        for (move, future), is_written in zip(group, written, strict=True):
            if not is_written:
                _fail(future, _taken_over(move))
            elif not future.done():
                future.set_result(None)


def _fail(future: asyncio.Future[None], exc: Exception) -> None:
    if not future.done():
        future.set_exception(exc)


def _taken_over(move: Move) -> TakenOverError:
    return TakenOverError(
        f"another run took the delivery of {move.delivery.date} over",
        where=move.delivery.subscriber,
        hint="this run was asleep for too long; see digest outbox list for what became of it",
    )
