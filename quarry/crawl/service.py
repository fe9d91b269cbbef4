"""What a worker process does beside Celery: deliveries, one heartbeat, the reaper, closing."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from quarry.crawl.attempt import Tools
from quarry.crawl.closing import Closing
from quarry.crawl.delivery import HANDED_BACK, CrawlContext, deliver
from quarry.crawl.figures import NoFigures
from quarry.crawl.granting import Granting
from quarry.crawl.heartbeat import Heartbeat
from quarry.crawl.plan import decode_plan
from quarry.crawl.reaper import reap
from quarry.crawl.scripts import ScriptHashes
from quarry.crawl.storage import open_storage
from quarry.errors import (
    LedgerImbalanceError,
    LedgerMissingError,
    QuarryError,
    SchedulerError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quarry.crawl.figures import Figures
    from quarry.crawl.local_scripts import LocalScripts
    from quarry.crawl.runners import Runners
    from quarry.crawl.threads import Threads
    from quarry.scheduler import CrawlRegistry, Ledger

REAPS_A_LEASE = 12
"""Looks for lost work in the time of a lease, by each worker; the shortest lease sets the pace."""

MAX_REAP_S = 5.0
"""Longest mean time between two looks, seconds."""

_REFUSED_S = 5.0
"""How long a slot rests after a message whose storage, pool or secret is not to be had here."""

_CANCEL_S = 7.0
"""What a cancelled run needs at most: its executor has TERM, 5 s, KILL."""

_LEFT_S = 15.0
"""How long a crawl is left to others that have its pools."""


class WorkerService:
    """One worker process's share in all crawls of its broker.

    Args:
        registry: The open crawls of this Redis.
        ledger_of: Gives the ledger of a crawl.
        runners: What executes runs.
        threads: For blocking storage calls.
        scripts: Of this machine.
        close_client: Ends the connection to Redis.
        granting: Pools and secrets of this machine; by default it has none.
        figures: Told of what happens here; by default nobody is.
    """

    def __init__(
        self,
        *,
        registry: CrawlRegistry,
        ledger_of: Callable[[str], Ledger],
        runners: Runners,
        threads: Threads,
        scripts: LocalScripts,
        close_client: Callable[[], Awaitable[None]],
        granting: Granting | None = None,
        figures: Figures | None = None,
    ) -> None:
        self._registry = registry
        self._ledger_of = ledger_of
        self._runners = runners
        self._threads = threads
        self._scripts = scripts
        self._close_client = close_client
        self._granting = granting or Granting()
        self._figures = figures or NoFigures()
        self._heartbeat = Heartbeat(ledger_of, figures=self._figures)
        self._hashes = ScriptHashes()
        self._contexts: dict[str, CrawlContext] = {}
        self._imbalanced: set[str] = set()
        self._left: dict[str, float] = {}
        self._running: dict[asyncio.Event, str] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._background: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger("quarry.worker")

    async def start(self) -> None:
        """Start the heartbeat and the reaper; executors start with the first run."""
        self._background = [
            asyncio.create_task(self._heartbeat.run(), name="heartbeat"),
            asyncio.create_task(self._reap_for_ever(), name="reaper"),
            asyncio.create_task(self._granting.announce(), name="announce"),
        ]

    async def deliver(self, crawl: str, key: str) -> dict[str, Any]:
        """Deliver what a message hints at; a message for work that is gone does nothing."""
        cancel = asyncio.Event()
        self._running[cancel] = crawl
        self._idle.clear()
        how = "error"
        self._figures.delivery_began()
        try:
            try:
                if self._is_left(crawl):
                    how = HANDED_BACK
                    await self._hand_back(crawl, key, cancel)
                    return {"outcome": how}
                context = await self._context(crawl)
                await context.check_storage()
            except LedgerMissingError:
                raise
            except QuarryError:
                # Its storage, its executors or its ledger's version can't be served here; elsewhere perhaps.
                await self._hand_back(crawl, key, cancel)
                raise
            shown, closable = await deliver(context, key=key, cancel=cancel)
            how = shown.get("how", shown["outcome"])
            if how == HANDED_BACK:
                await self._leave_to_others(context)
                await _rest(cancel)
            else:
                self._left.pop(crawl, None)
            if closable:
                await self._close_after(context)
        except LedgerMissingError:
            how = "crawl_gone"
            return {"outcome": "crawl_gone"}
        finally:
            self._figures.delivery_ended(how)
            self._running.pop(cancel, None)
            if not self._running:
                self._idle.set()
        return shown

    def _is_left(self, crawl: str) -> bool:
        """Say whether a crawl is left to others now; when its time is over, one delivery looks again."""
        until, now = self._left.get(crawl), time.monotonic()
        if until is None:
            return False
        if until <= now:
            self._left[crawl] = now + _LEFT_S
        return until > now

    async def _leave_to_others(self, context: CrawlContext) -> None:
        """Take no more of a crawl for a while where others have the pools that lack here.

        A run that is handed back before it was claimed has lost no delivery.
        """
        with suppress(QuarryError):
            if await self._granting.is_served_elsewhere(context.plan):
                self._left[context.plan.crawl] = time.monotonic() + _LEFT_S

    async def _hand_back(self, crawl: str, key: str, cancel: asyncio.Event) -> None:
        """Give a message back that this worker can't serve, and keep its slot for a while.

        Other workers may be able to; one that cannot must not pop all messages as fast as it can.
        """
        try:
            await self._ledger_of(crawl).surrender(key, "")
        except SchedulerError:
            return
        await _rest(cancel)

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
        await self._granting.close()
        self._threads.close()
        await self._close_client()
        self._figures.close()

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
        dataset = await self._threads.run(open_storage, plan)
        context = CrawlContext(
            plan=plan,
            ledger=ledger,
            tools=Tools(
                dataset=dataset,
                runner=await self._runners.runner_for(self._scripts.localized(plan)),
                threads=self._threads,
                hashes=self._hashes,
                figures=self._figures,
                granting=self._granting,
            ),
            heartbeat=self._heartbeat,
            scripts=self._scripts,
        )
        return self._contexts.setdefault(crawl, context)

    async def _close_after(self, context: CrawlContext) -> None:
        """Close a crawl after its last run; a failure is not that run's, and the reaper tries again."""
        try:
            await self._close(context)
        except QuarryError as error:
            self._log.warning("crawl.close_failed", crawl=context.plan.crawl, error=error.message)
        except Exception:  # noqa: BLE001 -- the run is committed, whatever this is
            self._log.exception("crawl.close_failed", crawl=context.plan.crawl)

    async def _close(self, context: CrawlContext) -> None:
        plan = context.plan
        if plan.crawl in self._imbalanced:
            return  # adding up again gives the same
        try:
            if await Closing(context).try_close():
                state = await context.ledger.state()
                await self._registry.retire(
                    plan.crawl, closed_ms=state.closed_ms or state.now_ms, keep_ms=plan.expire_after_ms
                )
                self._contexts.pop(plan.crawl, None)
        except LedgerImbalanceError as error:
            self._imbalanced.add(plan.crawl)
            # The watcher asserts the same and ends the command with it; the log says it here too.
            self._log.error("ledger.imbalance", crawl=plan.crawl, error=error.message)

    async def _reap_for_ever(self) -> None:
        while True:
            # Jitter keeps many workers from looking at the same moment; nothing secret hangs on it.
            await asyncio.sleep(self._reap_s() * random.uniform(0.5, 1.5))  # noqa: S311
            try:
                crawls = await self._registry.crawls()
            except Exception as error:  # noqa: BLE001 -- the only reaper of this process must not end
                self._log.warning("reaper.failed", error=str(error))
                continue
            for crawl in crawls:
                try:
                    await self._reap(crawl)
                except QuarryError as error:
                    # A crawl whose storage or script folder is not to be had here must not hold up the
                    # others.
                    self._log.warning("reaper.failed", crawl=crawl, error=error.message)
                except Exception:  # noqa: BLE001 -- the only reaper of this process must not end
                    self._log.exception("reaper.internal_error", crawl=crawl)
            try:
                await self._granting.announce()
                await self._forget_contexts(crawls)
            except Exception:  # noqa: BLE001 -- as above
                self._log.exception("reaper.internal_error")

    def _reap_s(self) -> float:
        leases = (context.plan.lease_ms / 1000 / REAPS_A_LEASE for context in self._contexts.values())
        return min([MAX_REAP_S, *leases])

    async def _forget_contexts(self, open_crawls: list[str]) -> None:
        """Drop what is kept of crawls that are closed, but for those with runs in flight here."""
        executing = set(self._running.values())
        for crawl in set(self._contexts) - set(open_crawls) - executing:
            del self._contexts[crawl]
        self._left = {crawl: until for crawl, until in self._left.items() if crawl in open_crawls}
        await self._runners.keep_for(set(self._contexts) | executing)

    async def _reap(self, crawl: str) -> None:
        try:
            context = await self._context(crawl)
            closable = await reap(context)
            if context.plan.max_duration_ms is not None:
                closable = await self._stop_when_over(context, context.plan.max_duration_ms) or closable
            if closable:
                await self._close(context)
        except LedgerMissingError:
            self._contexts.pop(crawl, None)
            await self._registry.forget(crawl)
            # Its first seeds may have come in between: whoever is in a ledger stays in the registry.
            if (await self._ledger_of(crawl).state()).exists:
                await self._registry.register(crawl)

    async def _stop_when_over(self, context: CrawlContext, max_duration_ms: int) -> bool:
        """Stop a crawl whose time is over, by the clock of Redis; say whether it can close."""
        state = await context.ledger.state()
        if state.stopped or state.now_ms - state.created_ms < max_duration_ms:
            return False
        self._log.info("crawl.max_duration", crawl=context.plan.crawl)
        return (await context.ledger.stop("max_duration")).idle


async def _rest(cancel: asyncio.Event) -> None:
    """Keep a slot from the next message for a while, unless the worker ends."""
    with suppress(TimeoutError):
        await asyncio.wait_for(cancel.wait(), _REFUSED_S)
