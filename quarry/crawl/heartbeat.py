"""One heartbeat for all runs of a worker process, at the pace of each crawl's leases."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from quarry.crawl.figures import NoFigures
from quarry.errors import LedgerMissingError, QuarryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.crawl.figures import Figures
    from quarry.scheduler import Ledger

BEATS_A_LEASE = 6
"""A worker may miss five beats in a row: a pause of its process, a stall of the network."""

_LOOK_S = 0.25


class Heartbeat:
    """Renews the leases that this process holds and ends the runs whose lease is lost.

    Args:
        ledger_of: Gives the ledger of a crawl.
        clock: Monotonic seconds.
        figures: Told of lost leases.
    """

    def __init__(
        self,
        ledger_of: Callable[[str], Ledger],
        *,
        clock: Callable[[], float] = time.monotonic,
        figures: Figures | None = None,
    ) -> None:
        self._ledger_of = ledger_of
        self._clock = clock
        self._figures = figures or NoFigures()
        self._held: dict[str, dict[str, tuple[str, asyncio.Event]]] = {}
        self._interval_s: dict[str, float] = {}
        self._due_s: dict[str, float] = {}
        self._beating: dict[str, asyncio.Task[None]] = {}
        self._log = structlog.get_logger("quarry.heartbeat")

    def hold(self, crawl: str, key: str, token: str, lost: asyncio.Event, *, lease_ms: int) -> None:
        """Renew this lease from now on.

        Args:
            crawl: Crawl id.
            key: Job key.
            token: TOKEN of the delivery.
            lost: Set when the ledger says that the lease is not ours.
            lease_ms: How long a lease of this crawl lasts.
        """
        if crawl not in self._held:
            self._interval_s[crawl] = lease_ms / 1000 / BEATS_A_LEASE
            self._due_s[crawl] = self._clock() + self._interval_s[crawl]
        earlier = self._held.setdefault(crawl, {}).get(key)
        if earlier is not None and earlier[0] != token:
            # This process was away for longer than a lease, and was given the run again: one of the two ends.
            earlier[1].set()
        self._held[crawl][key] = (token, lost)

    def drop(self, crawl: str, key: str, token: str) -> None:
        """Renew this lease no more."""
        held = self._held.get(crawl, {})
        if key in held and held[key][0] == token:
            del held[key]
            if not held:
                del self._held[crawl]
                self._interval_s.pop(crawl, None)
                self._due_s.pop(crawl, None)

    async def run(self) -> None:
        """Beat for ever; a beat that fails is logged and tried again at the next interval."""
        try:
            while True:
                await asyncio.sleep(min([_LOOK_S, *self._interval_s.values()]))
                for crawl in list(self._held):
                    self._begin(crawl)
        finally:
            for task in self._beating.values():
                task.cancel()

    def _begin(self, crawl: str) -> None:
        """Start a beat that is due; one that hangs (Redis is away) holds up no other crawl's."""
        if self._clock() < self._due_s[crawl] or crawl in self._beating:
            return
        self._due_s[crawl] = self._clock() + self._interval_s[crawl]
        task = asyncio.create_task(self._try_beat(crawl))
        self._beating[crawl] = task
        task.add_done_callback(lambda _: self._beating.pop(crawl, None))

    async def _try_beat(self, crawl: str) -> None:
        try:
            await self._beat(crawl)
        except LedgerMissingError:
            self._log.warning("crawl.gone", crawl=crawl)
            for _, lost in self._held.get(crawl, {}).values():
                lost.set()
        except QuarryError as error:
            self._log.warning("lease.beat_failed", crawl=crawl, error=error.message)

    async def _beat(self, crawl: str) -> None:
        held = {key: token for key, (token, _) in self._held.get(crawl, {}).items()}
        if not held:
            return
        for key in await self._ledger_of(crawl).beat(held):
            token, lost = self._held.get(crawl, {}).get(key, ("", None))
            if lost is not None and token == held[key]:
                self._log.warning("lease.lost", crawl=crawl, key=key)
                self._figures.lease_lost()
                lost.set()
