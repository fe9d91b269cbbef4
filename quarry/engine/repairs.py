"""What the command does when it saw its only worker die."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from quarry.crawl.reaper import reap
from quarry.errors import SchedulerError, StoreError

if TYPE_CHECKING:
    from quarry.crawl.delivery import CrawlContext

_ALL = 5000


class Repairs:
    """Delivers what a dead worker held at once: nobody need wait for leases that nobody can renew.

    Args:
        context: The crawl.
    """

    def __init__(self, context: CrawlContext) -> None:
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Let all leases lapse, and reap them; the dead worker was the only one."""
        task = asyncio.create_task(self._repair())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Wait for nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repair(self) -> None:
        try:
            await self._context.ledger.abandon()
            await reap(self._context, limit=_ALL)
        except (SchedulerError, StoreError) as error:
            # The new worker's reaper does the same once the leases have run out.
            structlog.get_logger("quarry.engine").warning("engine.repair_failed", error=error.message)
