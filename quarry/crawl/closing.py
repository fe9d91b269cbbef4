"""The end of a crawl: audit of the records, close, summary and index, announcement."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from quarry.crawl.summary import Tally, make_summary
from quarry.errors import LedgerImbalanceError
from quarry.types import new_token

if TYPE_CHECKING:
    from quarry.crawl.delivery import CrawlContext
    from quarry.types import Counts

_CLOSE_MS = 5_000
_CLOSE_MS_A_JOB = 2
"""Comparing and adding up takes under a millisecond a record; whoever takes longer is joined by another."""

_STATUS_BATCH = 1000


class Closing:
    """Closes one crawl; any worker or watcher may try, one at a time does.

    Args:
        context: The crawl.
    """

    def __init__(self, context: CrawlContext) -> None:
        self._context = context
        self._holder = new_token()
        self._log = structlog.get_logger("quarry.crawl").bind(crawl=context.plan.crawl)

    async def try_close(self) -> bool:
        """Close the crawl if nothing is left to do, then write its summary and index.

        Every part may be repeated by anybody after a crash: the close is one ledger step, the summary is
        create-only, the index is the same whoever writes it.

        Returns:
            Whether the crawl is closed and its summary is in place.

        Raises:
            LedgerImbalanceError: A ledger equation does not hold, or records and ledger disagree.
        """
        ledger = self._context.ledger
        counts = await ledger.counts()
        ttl_ms = _CLOSE_MS + _CLOSE_MS_A_JOB * (counts.succeeded + counts.failed)
        while True:
            lease = await ledger.begin_close(self._holder, ttl_ms)
            if lease.status == "closed":
                if await self._somebody_concludes():
                    return False
                break
            if lease.status != "ok":
                return False
            if await self._audit():
                continue
            answer = await ledger.close(
                self._holder, lease.revision, expire_after_ms=self._context.plan.expire_after_ms
            )
            if answer in {"ok", "already"}:
                break
            if answer != "changed":
                return False
        await ledger.make_durable()
        await self._conclude()
        if await ledger.announce(self._holder, expire_after_ms=self._context.plan.expire_after_ms):
            self._log.info("crawl.closed")
        return True

    async def _somebody_concludes(self) -> bool:
        """Say whether whoever closed the crawl is still at its summary; after its time anybody may do it."""
        state = await self._context.ledger.state()
        if state.announced or state.closer == self._holder:
            return False
        return state.now_ms < state.close_until_ms

    async def _audit(self) -> bool:
        """Settle every record that the ledger does not hold as final; say whether there was one.

        Only after a rollback of Redis is there any (design, the model's trace C10).
        """
        context, plan = self._context, self._context.plan
        keys = await context.threads.run(context.dataset.record_keys, plan.day, plan.crawl)
        changed = False
        for start in range(0, len(keys), _STATUS_BATCH):
            statuses = await context.ledger.statuses(keys[start : start + _STATUS_BATCH])
            for key, status in statuses.items():
                if status in {"succeeded", "failed"}:
                    continue
                record = await context.threads.run(context.dataset.get_record, plan.day, plan.crawl, key)
                if record is not None:
                    self._log.warning("job.settled_by_audit", key=key, ledger=status)
                    await context.threads.run(context.dataset.drop_live, record)
                    await context.settlement.settle(record)
                    changed = True
        return changed

    async def _conclude(self) -> None:
        context, plan = self._context, self._context.plan
        existing = await context.threads.run(context.dataset.get_summary, plan.day, plan.crawl)
        if existing is not None:
            return
        counts = await context.ledger.counts()
        state = await context.ledger.state()
        tally = Tally()
        attempts, attempt_events = await context.threads.run(self._add_up, tally)
        check_books(counts, tally, attempt_events)
        summary = make_summary(
            plan,
            counts=counts,
            tally=tally,
            stopped=state.stopped,
            stop_reason=state.stop_reason,
            closed_at=time.time(),
            attempts=attempts,
        )
        await context.threads.run(context.dataset.put_index, plan.day, plan.crawl)
        await context.threads.run(context.dataset.put_summary, plan.day, plan.crawl, summary)

    def _add_up(self, tally: Tally) -> tuple[int, int]:
        """Read all records; give the number of failed attempts and of their enqueue events.

        Only attempts below the job's final one count: the ledger moved what others had said to ``replayed``.
        """
        dataset, plan = self._context.dataset, self._context.plan
        tried: dict[str, list[tuple[int, int]]] = {}
        for record in dataset.attempts(plan.day, plan.crawl):
            tried.setdefault(record.key, []).append((record.attempt, record.enqueue_events))
        attempts = events = 0
        for record in dataset.records(plan.day, plan.crawl):
            tally.add(record)
            for attempt, enqueued in tried.get(record.key, ()):
                if attempt < record.attempt:
                    attempts += 1
                    events += enqueued
        return attempts, events


def check_books(counts: Counts, tally: Tally, attempt_events: int) -> None:
    """Assert that the ledger balances, in itself and against the records.

    Args:
        counts: The ledger's counters after the close.
        tally: Of all final records.
        attempt_events: Enqueue events of failed attempts that no final record shadows.

    Raises:
        LedgerImbalanceError: Naming every equation that does not hold.
    """
    wrong = counts.imbalances()
    if (counts.succeeded, counts.failed) != (tally.succeeded, tally.failed):
        wrong.append(
            f"the ledger counts {counts.succeeded} succeeded and {counts.failed} failed, the records"
            f" {tally.succeeded} and {tally.failed}"
        )
    emitted = counts.received - counts.replayed - counts.seeds
    if emitted != tally.enqueue_events + attempt_events:
        wrong.append(
            f"received {counts.received} - replayed {counts.replayed} - seeds {counts.seeds} = {emitted}, but"
            f" the records hold {tally.enqueue_events + attempt_events} enqueue events"
        )
    if wrong:
        raise LedgerImbalanceError("the ledger does not balance: " + "; ".join(wrong))
