"""A delivery that can't be carried through."""

from __future__ import annotations

import asyncio

import pytest

import quarry.lode
from quarry.crawl.delivery import deliver
from tests.crawl.single_job import one_job
from tests.e2e.site import serving


class BrokenRunner:
    """A runner with a fault of Quarry's own."""

    async def execute(self, spec, **kwargs):
        """Fail as no executor can."""
        raise ZeroDivisionError("a fault of ours")


@pytest.mark.clause("RUN-30")
async def test_a_fault_of_our_own_is_the_runs_outcome_and_holds_up_nothing(tmp_path):
    """It is named in the record; the job is settled."""
    async with one_job(tmp_path, {"kind": "leaf"}, runner=BrokenRunner()) as job:
        shown, closable = await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert shown["outcome"] == "executor_crash"
        assert closable
        (record,) = quarry.lode.open(job.storage).runs()
        assert record.outcome.error_type == "internal_error"
        assert "ZeroDivisionError" in record.outcome.message
        counts = await job.ledger.counts()
        assert (counts.failed, counts.imbalances()) == (1, [])


@pytest.mark.clause("RUN-24")
async def test_a_delivery_without_its_lease_puts_no_record_and_leaves_no_file(tmp_path):
    """Its enqueue events are refused, the run is ended, what it wrote is gone; the next delivery does it all."""
    with serving() as site:
        site.gate.clear()
        params = {"kind": "branch", "n": 0, "count": 3, "branches": 1, "url": site.url}
        async with one_job(tmp_path, params) as job:
            first = asyncio.create_task(deliver(job.context, key=job.key, cancel=asyncio.Event()))
            while not site.requests:
                await asyncio.sleep(0.01)
            await job.lapse()
            site.gate.set()
            shown, _ = await first
            assert shown == {"outcome": "given_up"}
            root = job.storage / "datasets" / "quarry"
            assert [p for p in root.rglob("*") if p.is_file()] == []
            shown, _ = await deliver(job.context, key=job.key, cancel=asyncio.Event())
            assert shown["how"] == "committed"
            counts = await job.ledger.counts()
            assert counts.imbalances() == []
            assert (counts.succeeded, counts.redeliveries, counts.admitted) == (1, 1, 4)
            assert quarry.lode.open(job.storage).verify() == []


async def test_a_message_for_work_that_is_gone_does_nothing(tmp_path):
    """Messages are hints: a repeated one finds no lease."""
    async with one_job(tmp_path, {"kind": "leaf"}) as job:
        await deliver(job.context, key=job.key, cancel=asyncio.Event())
        before = await job.ledger.counts()
        shown, closable = await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert shown == {"outcome": "not_claimed_gone"}
        assert not closable
        assert await job.ledger.counts() == before


@pytest.mark.clause("RUN-21")
async def test_a_failed_attempt_is_kept_and_followed_by_another(tmp_path):
    """Attempt 1's record is an attempt's; attempt 2's failure is final; both are counted once."""
    params = {"kind": "leaf", "url": "http://127.0.0.1:9"}
    async with one_job(tmp_path, params, max_attempts=2) as job:
        first, _ = await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert first["how"] == "retry_ok"
        second, closable = await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert (second["outcome"], closable) == ("script_error", True)
        reader = quarry.lode.open(job.storage)
        (attempt,), (final,) = reader.attempts(), reader.runs()
        assert (attempt.attempt, final.attempt, final.parent_run_id) == (1, 2, attempt.run_id)
        assert (await job.ledger.counts()).failed == 1
