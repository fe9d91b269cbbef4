"""Seeding a crawl: roots into the ledger, in batches, under a hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.scheduler import Bounds, CrawlRegistry, Ledger, NewJob

SeedBatch = tuple[int, int, "list[NewJob]", bool]
"""Offset before, offset after, jobs in order, whether it is the last."""

_POLL_S = 0.2


async def seed_crawl(
    *,
    ledger: Ledger,
    registry: CrawlRegistry,
    crawl: str,
    seeder: str,
    bounds: Bounds,
    batches: Iterable[SeedBatch],
    high_water: int | None = None,
    begun: asyncio.Event | None = None,
) -> None:
    """Admit the roots of a crawl, from its beginning or from where an earlier seeder died.

    Reading stops where ``--max-runs`` is met; what a stopped crawl is offered counts as unread. The crawl is
    in the registry before its first root is, so that workers look after it from the start.

    Args:
        ledger: Of the crawl.
        registry: Of the open crawls.
        crawl: Its id.
        seeder: Random name of this seeding; makes a repeated first batch recognisable.
        bounds: Of the crawl.
        batches: Of roots, in file order, from the ledger's offset on.
        high_water: Pending jobs at which this waits; runs never do. None waits for nothing.
        begun: Set when the first batch is in the ledger, durably.

    Raises:
        ConfigError: Another crawl of this id is in the ledger, or its seeding stands elsewhere than here.
    """
    log = structlog.get_logger("quarry.seed").bind(crawl=crawl)
    await registry.register(crawl)
    first = True
    for start, end, jobs, final in batches:
        if not first and high_water is not None:
            await _wait_below(ledger, high_water)
        answer = await ledger.seed(jobs, seeder=seeder, start=start, end=end, bounds=bounds, final=final)
        if answer.status == "exists":
            raise ConfigError(f"crawl {crawl} is in the ledger already; choose another --run-id")
        if answer.status == "offset":
            raise ConfigError(
                f"crawl {crawl}: its seeding stands at seed {answer.offset}, not at {start}; another"
                " command goes on"
                " with it"
            )
        if first:
            # Seeding is durable before it is announced: a rollback must not forget that the crawl exists.
            await ledger.make_durable()
            first = False
            if begun is not None:
                begun.set()
        if answer.capped:
            log.info("seeds.cap_met", offset=answer.offset, unread=answer.unread)
            return


async def _wait_below(ledger: Ledger, high_water: int) -> None:
    """Wait until fewer jobs are pending; a crawl that was stopped is not waited for."""
    while True:
        counts = await ledger.counts()
        if counts.pending < high_water or not counts.seeding:
            return
        await asyncio.sleep(_POLL_S)
