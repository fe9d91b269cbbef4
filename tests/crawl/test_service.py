"""What a worker's service makes of a delivery."""

from __future__ import annotations

import asyncio
import time

import pytest
import structlog

import quarry.lode
from quarry.crawl.local_scripts import LocalScripts
from quarry.crawl.runners import Runners
from quarry.crawl.service import WorkerService
from quarry.crawl.threads import Threads
from quarry.redisio import make_client
from quarry.runtime import ExecutorPool
from quarry.scheduler import CrawlRegistry
from tests.crawl.single_job import CRAWL, one_job


@pytest.mark.clause("PROXY-11")
async def test_a_slot_rests_after_a_job_that_was_handed_back(tmp_path):
    """A worker without the pool must not take all messages as fast as it can; its end is not waited for."""
    async with one_job(tmp_path, {"kind": "leaf"}, fleet=True, proxy="shop") as job:
        client = make_client(job.server.url)
        service = WorkerService(
            registry=CrawlRegistry(client),
            ledger_of=lambda _: job.ledger,
            runners=Runners(
                make_pool=lambda folder: ExecutorPool(capacity=1, processes=1, resolve_from=folder),
                make_foreign=pytest.fail,
            ),
            threads=Threads(4),
            scripts=LocalScripts(),
            close_client=client.aclose,
        )
        began = time.monotonic()
        shown = await service.deliver(CRAWL, job.key)
        assert shown["outcome"] == "handed_back"
        assert time.monotonic() - began >= 5
        assert (await job.ledger.expire()).requeued == 1
        resting = asyncio.create_task(service.deliver(CRAWL, job.key))
        async with asyncio.timeout(60):
            while (await job.ledger.expire()).requeued == 0:
                await asyncio.sleep(0.01)
        await service.stop(grace_s=0)
        assert (await resting)["outcome"] == "handed_back"


@pytest.mark.clause("METRICS-02")
async def test_a_close_that_fails_leaves_the_last_run_committed(tmp_path):
    """It is logged; the run stays a success, and the crawl is closed once its summary can be stored."""
    async with one_job(tmp_path, {"kind": "leaf"}) as job:
        client = make_client(job.server.url)
        service = WorkerService(
            registry=CrawlRegistry(client),
            ledger_of=lambda _: job.ledger,
            runners=Runners(
                make_pool=lambda folder: ExecutorPool(capacity=1, processes=1, resolve_from=folder),
                make_foreign=pytest.fail,
            ),
            threads=Threads(4),
            scripts=LocalScripts(),
            close_client=client.aclose,
        )
        blocked = job.storage / "datasets" / "quarry" / "crawls"
        blocked.write_text("no folder can be made here")
        with structlog.testing.capture_logs() as logs:
            shown = await service.deliver(CRAWL, job.key)
        assert (shown["outcome"], shown["how"]) == ("success", "committed")
        assert [line["crawl"] for line in logs if line["event"] == "crawl.close_failed"] == [CRAWL]
        blocked.unlink()
        await service.start()
        async with asyncio.timeout(120):
            while not list(blocked.glob("day=*/crawl=*/summary.json")):
                await asyncio.sleep(0.05)
        await service.stop(grace_s=0)
        assert quarry.lode.open(job.storage).verify() == []
