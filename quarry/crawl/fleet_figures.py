"""What a Redis says of its crawls, its lists and itself, for those who watch a fleet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from quarry.crawl.observe import CrawlView, read_crawl
from quarry.errors import QuarryError, SchedulerError
from quarry.metrics import CrawlFigures, FleetFigures, PoolUse
from quarry.recency import RedisRecency, recency_scripts
from quarry.redisio import (
    RedisRefusedError,
    RedisUnavailableError,
    Retrier,
    make_client,
    read_server_info,
)
from quarry.scheduler import CrawlRegistry, Ledger, ledger_scripts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from quarry.redisio import RedisClient

QUEUES = ("quarry", "quarry.browser")
"""The broker's lists, by profile."""

MAX_ENDED = 100
"""Ended crawls that are shown, the latest: a metric lives as long as its label, and labels cost memory."""

TIMEOUT_S = 5.0
"""Seconds that one look may take; Prometheus gives up after ten."""

MAX_POOLS = 100
"""Definitions of proxy pools that are shown, the latest: each change of a list makes another."""

_AT_ONCE = 16


class FleetReader:
    """Looks at a Redis, each time on connections of its own; nothing is kept open in between.

    Args:
        broker: Address of the Redis that holds broker and ledgers.
        queues: Names of the broker's lists.
        max_ended: Ended crawls to read, the latest.
        timeout_s: Seconds that one look may take.

    Attributes:
        problem: Why the last look failed, without secrets; None where it did not.
    """

    def __init__(
        self,
        broker: str,
        *,
        queues: Sequence[str] = QUEUES,
        max_ended: int = MAX_ENDED,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.problem: str | None = None
        self._broker = broker
        self._queues = tuple(queues)
        self._max_ended = max_ended
        self._timeout_s = timeout_s
        self._scripts = ledger_scripts()
        self._pool_scripts = recency_scripts()
        self._ended: dict[str, CrawlView] = {}

    def read_blocking(self) -> FleetFigures | None:
        """Look once, from a thread without an event loop; None where Redis is away."""
        return asyncio.run(self.read())

    async def read(self) -> FleetFigures | None:
        """Look once; None where Redis does not answer, refuses, or is too slow."""
        client = make_client(self._broker)
        try:
            async with asyncio.timeout(self._timeout_s):
                figures = await self._read(client)
        except TimeoutError:
            self.problem = f"Redis took longer than {self._timeout_s:g} s"
        except QuarryError as error:
            self.problem = error.message
        else:
            self.problem = None
            return figures
        finally:
            await client.aclose()
        return None

    async def _read(self, client: RedisClient) -> FleetFigures:
        retrier = Retrier(0)  # who asks again is Prometheus
        registry = CrawlRegistry(client, retrier=retrier)
        info = await retrier.run(lambda: read_server_info(client))
        open_ones = await registry.crawls()
        ended = [crawl for crawl in await registry.all_crawls() if crawl not in set(open_ones)]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def read_one(crawl: str) -> CrawlView | SchedulerError | None:
            async with gate:
                ledger = Ledger(client, crawl, scripts=self._scripts, retrier=retrier)
                try:
                    return await read_crawl(ledger)
                except RedisUnavailableError:
                    raise
                except (
                    SchedulerError
                ) as error:  # one that a newer Quarry began, or a foreign key of that name
                    return error

        wanted = [*open_ones, *ended[: self._max_ended]]
        known = {
            crawl: self._ended[crawl] for crawl in wanted if crawl in self._ended and crawl in set(ended)
        }
        fresh = [crawl for crawl in wanted if crawl not in known]
        found = dict(zip(fresh, await asyncio.gather(*map(read_one, fresh)), strict=True))
        views = [*known.values(), *(view for view in found.values() if isinstance(view, CrawlView))]
        # Nothing of an ended crawl changes any more.
        self._ended = {view.crawl: view for view in views if view.crawl in set(ended)}
        pools, pools_unreadable = await self._read_pools(client, retrier)
        return FleetFigures(
            pools=pools,
            pools_unreadable=pools_unreadable,
            crawls=[_figures(view) for view in views],
            unreadable=sum(isinstance(view, SchedulerError) for view in found.values()),
            queues={name: await _length(client, retrier, name) for name in self._queues},
            memory_bytes=info.used_memory_bytes,
            evicts_keys=info.evicts_keys,
            append_only=info.aof,
        )

    async def _read_pools(self, client: RedisClient, retrier: Retrier) -> tuple[list[PoolUse], int]:
        """Read the proxy pools; one that can't be read hides neither the others nor the crawls."""
        store = RedisRecency(client, scripts=self._pool_scripts, retrier=retrier)
        try:
            definitions = await store.definitions()
        except RedisRefusedError:
            return [], 1
        pools, unreadable = [], 0
        for definition in sorted(definitions, key=lambda each: each.last_ms, reverse=True)[:MAX_POOLS]:
            try:
                totals = await store.totals(definition)
            except RedisRefusedError:
                unreadable += 1
                continue
            pools.append(
                PoolUse(
                    pool=definition.name,
                    digest=definition.digest,
                    endpoints=definition.size,
                    choices=totals.choices,
                    resting=totals.resting,
                )
            )
        return pools, unreadable


async def _length(client: RedisClient, retrier: Retrier, name: str) -> int:
    return int(await retrier.run(lambda: cast("Awaitable[Any]", client.llen(name))))


def _figures(view: CrawlView) -> CrawlFigures:
    return CrawlFigures(
        crawl=view.crawl,
        status=view.state.status,
        counts=view.counts,
        parallel=view.state.parallel,
        created_ms=view.state.created_ms,
        closed_ms=view.state.closed_ms,
    )
