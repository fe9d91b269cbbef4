"""One delivery of one run: claim, execute, commit or adopt, settle."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from quarry.crawl.attempt import Attempt, Tools
from quarry.crawl.children import Parent, make_child
from quarry.crawl.granting import NotGrantedError
from quarry.crawl.local_scripts import LocalScripts
from quarry.crawl.plan import decode_payload
from quarry.crawl.records import identity_of
from quarry.crawl.settlement import Settlement, may_retry
from quarry.crawl.storage import check_mark, put_checked
from quarry.errors import LeaseLostError, ProtocolError, QuarryError, StoreError
from quarry.types import new_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarry.crawl.heartbeat import Heartbeat
    from quarry.crawl.plan import CrawlPlan, JobPayload
    from quarry.lode import CommitRecord
    from quarry.scheduler import Claim, Ledger
    from quarry.types import Event, RunIdentity

HANDED_BACK = "handed_back"
"""Outcome of a delivery whose run this machine could not begin."""

_ADMIT_BATCH = 500
_SURRENDER_S = 2.0
_MAX_SHOWN = 80


class CrawlContext:
    """What the deliveries of one crawl share in a worker process.

    Args:
        plan: The crawl.
        ledger: Its ledger.
        tools: What executes and stores.
        heartbeat: Of this process.
        scripts: Of this machine; as the crawl's command saw them where none are given.
    """

    def __init__(
        self,
        *,
        plan: CrawlPlan,
        ledger: Ledger,
        tools: Tools,
        heartbeat: Heartbeat,
        scripts: LocalScripts | None = None,
    ) -> None:
        self.scripts = scripts or LocalScripts()
        self.plan = plan = self.scripts.localized(plan)
        self.ledger = ledger
        self.tools = tools
        self.dataset = tools.dataset
        self.threads = tools.threads
        self.heartbeat = heartbeat
        self.recorded_scripts: dict[str, str] = {}
        self.settlement = Settlement(
            plan=plan, ledger=ledger, dataset=tools.dataset, threads=tools.threads, scripts=self.scripts
        )

    async def check_storage(self) -> None:
        """Look whether the storage is still the one that the crawl was begun in.

        Raises:
            StoreError: It was moved or unmounted: whatever is written now, nobody finds.
        """
        if self.plan.fleet:
            await self.threads.run(check_mark, self.plan)


class Delivery:
    """One claimed delivery.

    Args:
        context: The crawl.
        key: Job key.
        token: The TOKEN with which the lease was claimed.
        claim: The ledger's answer.
        cancel: Set when the lease is lost or the worker ends now; the delivery then leaves no record.
    """

    def __init__(
        self,
        context: CrawlContext,
        *,
        key: str,
        token: str,
        claim: Claim,
        cancel: asyncio.Event,
    ) -> None:
        self._context = context
        self._key = key
        self._token = token
        self._claim = claim
        self._cancel = cancel
        self._position = 0
        self._gap = False
        self._job: JobPayload = decode_payload(claim.payload)
        self._identity: RunIdentity = identity_of(
            context.plan, key, self._job, attempt=claim.attempt, depth=claim.depth
        )
        self._parent = Parent(
            run_id=self._identity.run_id,
            key=key,
            root_run_id=self._identity.root_run_id or self._identity.run_id,
            script=None,  # `_execute` looks it up, off the event loop
            source=self._job.source,
            category=self._job.category,
            depth=claim.depth,
            proxy=self._job.proxy,
        )
        self._log = structlog.get_logger("quarry.crawl").bind(
            crawl=context.plan.crawl, run_id=self._identity.run_id, attempt=claim.attempt
        )

    async def deliver(self) -> tuple[dict[str, Any], bool]:
        """Carry the delivery through.

        Returns:
            A small dict for people who watch tasks, and whether the crawl looks ready to close.
        """
        context = self._context
        context.heartbeat.hold(
            context.plan.crawl, self._key, self._token, self._cancel, lease_ms=context.plan.lease_ms
        )
        try:
            if self._claim.delivery > 1:
                adopted = await self._adopt_earlier()
                if adopted is not None:
                    return adopted
            return await self._execute()
        except asyncio.CancelledError:
            # The worker ends now: the lease is given back behind its back.
            await asyncio.shield(self._surrender())
            raise
        finally:
            context.heartbeat.drop(context.plan.crawl, self._key, self._token)

    async def _adopt_earlier(self) -> tuple[dict[str, Any], bool] | None:
        """Look for what an earlier delivery committed before it was lost; settle from it if it is there."""
        context, plan = self._context, self._context.plan
        record = await context.threads.run(context.dataset.get_record, plan.day, plan.crawl, self._key)
        if record is not None:
            self._log.info("run.adopted", winner=record.token)
            await context.threads.run(context.dataset.drop_live, record)
            return _shown(record, "adopted"), await context.settlement.settle(record)
        attempt = await context.threads.run(
            context.dataset.get_attempt, plan.day, plan.crawl, self._identity.run_id
        )
        if attempt is None:
            return None
        self._log.info("attempt.adopted", winner=attempt.token)
        await context.threads.run(context.dataset.drop_live, attempt)
        return await self._retry(attempt)

    async def _execute(self) -> tuple[dict[str, Any], bool]:
        context = self._context
        script = await context.scripts.check(
            context.plan,
            self._job,
            ledger=context.ledger,
            hashes=context.tools.hashes,
            recorded=context.recorded_scripts,
            threads=context.threads,
        )
        self._parent.script = script.path
        attempt = Attempt(
            plan=context.plan,
            tools=context.tools,
            key=self._key,
            job=self._job,
            identity=self._identity,
            token=self._token,
            deliveries=self._claim.delivery,
            script=script,
            elsewhere=self._goes_elsewhere(),
        )
        try:
            report = await attempt.execute(on_enqueue=self._admit, cancel=self._cancel)
        except NotGrantedError as error:
            return await self._hand_back(error)
        if report is None:
            self._log.warning("run.given_up")
            await self._surrender()
            return {"outcome": "given_up"}, False
        record = await attempt.seal(report, enqueue_events=self._position)
        again = not self._claim.last_attempt and may_retry(record.outcome.status, record.outcome.reason)
        put = context.dataset.put_attempt if again else context.dataset.put_record
        try:
            standing = await context.threads.run(put_checked, context.plan, context.dataset, put, record)
        except StoreError:
            attempt.leave()
            raise
        await attempt.conclude(standing)
        if again:
            return await self._retry(standing)
        return _shown(standing, "committed"), await context.settlement.settle(standing)

    def _goes_elsewhere(self) -> bool:
        """Say whether the run, given back, is delivered again: its deliveries are counted, and bounded."""
        plan = self._context.plan
        allowed = plan.bounds.get("max_redeliveries") or 0
        return plan.fleet and not self._claim.stopped and self._claim.delivery <= allowed

    async def _hand_back(self, error: NotGrantedError) -> tuple[dict[str, Any], bool]:
        """Leave the run to another machine; this delivery counts, so no run goes round for ever."""
        context, outcome = self._context, error.outcome
        self._log.warning("run.handed_back", error_type=outcome.error_type, message=outcome.message)
        # A beat after the lease was given back would renew it.
        context.heartbeat.drop(context.plan.crawl, self._key, self._token)
        await self._surrender()
        return {
            "outcome": HANDED_BACK,
            "error_type": outcome.error_type,
            "delivery": self._claim.delivery,
        }, False

    async def _admit(self, events: Sequence[Event]) -> None:
        """Tell the ledger of enqueue events, before the policy sees them."""
        try:
            jobs = [make_child(self._context.plan, self._parent, e.payload) for e in events]
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"an enqueue event can't be scheduled: {error}") from error
        for start in range(0, len(jobs), _ADMIT_BATCH):
            batch = jobs[start : start + _ADMIT_BATCH]
            if not self._gap:
                answer = await self._context.ledger.admit(self._key, self._token, self._position, batch)
                if answer.status == "lost":
                    self._cancel.set()
                    raise LeaseLostError("the lease of this delivery is held by another")
                # A gap appears only after Redis lost its last second: `settle` admits the rest from the data.
                self._gap = answer.status == "gap"
            self._position += len(batch)

    async def _surrender(self) -> None:
        """Give the lease back, if it is still ours: a worker that ends lets nobody wait for it to lapse."""
        try:
            async with asyncio.timeout(_SURRENDER_S):
                await self._context.ledger.surrender(self._key, self._token)
        except (QuarryError, TimeoutError) as error:
            self._log.warning("lease.not_surrendered", error=str(error))

    async def _retry(self, attempt: CommitRecord) -> tuple[dict[str, Any], bool]:
        context = self._context
        status = await context.settlement.retry(self._key, self._token, attempt)
        if status != "final":
            return _shown(attempt, f"retry_{status}"), False
        # Attempts spent or the crawl stopped meanwhile: this failure is the job's end.
        put = context.dataset.put_record
        standing = await context.threads.run(put_checked, context.plan, context.dataset, put, attempt)
        return _shown(standing, "committed"), await context.settlement.settle(standing)


async def deliver(context: CrawlContext, *, key: str, cancel: asyncio.Event) -> tuple[dict[str, Any], bool]:
    """Claim a job's lease and carry the delivery through.

    Returns:
        A small dict for people who watch tasks, and whether the crawl looks ready to close.
    """
    token = new_token()
    claim = await context.ledger.claim(key, token)
    if claim.status != "ok":
        return {"outcome": f"not_claimed_{claim.status}"}, False
    if claim.delivery > 1:
        context.tools.figures.redelivered()
    delivery = Delivery(context, key=key, token=token, claim=claim, cancel=cancel)
    return await delivery.deliver()


def _shown(record: CommitRecord, how: str) -> dict[str, Any]:
    """Say how a delivery ended; no message and no params, which may hold what is not for everybody's eyes."""
    shown: dict[str, Any] = {"outcome": record.outcome.status.value}
    if record.outcome.error_type:
        shown["error_type"] = record.outcome.error_type[:_MAX_SHOWN]
    shown.update(
        how=how,
        attempt=record.attempt,
        delivery=record.deliveries,
        events=record.event_count,
        enqueued=record.enqueue_events,
        run_id=record.run_id,
    )
    return shown
