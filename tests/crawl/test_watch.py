"""A watcher notices that nothing changes because the storage is down."""

from __future__ import annotations

import asyncio

import pytest

from quarry.crawl.closing import Closing
from quarry.crawl.delivery import deliver
from quarry.crawl.watch import PROBES, Stall, Watch
from quarry.errors import LedgerImbalanceError, StoreError
from quarry.redisio import make_client
from quarry.types import Counts
from tests.crawl.single_job import one_job


class Notes:
    """A reporter that keeps what it was told."""

    def __init__(self):
        self.warnings = []

    def log_path(self, path): ...

    def progress(self, counts, elapsed_s, failures): ...

    def warning(self, text):
        self.warnings.append(text)

    def info(self, text): ...

    def finish(self): ...


@pytest.mark.clause("RUN-35")
def test_a_stall_is_noticed_after_its_time_and_then_again_and_again():
    """Any change of a counter begins the time anew."""
    stall = Stall(stall_s=20, probe_s=5)
    one, two = Counts(received=1), Counts(received=2)
    assert not stall.due(one, 0)
    assert not stall.due(one, 19.9)
    assert not stall.due(two, 19.95)
    assert not stall.due(two, 39.9)
    assert stall.due(two, 40)
    assert not stall.due(two, 44.9)
    assert stall.due(two, 45)


@pytest.mark.clause("RUN-35")
async def test_a_storage_that_is_down_ends_the_watch_with_its_own_words(tmp_path):
    """After so many failed tries, each of them told."""
    async with one_job(tmp_path, {"kind": "leaf"}) as job:
        root = job.storage / "datasets" / "quarry"
        root.rename(job.storage / "away")
        notes = Notes()
        watch = Watch(job.ledger, notes, context=job.context, stall=Stall(stall_s=0.01, probe_s=0.01))
        with pytest.raises(StoreError):
            await watch.wait_closed()
        assert len(notes.warnings) == PROBES
        assert str(root) in notes.warnings[0]


@pytest.mark.clause("RUN-35")
async def test_a_storage_that_works_is_no_reason_to_end(tmp_path):
    """A long run changes nothing for long either; the watch goes on until the crawl is closed."""

    async with one_job(tmp_path, {"kind": "leaf"}) as job:
        notes = Notes()
        watch = Watch(job.ledger, notes, context=job.context, stall=Stall(stall_s=0.01, probe_s=0.01))
        watching = asyncio.create_task(watch.wait_closed())
        done, _ = await asyncio.wait({watching}, timeout=1)
        assert not done
        await deliver(job.context, key=job.key, cancel=asyncio.Event())
        summary = await watching
        assert summary["fanout"]["succeeded"] == 1
        assert notes.warnings == []


async def close_without_summary(job):
    """Close the ledger of an executed crawl, and die before the summary."""
    await deliver(job.context, key=job.key, cancel=asyncio.Event())
    lease = await job.ledger.begin_close("closer", 1)
    assert await job.ledger.close("closer", lease.revision, expire_after_ms=3_600_000) == "ok"


@pytest.mark.clause("RUN-31")
async def test_an_imbalance_is_shown_to_a_watcher_that_does_not_see_the_storage(tmp_path):
    """It is no end like another: the equation that does not hold is named."""
    async with one_job(tmp_path, {"kind": "leaf"}) as job:
        await close_without_summary(job)
        client = make_client(job.server.url)
        await client.hincrby(f"q:{{{job.ledger.crawl}}}:n", "duplicate", 1)
        await client.aclose()
        with pytest.raises(LedgerImbalanceError, match="does not balance: received"):
            await Watch(job.ledger, Notes(), context=None).wait_closed()


@pytest.mark.clause("RUN-31")
async def test_a_close_that_nobody_announces_is_no_end_to_a_watcher_without_the_storage(tmp_path):
    """The closer died, or records and ledger disagree; once it is announced it is an end."""
    async with one_job(tmp_path, {"kind": "leaf"}) as job:
        await close_without_summary(job)
        with pytest.raises(StoreError, match="not announced"):
            await Watch(job.ledger, Notes(), context=None, unannounced_ms=50).wait_closed()
        assert await Closing(job.context).try_close()
        assert await Watch(job.ledger, Notes(), context=None, unannounced_ms=50).wait_closed() == {}
