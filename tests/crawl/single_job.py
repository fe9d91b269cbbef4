"""A crawl of one job in a private Redis, for tests that drive its ledger by hand."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.crawl.attempt import Tools
from quarry.crawl.children import make_job
from quarry.crawl.delivery import CrawlContext
from quarry.crawl.heartbeat import Heartbeat
from quarry.crawl.plan import CrawlPlan, JobPayload, encode
from quarry.crawl.scripts import ScriptHashes
from quarry.crawl.seeding import seed_crawl
from quarry.crawl.threads import Threads
from quarry.engine.server import PrivateServer
from quarry.lode import Dataset
from quarry.redisio import make_client
from quarry.runtime import SingleShot
from quarry.scheduler import Bounds, CrawlRegistry, Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CRAWL = "one-job"
SCRIPT = Path(__file__).parent.parent / "e2e" / "scripts" / "fan.py"


@dataclass
class OneJob:
    """The crawl, and what a delivery of its job needs."""

    folder: Path
    storage: Path
    server: PrivateServer
    ledger: Ledger
    key: str
    context: CrawlContext

    async def lapse(self) -> None:
        """Let the lease of a delivery that runs end, as if its worker had not beaten for a minute."""
        await self.ledger.abandon()
        answer = await self.ledger.expire()
        assert answer.requeued == 1


@asynccontextmanager
async def one_job(
    folder: Path,
    params: dict[str, Any],
    *,
    runner: Any = None,
    max_attempts: int = 1,
    max_redeliveries: int = 3,
    fleet: bool = False,
    proxy: str | None = None,
) -> AsyncIterator[OneJob]:
    """Seed a crawl of one job; nothing executes it but the test.

    Args:
        folder: For all files.
        params: Of the job.
        runner: What executes it; by default Quarry's own executor.
        max_attempts: Its attempts.
        max_redeliveries: Its deliveries after the first.
        fleet: Whether it is one of many machines.
        proxy: Its pool, which this machine does not have.
    """
    server = PrivateServer(folder / "redis")
    server.start()
    client = make_client(server.url)
    ledger = Ledger(client, CRAWL)
    storage = folder / "data"
    plan = CrawlPlan(
        crawl=CRAWL,
        day="2026-01-02",
        started_at=time.time(),
        storage_path=str(storage),
        dataset="quarry",
        policy="strict",
        timeout_ms=60_000,
        scripts_root=str(SCRIPT.parent),
        cwd=str(folder),
        fleet=fleet,
        bounds={"max_redeliveries": max_redeliveries},
    )
    payload = JobPayload(
        target="fan.py", path=str(SCRIPT), params=params, source="s", category="c", run_id=CRAWL, proxy=proxy
    )
    job = make_job(payload, depth=0)
    bounds = Bounds(
        depth=1,
        max_runs=10,
        parallel=1,
        max_attempts=max_attempts,
        max_redeliveries=max_redeliveries,
        config=encode(plan),
    )
    await seed_crawl(
        ledger=ledger,
        registry=CrawlRegistry(client),
        crawl=CRAWL,
        seeder="test",
        bounds=bounds,
        batches=[(0, 1, [job], True)],
    )
    threads = Threads(4)
    dataset = Dataset.create(storage)
    if fleet:
        dataset.put_marker(plan.day, CRAWL)
    tools = Tools(
        dataset=dataset,
        runner=runner or SingleShot(),
        threads=threads,
        hashes=ScriptHashes(),
    )
    context = CrawlContext(plan=plan, ledger=ledger, tools=tools, heartbeat=Heartbeat(lambda _: ledger))
    try:
        yield OneJob(folder, storage, server, ledger, job.key, context)
    finally:
        threads.close()
        await client.aclose()
        await asyncio.to_thread(server.stop)
