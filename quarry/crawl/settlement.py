"""Commit, adopt, settle: the record decides, the ledger follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from quarry.crawl.children import Parent, make_child
from quarry.types import OutcomeStatus

if TYPE_CHECKING:
    from quarry.crawl.local_scripts import LocalScripts
    from quarry.crawl.plan import CrawlPlan
    from quarry.crawl.threads import Threads
    from quarry.lode import CommitRecord, Dataset
    from quarry.scheduler import Ledger, NewJob

_BATCH = 500

_RETRIED = frozenset({OutcomeStatus.SCRIPT_ERROR, OutcomeStatus.EXECUTOR_CRASH})


def may_retry(status: OutcomeStatus, reason: str | None) -> bool:
    """Say whether an outcome is one that ``--max-attempts`` retries."""
    return status in _RETRIED and reason != "lost"


class Missing:
    """Enqueue events of a record that the ledger says it does not know, batch by batch.

    Args:
        record: The record that decides.

    Attributes:
        events: All enqueue events in its data, once they were read.
        start: Position of the batch.
        batch: At most 500 events from there.
        dropped: Events behind the data that are in the record's count: its policy dropped them.
    """

    def __init__(self, record: CommitRecord) -> None:
        self.record = record
        self.events: list[NewJob] | None = None
        self.start = 0
        self.batch: list[NewJob] = []
        self.dropped = 0

    def advance(self, position: int) -> None:
        """Go to the position that the ledger named."""
        events = self.events or []
        self.start = position
        self.batch = events[position : position + _BATCH]
        self.dropped = 0 if self.batch else max(0, self.record.enqueue_events - position)


class Settlement:
    """Ends jobs of one crawl.

    Args:
        plan: The crawl.
        ledger: Its ledger.
        dataset: Where its records lie.
        threads: For the blocking calls.
        scripts: Of this machine: the record may be another one's.
    """

    def __init__(
        self,
        *,
        plan: CrawlPlan,
        ledger: Ledger,
        dataset: Dataset,
        threads: Threads,
        scripts: LocalScripts,
    ) -> None:
        self._plan = plan
        self._scripts = scripts
        self._ledger = ledger
        self._dataset = dataset
        self._threads = threads
        self._log = structlog.get_logger("quarry.crawl").bind(crawl=plan.crawl)

    async def settle(self, record: CommitRecord) -> bool:
        """Settle a job by the record that stands.

        Enqueue events of the record that the ledger does not know (it was rolled back, or the record is of
        another delivery) are admitted from the data, in batches.

        Args:
            record: The final record of the job, whoever put it.

        Returns:
            Whether the crawl looks ready to close.
        """
        missing = Missing(record)
        below = await self._threads.run(self._enqueued_below, record) if record.attempt > 1 else 0
        while True:
            answer = await self._ledger.settle(
                record.key,
                token=record.token,
                n=record.enqueue_events,
                succeeded=record.outcome.status is OutcomeStatus.SUCCESS,
                attempt=record.attempt,
                depth=record.depth,
                below=below,
                start=missing.start,
                batch=missing.batch,
                dropped=missing.dropped,
            )
            if answer.status != "more":
                self._log.debug("job.settled", run_id=record.run_id, status=answer.status)
                return answer.status == "closed"
            await self._next_batch(missing, answer.position)

    async def retry(self, key: str, token: str, record: CommitRecord) -> str:
        """Hand a failed attempt back for another one.

        Args:
            key: Job key.
            token: TOKEN of the delivery that holds the lease (the record may be an earlier one's).
            record: The attempt's record that stands.

        Returns:
            ``ok`` (another attempt is pending), ``final`` (put the final record) or ``lost`` (put nothing).

        Raises:
            StoreError: The attempt's data can't be read.
        """
        missing = Missing(record)
        while True:
            answer = await self._ledger.retry(
                key,
                token,
                record.enqueue_events,
                start=missing.start,
                batch=missing.batch,
                dropped=missing.dropped,
                record_token=record.token,
            )
            if answer.status != "more":
                return answer.status
            await self._next_batch(missing, answer.position)

    def _enqueued_below(self, record: CommitRecord) -> int:
        """Add up the enqueue events of the attempts' records below a final one; blocks.

        Above its first attempt the run before it is its parent.
        """
        events = 0
        while record.parent_run_id is not None:
            before = self._dataset.get_attempt(self._plan.day, self._plan.crawl, record.parent_run_id)
            if before is None or (before.key, before.attempt) != (record.key, record.attempt - 1):
                break
            events += before.enqueue_events
            record = before
        return events

    async def _next_batch(self, missing: Missing, position: int) -> None:
        if missing.events is None:
            missing.events = await self._children(missing.record)
        missing.advance(position)

    def _pool_of(self, record: CommitRecord) -> str | None:
        """Give the pool that a run's children inherit: without it they would go out without a proxy."""
        pool = (record.proxy or {}).get("pool")
        return pool if pool in self._plan.proxies else None

    async def _children(self, record: CommitRecord) -> list[NewJob]:
        payloads = await self._threads.run(self._dataset.enqueue_payloads, record)
        script, _ = await self._threads.run(self._scripts.path_of, self._plan, record.target, record.script)
        parent = Parent(
            run_id=record.run_id,
            key=record.key,
            root_run_id=record.root_run_id or record.run_id,
            script=script,
            source=record.source,
            category=record.category,
            depth=record.depth,
            proxy=self._pool_of(record),
        )
        return [make_child(self._plan, parent, payload) for payload in payloads]
