"""A watcher notices that nothing changes because the storage is down."""

from __future__ import annotations

import pytest

from quarry.crawl.delivery import deliver
from quarry.crawl.watch import PROBES, Stall, Watch
from quarry.errors import StoreError
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
    import asyncio

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
