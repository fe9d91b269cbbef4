"""What a process of these tests does: seed a crawl, work on it, look after it, stop it, see it to its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import redis

import quarry.scheduler.crawl
from quarry.crawl.children import make_job
from quarry.crawl.plan import CrawlPlan, JobPayload, encode
from quarry.crawl.seeding import seed_crawl
from quarry.lode import Dataset
from quarry.redisio import make_client
from quarry.scheduler import Bounds, CrawlRegistry, Ledger
from quarry.wiring import make_deliverer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quarry.crawl.service import WorkerService

QUEUE = "quarry"
SEEDS_A_BATCH = 2
_ROUNDS = 8


class Job:
    """The crawl that a process is told of.

    Args:
        told: ``url`` and ``socket`` of the server, ``plan``, ``bounds``, ``roots`` (params, in order).
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self.url: str = told["url"]
        self.plan = CrawlPlan(**told["plan"])
        self.roots: list[dict[str, Any]] = told["roots"]
        self.bounds = Bounds(**told["bounds"], config=encode(self.plan))
        self.dead = told.get("dead")
        self.broker = redis.Redis(unix_socket_path=told["socket"])

    @property
    def crawl(self) -> str:
        return self.plan.crawl

    def next_message(self) -> str | None:
        """Take the oldest message, as the broker's client would; the job key in it."""
        text = self.broker.rpop(QUEUE)
        if text is None:
            return None
        _, key = json.loads(json.loads(text)["body"])[0]
        return str(key)


async def seed(job: Job) -> None:
    """Admit the roots, two a batch."""
    client = make_client(job.url)
    payloads = [
        JobPayload(
            target="says.py",
            path=f"{job.plan.scripts_root}/says.py",
            params=params,
            source="shop",
            category="default",
        )
        for params in job.roots
    ]
    batches = []
    for start in range(0, len(payloads), SEEDS_A_BATCH):
        part = payloads[start : start + SEEDS_A_BATCH]
        end = start + len(part)
        batches.append((start, end, [make_job(p, depth=0) for p in part], end == len(payloads)))
    try:
        await seed_crawl(
            ledger=Ledger(client, job.crawl),
            registry=CrawlRegistry(client),
            crawl=job.crawl,
            seeder="s",
            bounds=job.bounds,
            batches=batches,
            again=lambda offset: [batch for batch in batches if batch[0] >= offset],
        )
    finally:
        await client.aclose()


async def seed_and_finish(job: Job) -> None:
    """Seed the crawl again, as its user would who goes on with it, and see it to its end."""
    await seed(job)
    await finish(job)


async def work(job: Job) -> None:
    """Deliver what the messages say, until there is none left; the last delivery closes the crawl."""
    await _as_worker(job, _deliver_all)


async def finish(job: Job) -> None:
    """See the crawl to its end: rounds of the reaper and deliveries until it is closed and announced.

    It gives up after so many rounds: what still holds a lease then has to lapse, and the test looks anyway.
    """
    await _as_worker(job, _finish)


async def stop(job: Job, *, now: bool = False) -> None:
    """Stop the crawl, one pending job a step."""
    client = make_client(job.url)
    quarry.scheduler.crawl.MAX_BATCH = 1
    try:
        await Ledger(client, job.crawl).stop(now=now)
    finally:
        await client.aclose()


async def stop_now(job: Job) -> None:
    """Stop the crawl and end what executes too."""
    await stop(job, now=True)


async def stop_now_and_finish(job: Job) -> None:
    """Stop the crawl again, as its user would, and see it to its end."""
    await stop_now(job)
    await finish(job)


async def stop_and_finish(job: Job) -> None:
    """Stop the crawl again, as its user would, and see it to its end."""
    await stop(job)
    await finish(job)


async def _as_worker(job: Job, what: Callable[[WorkerService, Job], Awaitable[Any]]) -> None:
    service = make_deliverer(job.url, 1)
    try:
        await what(service, job)
    finally:
        await service.stop(0)


async def _deliver_all(service: WorkerService, job: Job) -> None:
    while key := job.next_message():
        await service.deliver(job.crawl, key)


async def _finish(service: WorkerService, job: Job) -> None:
    client = make_client(job.url)
    ledger = Ledger(client, job.crawl)
    dataset = Dataset.at(job.plan.storage_path)
    try:
        for _ in range(_ROUNDS):
            await service._reap(job.crawl)
            await _deliver_all(service, job)
            state = await ledger.state()
            if state.announced and dataset.get_summary(job.plan.day, job.crawl):
                return
    finally:
        await client.aclose()


BODIES: dict[str, Callable[[Job], Awaitable[None]]] = {
    "seed": seed,
    "seed_and_finish": seed_and_finish,
    "work": work,
    "finish": finish,
    "stop": stop,
    "stop_and_finish": stop_and_finish,
    "stop_now": stop_now,
    "stop_now_and_finish": stop_now_and_finish,
}
