"""Watching a crawl until its summary is in place. What is shown comes from the ledger alone."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from quarry.crawl.closing import Closing
from quarry.errors import LedgerImbalanceError, StoreError

if TYPE_CHECKING:
    from quarry.crawl.delivery import CrawlContext
    from quarry.crawl.reporter import Reporter
    from quarry.scheduler import Ledger
    from quarry.types import Counts

_POLL_S = 0.1
_TIME_S = 1.0
_SILENCE_S = 3.0

STALL_S = 20.0
"""Seconds without any change in the ledger after which the storage is tried."""

PROBE_S = 5.0
"""Seconds between two tries."""

PROBES = 6
"""Failed tries in a row after which the storage counts as down."""

UNANNOUNCED_MS = 30_000
"""Time after the closer's lease in which another one writes the summary, if it can be written."""


class Stall:
    """Notices that nothing changes any more, and says when to look why. Pure.

    Args:
        stall_s: Seconds without a change after which to look.
        probe_s: Seconds between two looks.
    """

    def __init__(self, *, stall_s: float = STALL_S, probe_s: float = PROBE_S) -> None:
        self._stall_s = stall_s
        self._probe_s = probe_s
        self._last: Counts | None = None
        self._probe_at_s = 0.0

    def due(self, counts: Counts, now_s: float) -> bool:
        """Say whether the storage should be tried now.

        Args:
            counts: The ledger's counters.
            now_s: Monotonic seconds.
        """
        if counts != self._last:
            self._last = counts
            self._probe_at_s = now_s + self._stall_s
            return False
        if now_s < self._probe_at_s:
            return False
        self._probe_at_s = now_s + self._probe_s
        return True


class Watch:
    """Follows one crawl.

    Attributes:
        counts: The ledger's counters as they were last read; None before that.

    Args:
        ledger: Of the crawl.
        reporter: Told of the counters.
        context: The crawl, where this machine sees its storage; None only reads the ledger.
        max_duration_ms: Time after which the crawl is stopped; workers do it too, if there are any.
        stall: Says when to look why nothing moves.
        unannounced_ms: How long a closed crawl may go unannounced, where the storage is not seen.
    """

    def __init__(
        self,
        ledger: Ledger,
        reporter: Reporter,
        *,
        context: CrawlContext | None,
        max_duration_ms: int | None = None,
        stall: Stall | None = None,
        unannounced_ms: int = UNANNOUNCED_MS,
    ) -> None:
        self._unannounced_ms = unannounced_ms
        self._max_duration_ms = max_duration_ms
        self._looked_at_time_s = 0.0
        self.counts: Counts | None = None
        self._ledger = ledger
        self._context = context
        self._reporter = reporter
        self._closing = Closing(context) if context is not None else None
        self._stall = stall or Stall()
        self._failed_probes = 0

    async def wait_closed(self) -> dict[str, Any]:
        """Follow the crawl until it is closed; close it where no worker does.

        Returns:
            The summary; empty where this machine does not see the storage.

        Raises:
            LedgerImbalanceError: A ledger equation does not hold at the close.
            LedgerMissingError: Redis lost the crawl.
            StoreError: The storage is down and work waits for it, or the summary can't be put or read; or the
                storage is not seen here, and nobody announced the end of a closed crawl.
        """
        started = time.monotonic()
        while True:
            self.counts = counts = await self._read_counts()
            now = time.monotonic()
            self._reporter.progress(counts, now - started, counts.failed)
            if self._stall.due(counts, now):
                await self._look_why(counts)
            await self._stop_when_over(now)
            if counts.idle() and await self._is_closed():
                break
            await asyncio.sleep(_POLL_S)
        context = self._context
        if context is None:
            return {}
        plan = context.plan
        summary: dict[str, Any] | None = await context.threads.run(
            context.dataset.get_summary, plan.day, plan.crawl
        )
        if summary is None:
            raise StoreError(f"the summary of crawl {plan.crawl} vanished after it was written")
        return summary

    async def look(self) -> None:
        """Read the counters once."""
        self.counts = await self._ledger.counts()

    async def _read_counts(self) -> Counts:
        """Read the counters; say so where the broker keeps us waiting."""
        reading = asyncio.ensure_future(self._ledger.counts())
        try:
            done, _ = await asyncio.wait({reading}, timeout=_SILENCE_S)
            if not done:
                self._reporter.warning("the broker does not answer; waiting for it")
            return await reading
        finally:
            reading.cancel()

    async def _stop_when_over(self, now_s: float) -> None:
        """Stop a crawl whose time is over, by the clock of Redis; looked at once a second."""
        if self._max_duration_ms is None or now_s - self._looked_at_time_s < _TIME_S:
            return
        self._looked_at_time_s = now_s
        state = await self._ledger.state()
        if not state.stopped and state.now_ms - state.created_ms >= self._max_duration_ms:
            await self._ledger.stop("max_duration")

    async def _is_closed(self) -> bool:
        if self._closing is not None:
            return await self._closing.try_close()
        state = await self._ledger.state()
        if state.status != "closed":
            return False
        # Of the books only the ledger's side is seen from here; nothing changes it after the close.
        if wrong := (await self._ledger.counts()).imbalances():
            raise LedgerImbalanceError("the ledger does not balance: " + "; ".join(wrong))
        if not state.announced and state.now_ms > state.close_until_ms + self._unannounced_ms:
            raise StoreError(
                "the crawl is closed, but its end was not announced: its summary could not be written, or its"
                " records and its ledger disagree; the workers' logs (ledger.imbalance, crawl.close_failed)"
                " say which"
            )
        return state.announced

    async def _look_why(self, counts: Counts) -> None:
        """Say why nothing moves, as far as that can be seen from here."""
        context = self._context
        if context is not None:
            await self._check_storage(context)
        if counts.leased and (context is None or context.plan.fleet):
            waiting = await self._ledger.unclaimed()
            if waiting:
                self._reporter.warning(
                    f"{waiting} runs wait for a worker and nothing moves: see that workers run on this broker"
                    " (celery -A quarry.tasks worker), and what their logs say"
                )

    async def _check_storage(self, context: CrawlContext) -> None:
        """Try the storage that the stalled runs may be waiting for.

        Raises:
            StoreError: It kept refusing.
        """
        try:
            await context.threads.run(context.dataset.probe)
        except StoreError as error:
            self._failed_probes += 1
            self._reporter.warning(f"the crawl waits for its storage: {error.message}")
            if self._failed_probes >= PROBES:
                raise
        else:
            self._failed_probes = 0
