"""One heartbeat for all runs of a worker process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from quarry.errors import QuarryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.scheduler import Ledger


class Heartbeat:
    """Renews the leases that this process holds and ends the runs whose lease is lost.

    Args:
        ledger_of: Gives the ledger of a crawl.
        interval_s: Seconds between two beats (a lease lasts six of them by default).
    """

    def __init__(self, ledger_of: Callable[[str], Ledger], *, interval_s: float) -> None:
        self._ledger_of = ledger_of
        self._interval_s = interval_s
        self._held: dict[str, dict[str, tuple[str, asyncio.Event]]] = {}
        self._log = structlog.get_logger("quarry.heartbeat")

    def hold(self, crawl: str, key: str, token: str, lost: asyncio.Event) -> None:
        """Renew this lease from now on; ``lost`` is set when the ledger says that it is not ours."""
        self._held.setdefault(crawl, {})[key] = (token, lost)

    def drop(self, crawl: str, key: str, token: str) -> None:
        """Renew this lease no more."""
        held = self._held.get(crawl, {})
        if key in held and held[key][0] == token:
            del held[key]
            if not held:
                del self._held[crawl]

    async def run(self) -> None:
        """Beat for ever; a beat that fails is logged and tried again at the next interval."""
        while True:
            await asyncio.sleep(self._interval_s)
            for crawl in list(self._held):
                try:
                    await self._beat(crawl)
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
                lost.set()
