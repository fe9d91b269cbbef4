"""A delivery that can't be carried through."""

from __future__ import annotations

import asyncio
import shutil
import threading

import msgspec
import pytest
import structlog

import quarry.lode
from quarry.crawl.delivery import deliver
from quarry.crawl.local_scripts import LocalScripts
from quarry.crawl.plan import JobPayload
from quarry.crawl.scripts import ScriptHashes
from quarry.errors import StoreError
from quarry.runtime import SingleShot
from tests.crawl.single_job import SCRIPT, one_job
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


@pytest.mark.clause("PROXY-11")
async def test_a_job_whose_pool_is_elsewhere_is_left_to_others_until_its_deliveries_are_spent(tmp_path):
    """Each hand-back counts as a redelivery and leaves no file; the last delivery's outcome names the lack."""
    async with one_job(tmp_path, {"kind": "leaf"}, fleet=True, proxy="shop", max_redeliveries=2) as job:
        for delivery in (1, 2):
            shown, closable = await deliver(job.context, key=job.key, cancel=asyncio.Event())
            assert shown == {
                "outcome": "handed_back",
                "error_type": "unknown_proxy_pool",
                "delivery": delivery,
            }
            assert not closable
            assert quarry.lode.open(job.storage).runs() == []
            # At once: nobody waits for the lease to lapse.
            assert (await job.ledger.expire()).requeued == 1
        shown, closable = await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert (shown["outcome"], shown["error_type"]) == ("executor_crash", "unknown_proxy_pool")
        assert closable
        counts = await job.ledger.counts()
        assert (counts.failed, counts.redeliveries, counts.imbalances()) == (1, 2, [])
        assert quarry.lode.open(job.storage).verify() == []


@pytest.mark.clause("PROXY-11", "PROXY-23")
@pytest.mark.parametrize("params", [{"kind": "leaf"}, {"kind": "leaf", "key": {"$secret": "NOWHERE"}}])
async def test_on_one_machine_what_is_lacking_is_the_outcome_at_once(tmp_path, params):
    """There is nobody else who could have it."""
    proxy = None if "key" in params else "shop"
    async with one_job(tmp_path, params, proxy=proxy) as job:
        shown, closable = await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert shown["error_type"] == ("unknown_proxy_pool" if proxy else "unknown_secret")
        assert closable


@pytest.mark.clause("PROXY-11")
async def test_a_stopped_crawl_hands_nothing_back(tmp_path):
    """What is given back then is delivered to nobody any more."""
    async with one_job(tmp_path, {"kind": "leaf"}, fleet=True, proxy="shop") as job:
        await job.ledger.stop("asked")
        shown, _ = await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert shown["error_type"] == "unknown_proxy_pool"


class MovedOnce:
    """A runner whose first run stores a file while the storage is away; when it ends the storage is back."""

    def __init__(self, storage):
        self._storage = storage
        self._moved = False

    async def execute(self, spec, *, put_file, **kwargs):
        if not self._moved:
            self._moved = True
            away = self._storage.with_name("away")
            self._storage.rename(away)
            put_file("page.txt", "text/plain", b"stored, and durable")
            shutil.rmtree(self._storage)
            away.rename(self._storage)
        return await SingleShot().execute(spec, put_file=put_file, **kwargs)


@pytest.mark.clause("LODE-36")
@pytest.mark.parametrize("max_attempts", [1, 2])
async def test_storage_that_was_away_and_is_back_gets_no_record_of_a_file_that_is_gone(
    tmp_path, max_attempts
):
    """The run is not settled, is delivered again, and then all that its record names is there."""
    runner = MovedOnce(tmp_path / "data")
    async with one_job(tmp_path, {"kind": "leaf"}, runner=runner, max_attempts=max_attempts) as job:
        with pytest.raises(
            StoreError, match=r"page\.txt was written by run one-job and is not there"
        ) as caught:
            await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert caught.value.kind == "not_found"
        reader = quarry.lode.open(job.storage)
        assert (reader.runs(), reader.attempts()) == ([], [])
        assert (await job.ledger.counts()).leased == 1
        await job.lapse()
        shown, _ = await deliver(job.context, key=job.key, cancel=asyncio.Event())
        assert (shown["outcome"], shown["delivery"]) == ("success", 2)
        assert quarry.lode.open(job.storage).verify() == []


class NotingHashes(ScriptHashes):
    """Notes the threads that it is asked in."""

    def __init__(self):
        super().__init__()
        self.threads = []

    def sha256(self, path):
        self.threads.append(threading.current_thread())
        return super().sha256(path)


@pytest.mark.clause("RUN-46")
async def test_a_fleets_scripts_are_looked_for_off_the_event_loop(tmp_path):
    """A scripts root on a mount that hangs holds up one thread, not the heartbeat of every run."""
    async with one_job(tmp_path, {"kind": "leaf"}) as job:
        plan = msgspec.structs.replace(job.context.plan, fleet=True)
        hashes = NotingHashes()
        payload = JobPayload(target="fan.py", path="/elsewhere/fan.py", params={}, source="s", category="c")
        script = await LocalScripts().check(
            plan,
            payload,
            ledger=job.ledger,
            hashes=hashes,
            recorded={},
            threads=job.context.threads,
        )
        assert script.path == str(SCRIPT)
        assert script.sha256 == ScriptHashes().sha256(str(SCRIPT))
        assert threading.current_thread() not in hashes.threads


@pytest.mark.clause("RUN-08")
async def test_secrets_of_a_url_that_an_exception_quotes_are_in_no_log_and_no_outcome(tmp_path):
    """`run.finished` names the script's error without them; so does the record."""
    params = {"kind": "leaf", "url": "http://user:hunter2@127.0.0.1:9/?token=hunter2"}
    with structlog.testing.capture_logs() as logs:
        async with one_job(tmp_path, params) as job:
            shown, _ = await deliver(job.context, key=job.key, cancel=asyncio.Event())
            assert shown["outcome"] == "script_error"
            (record,) = quarry.lode.open(job.storage).runs()
    (finished,) = [line for line in logs if line["event"] == "run.finished"]
    assert finished["message"] == record.outcome.message
    assert "127.0.0.1:9/?token=***" in finished["message"]
    assert "hunter2" not in f"{logs} {record.outcome}"
