"""Successes of endpoints, told to the store together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from quarry.errors import QuarryError
from quarry.types.rotation import ProxyReport

if TYPE_CHECKING:
    from quarry.proxy.store import RecencyStore
    from quarry.types.proxy import ProxyPool

DELAY_S = 1.0
"""How long successes wait to be reported together; a worker that is killed loses the counts of so long."""

_Place = tuple[str, str, int]


class Reports:
    """One process's successes.

    A success of an endpoint that is no trial changes nothing but figures, and nearly every run has one: they
    are added up by endpoint.

    Args:
        store: Gets them.
        delay_s: Seconds that successes wait.
    """

    def __init__(self, store: RecencyStore, *, delay_s: float = DELAY_S) -> None:
        self._store = store
        self._delay_s = delay_s
        self._pools: dict[tuple[str, str], ProxyPool] = {}
        self._sums: dict[_Place, tuple[int, int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._one_flush = asyncio.Lock()
        self._log = structlog.get_logger("quarry.proxy")

    def add(self, pool: ProxyPool, index: int, *, ok: int, latency_ms: int) -> None:
        """Report successes, soon.

        Args:
            pool: The pool.
            index: Position of the endpoint.
            ok: Requests that it carried.
            latency_ms: Sum over them.
        """
        place = (pool.name, pool.digest, index)
        self._pools[place[:2]] = pool
        self._sum(place, ok, latency_ms)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._delay_s, self._start_flush)

    async def flush(self) -> None:
        """Report what waits; what the store does not take waits on for the next time, and is logged."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._one_flush:
            sums, self._sums = self._sums, {}
            while sums:
                place, (ok, latency_ms) = sums.popitem()
                report = ProxyReport(index=place[2], number=0, ok=ok, latency_ms=latency_ms)
                try:
                    await self._store.report(self._pools[place[:2]], report)
                except QuarryError as error:
                    self._log.warning("proxy.report_late", error=error.message)
                    for waiting, (more, latency) in [(place, (ok, latency_ms)), *sums.items()]:
                        self._sum(waiting, more, latency)
                    return

    async def close(self) -> None:
        """Report what waits, and end."""
        if self._flushing is not None:
            await asyncio.gather(self._flushing, return_exceptions=True)
        await self.flush()
        if self._sums:
            self._log.warning("proxy.report_lost", endpoints=len(self._sums))

    def _sum(self, place: _Place, ok: int, latency_ms: int) -> None:
        before = self._sums.get(place, (0, 0))
        self._sums[place] = (before[0] + ok, before[1] + latency_ms)

    def _start_flush(self) -> None:
        self._timer = None
        # Kept: the loop itself holds tasks weakly.
        self._flushing = asyncio.get_running_loop().create_task(self.flush())
