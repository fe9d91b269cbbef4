"""Seeding and watching a crawl at once, until it is closed or the command must leave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from quarry.crawl.seeding import seed_crawl

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from quarry.crawl.plan import CrawlPlan
    from quarry.crawl.roots import Roots
    from quarry.scheduler import Bounds, CrawlRegistry, Ledger


class Seeding:
    """The seeding of one crawl, as a task beside its watching.

    Args:
        plan: The crawl.
        roots: Its roots.
        ledger: Its ledger.
        registry: Of the open crawls.
        bounds: Of the crawl; only a beginning needs them.
        high_water: Pending jobs at which it waits.
        start: Seeds that the ledger has received.
    """

    def __init__(
        self,
        *,
        plan: CrawlPlan,
        roots: Roots,
        ledger: Ledger,
        registry: CrawlRegistry,
        bounds: Bounds,
        high_water: int,
        start: int = 0,
    ) -> None:
        self._begun = asyncio.Event()
        self.task = asyncio.create_task(
            seed_crawl(
                ledger=ledger,
                registry=registry,
                crawl=plan.crawl,
                seeder=roots.seeder,
                bounds=bounds,
                batches=roots.batches(plan, start=start),
                again=lambda offset: roots.batches(plan, start=offset),
                high_water=high_water,
                begun=self._begun,
            )
        )

    async def begun(self) -> None:
        """Wait until the crawl is in the ledger, durably.

        Raises:
            QuarryError: It could not be seeded.
        """
        begun = asyncio.create_task(self._begun.wait())
        await asyncio.wait({begun, self.task}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self.task.done():
            self.task.result()

    async def end(self) -> None:
        """End it where it is; when this returns, nothing more of it reaches the ledger."""
        while not self.task.done():  # redis-py swallows a cancellation while it connects
            self.task.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(self.task, return_exceptions=True)


async def first_of(*, ending: list[Coroutine[Any, Any, Any]], beside: list[asyncio.Task[Any]]) -> Any:
    """Run coroutines until one of them returns, or anything raises; then end all of them.

    Args:
        ending: Coroutines whose first return ends it.
        beside: Tasks whose return does not, whose error does; left running where that is not so.

    Returns:
        What the first of ``ending`` gave.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in ending]
    waiting: set[asyncio.Task[Any]] = {*tasks, *beside}
    try:
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in (*tasks, *beside):  # in the order given: a close and an error at once is a close
                if task in done and (task in tasks or task.exception() is not None):
                    return _result(task)
    finally:
        for task in (*tasks, *beside):
            task.cancel()
        await asyncio.gather(*tasks, *beside, return_exceptions=True)


def _result(task: asyncio.Task[Any]) -> Any:
    """Give a task's result; an error comes out of the group that held it."""
    error = task.exception()
    if isinstance(error, BaseExceptionGroup):
        raise error.exceptions[0]
    return task.result()
