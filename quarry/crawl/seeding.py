"""Seeding a crawl: roots into the ledger, in batches, under a hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from quarry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.scheduler import Bounds, CrawlRegistry, Ledger, NewJob

SeedBatch = tuple[int, int, "list[NewJob]", bool]
"""Offset before, offset after, jobs in order, whether it is the last."""


async def seed_crawl(
    *,
    ledger: Ledger,
    registry: CrawlRegistry,
    crawl: str,
    seeder: str,
    bounds: Bounds,
    batches: Iterable[SeedBatch],
) -> None:
    """Admit the roots of a crawl.

    Reading stops where ``--max-runs`` is met; what a stopped crawl is offered counts as unread. The crawl is
    in the registry before its first root is, so that workers look after it from the start.

    Args:
        ledger: Of the crawl.
        registry: Of the open crawls.
        crawl: Its id.
        seeder: Random name of this seeder; makes a repeated first batch recognisable.
        bounds: Of the crawl.
        batches: Of roots, in file order.

    Raises:
        ConfigError: Another crawl of this id is in the ledger.
    """
    log = structlog.get_logger("quarry.seed").bind(crawl=crawl)
    await registry.register(crawl)
    first = True
    for start, end, jobs, final in batches:
        answer = await ledger.seed(jobs, seeder=seeder, start=start, end=end, bounds=bounds, final=final)
        if answer.status == "exists":
            raise ConfigError(f"crawl {crawl} is in the ledger already; choose another --run-id")
        if first:
            # Seeding is durable before it is announced: a rollback must not forget that the crawl exists.
            await ledger.make_durable()
            first = False
        if answer.capped:
            log.info("seeds.cap_met", offset=answer.offset, unread=answer.unread)
            return
