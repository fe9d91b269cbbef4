"""Begins a crawl with the code that PYTHONPATH names: the release before this one has no ``quarry run --broker``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import quarry
from quarry.crawl.children import make_job
from quarry.crawl.plan import CrawlPlan, JobPayload, encode
from quarry.crawl.seeding import seed_crawl
from quarry.redisio import make_client
from quarry.scheduler import Bounds, CrawlRegistry, Ledger


async def main(asked: dict) -> None:
    """Seed it; the environment names the broker, standard input all else."""
    script = asked["script"]
    root = os.path.dirname(script)
    plan = CrawlPlan(
        crawl=asked["crawl"],
        day=time.strftime("%Y-%m-%d", time.gmtime()),
        started_at=time.time(),
        storage_path=asked["storage"],
        dataset="quarry",
        policy="strict",
        timeout_ms=120_000,
        scripts_root=root,
        cwd=root,
    )
    job = JobPayload(
        target=os.path.basename(script),
        path=script,
        params=asked["params"],
        source="walk",
        category="default",
        run_id=asked["crawl"],
    )
    bounds = Bounds(**asked["bounds"], depth=None, max_runs=None, config=encode(plan))
    client = make_client(os.environ["QUARRY_BROKER"])
    try:
        await seed_crawl(
            ledger=Ledger(client, plan.crawl),
            registry=CrawlRegistry(client),
            crawl=plan.crawl,
            seeder="old",
            bounds=bounds,
            batches=[(0, 1, [make_job(job, depth=0)], True)],
        )
    finally:
        await client.aclose()
    print(quarry.__file__)


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
