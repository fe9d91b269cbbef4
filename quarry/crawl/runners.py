"""Which executor runs a crawl's runs: a shared pool of Quarry's own, or a foreign executor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from quarry.crawl.attempt import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from quarry.crawl.plan import CrawlPlan


class PooledRunner(Runner, Protocol):
    """An executor pool: a runner with a life of its own."""

    async def start(self) -> None:
        """Make ready for the first run."""
        ...

    async def close(self, grace_s: float) -> None:
        """End every executor process."""
        ...


class Runners:
    """One pool of Quarry's executors for each ``--resolve-from``; foreign executors as they are named.

    Args:
        make_pool: Makes the pool whose scripts import from the given folder.
        make_foreign: Makes the runner of an executor's path.
    """

    def __init__(
        self,
        *,
        make_pool: Callable[[str | None], PooledRunner],
        make_foreign: Callable[[str], Runner],
    ) -> None:
        self._make_pool = make_pool
        self._make_foreign = make_foreign
        self._pools: dict[str | None, PooledRunner] = {}
        self._folders: dict[str, str | None] = {}
        self._starting = asyncio.Lock()

    async def runner_for(self, plan: CrawlPlan) -> Runner:
        """Give what executes this crawl's runs; a pool is started on first use."""
        if plan.executor:
            return self._make_foreign(plan.executor)
        async with self._starting:
            self._folders[plan.crawl] = plan.resolve_from
            if plan.resolve_from not in self._pools:
                pool = self._make_pool(plan.resolve_from)
                await pool.start()
                self._pools[plan.resolve_from] = pool
        return self._pools[plan.resolve_from]

    async def keep_for(self, crawls: Collection[str]) -> None:
        """End the pools that only other crawls used; that of no folder, which most crawls share, stays warm.

        Args:
            crawls: Those that this process executes runs of, or may.
        """
        async with self._starting:
            self._folders = {crawl: self._folders[crawl] for crawl in crawls if crawl in self._folders}
            unused = set(self._pools) - set(self._folders.values()) - {None}
            ended = [self._pools.pop(folder) for folder in unused]
        for pool in ended:
            await pool.close(grace_s=0)

    async def close(self, grace_s: float) -> None:
        """End every executor process.

        Args:
            grace_s: Seconds that runs get to finish.
        """
        for pool in self._pools.values():
            await pool.close(grace_s)
        self._pools.clear()
