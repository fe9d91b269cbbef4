"""A deploy: a worker is told to end, and what it cannot finish is run by another."""

from __future__ import annotations

import asyncio
import time

import pytest

import quarry.lode
from tests.workers.kit import Crawl, wait_for


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("FLEET-07")
async def test_what_the_grace_cuts_is_delivered_again_elsewhere(tmp_path, broker, start_worker):
    """TERM with a run longer than the grace: the run is cut, another worker runs it, and the crawl is exact."""
    crawl = Crawl(tmp_path, broker.url)
    first = start_worker(tmp_path, broker.url, "-c", "4", QUARRY_WORKER_GRACE="1s").wait_ready()
    await crawl.seed(4, lease_ms=15_000)
    wait_for(lambda: len(crawl.noted("started")) == 4, "four runs at the first worker")
    first.term()
    assert await asyncio.to_thread(first.process.wait, 150) == 0, first.text()
    assert [line["count"] for line in first.logged("pool.deliveries_cut")] == [4]
    crawl.open()
    second = start_worker(tmp_path, broker.url, "-c", "4").wait_ready()
    deadline = time.monotonic() + 200
    while (counts := await crawl.counts()).succeeded < 4:
        assert time.monotonic() < deadline, (counts, second.text()[-2000:])
        await asyncio.sleep(0.05)
    assert counts.imbalances() == []
    assert (counts.admitted, counts.failed, counts.pending, counts.leased) == (4, 0, 0, 0)
    reader = quarry.lode.open(crawl.storage)
    assert len(reader.runs()) == 4
    assert reader.scan(event_type="item").num_rows == 4
    assert len(crawl.noted("started")) == 8


@pytest.mark.clause("FLEET-07")
async def test_a_run_within_the_grace_is_finished(tmp_path, broker, start_worker):
    """TERM, then the run ends by itself: it is committed by the worker that had it, and the worker exits 0."""
    crawl = Crawl(tmp_path, broker.url)
    worker = start_worker(tmp_path, broker.url, "-c", "2", QUARRY_WORKER_GRACE="60s").wait_ready()
    await crawl.seed(1)
    wait_for(lambda: crawl.noted("started"), "the run")
    worker.term()
    wait_for(lambda: "Warm shutdown" in worker.text() or worker.process.poll() is None, "the signal")
    crawl.open()
    assert await asyncio.to_thread(worker.process.wait, 150) == 0, worker.text()
    assert len(crawl.noted("started")) == len(crawl.noted("done")) == 1
    counts = await crawl.counts()
    assert (counts.succeeded, counts.redeliveries) == (1, 0)
