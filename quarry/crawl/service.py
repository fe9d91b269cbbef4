"""What a worker process does beside Celery: deliveries, one heartbeat, the reaper, closing."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import structlog

from quarry.crawl.attempt import Tools
from quarry.crawl.closing import Closing
from quarry.crawl.delivery import CrawlContext, deliver
from quarry.crawl.heartbeat import Heartbeat
from quarry.crawl.plan import decode_plan
from quarry.crawl.reaper import reap
from quarry.crawl.scripts import ScriptHashes
from quarry.errors import LedgerImbalanceError, LedgerMissingError, QuarryError
from quarry.lode import Dataset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quarry.crawl.runners import Runners
    from quarry.crawl.threads import Threads
    from quarry.scheduler import CrawlRegistry, Ledger


_CANCEL_S = 7.0
"""What a cancelled run needs at most: its executor has TERM, 5 s, KILL."""


class WorkerService:
    """One worker process's share in all crawls of its broker.

    Args:
        registry: The open crawls of this Redis.
        ledger_of: Gives the ledger of a crawl.
        runners: What executes runs.
        threads: For blocking storage calls.
        beat_s: Seconds between heartbeats.
        reap_s: Mean seconds between two rounds of the reaper; jittered by half.
        close_client: Ends the connection to Redis.
    """

    def __init__(
        self,
        *,
        registry: CrawlRegistry,
        ledger_of: Callable[[str], Ledger],
        runners: Runners,
        threads: Threads,
        beat_s: float,
        reap_s: float,
        close_client: Callable[[], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._ledger_of = ledger_of
        self._runners = runners
        self._threads = threads
        self._reap_s = reap_s
        self._close_client = close_client
        self._heartbeat = Heartbeat(ledger_of, interval_s=beat_s)
        self._hashes = ScriptHashes()
        self._contexts: dict[str, CrawlContext] = {}
        self._running: set[asyncio.Event] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._background: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger("quarry.worker")

    async def start(self) -> None:
        """Start the heartbeat and the reaper; executors start with the first run."""
        self._background = [
            asyncio.create_task(self._heartbeat.run(), name="heartbeat"),
            asyncio.create_task(self._reap_for_ever(), name="reaper"),
        ]

    async def deliver(self, crawl: str, key: str) -> dict[str, Any]:
        """Deliver what a message hints at; a message for work that is gone does nothing."""
        cancel = asyncio.Event()
        self._running.add(cancel)
        self._idle.clear()
        try:
            context = await self._context(crawl)
            shown, closable = await deliver(context, key=key, cancel=cancel)
            if closable:
                await self._close(context)
        except LedgerMissingError:
            return {"outcome": "crawl_gone"}
        finally:
            self._running.discard(cancel)
            if not self._running:
                self._idle.set()
        return shown

    async def stop(self, grace_s: float) -> None:
        """End: give running deliveries the grace, then cancel them; they are delivered again elsewhere."""
        if not await self._wait_idle(grace_s):
            for cancel in self._running:
                cancel.set()
            await self._wait_idle(_CANCEL_S)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._runners.close(grace_s=0)
        self._threads.close()
        await self._close_client()

    async def _wait_idle(self, limit_s: float) -> bool:
        try:
            await asyncio.wait_for(self._idle.wait(), max(limit_s, 0.001))
        except TimeoutError:
            return False
        return True

    async def _context(self, crawl: str) -> CrawlContext:
        known = self._contexts.get(crawl)
        if known is not None:
            return known
        ledger = self._ledger_of(crawl)
        state = await ledger.state()
        if not state.exists:
            raise LedgerMissingError(f"crawl {crawl} is not in this Redis")
        plan = decode_plan(state.config)
        dataset = await self._threads.run(Dataset.create, plan.storage_path, plan.dataset)
        context = CrawlContext(
            plan=plan,
            ledger=ledger,
            tools=Tools(
                dataset=dataset,
                runner=await self._runners.runner_for(plan),
                threads=self._threads,
                hashes=self._hashes,
            ),
            heartbeat=self._heartbeat,
        )
        return self._contexts.setdefault(crawl, context)

    async def _close(self, context: CrawlContext) -> None:
        try:
            if await Closing(context).try_close():
                await self._registry.forget(context.plan.crawl)
                self._contexts.pop(context.plan.crawl, None)
        except LedgerImbalanceError as error:
            # The watcher asserts the same and ends the command with it; the log says it here too.
            self._log.error("ledger.imbalance", crawl=context.plan.crawl, error=error.message)

    async def _reap_for_ever(self) -> None:
        while True:
            # Jitter keeps many workers from looking at the same moment; nothing secret hangs on it.
            await asyncio.sleep(self._reap_s * random.uniform(0.5, 1.5))  # noqa: S311
            try:
                for crawl in await self._registry.crawls():
                    await self._reap(crawl)
            except QuarryError as error:
                self._log.warning("reaper.failed", error=error.message)

    async def _reap(self, crawl: str) -> None:
        try:
            context = await self._context(crawl)
            if await reap(context):
                await self._close(context)
        except LedgerMissingError:
            self._contexts.pop(crawl, None)
            await self._registry.forget(crawl)
