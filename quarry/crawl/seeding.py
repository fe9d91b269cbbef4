"""Seeding a crawl: roots into the ledger, in batches, under a hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from quarry.errors import ConfigError, LedgerMissingError
from quarry.redisio import RedisUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from quarry.scheduler import Bounds, CrawlRegistry, Ledger, NewJob, SeedAnswer

SeedBatch = tuple[int, int, "list[NewJob]", bool]
"""Offset before, offset after, jobs in order, whether it is the last."""

_POLL_S = 0.2

_FALLBACKS = 10
"""How often a seeding goes back to what Redis still knows before it gives up."""


async def seed_crawl(
    *,
    ledger: Ledger,
    registry: CrawlRegistry,
    crawl: str,
    seeder: str,
    bounds: Bounds,
    batches: Iterable[SeedBatch],
    again: Callable[[int], Iterable[SeedBatch]] | None = None,
    high_water: int | None = None,
    begun: asyncio.Event | None = None,
) -> None:
    """Admit the roots of a crawl, from its beginning or from where an earlier seeder died.

    Reading stops where ``--max-runs`` is met; what a stopped crawl is offered counts as unread. The crawl is
    in the registry before its first root is, so that workers look after it from the start. When this returns,
    all seeds are in the ledger durably: a Redis that fell back meanwhile is given again what it forgot.

    Args:
        ledger: Of the crawl.
        registry: Of the open crawls.
        crawl: Its id.
        seeder: Random name of this seeding; makes a repeated first batch recognisable.
        bounds: Of the crawl.
        batches: Of roots, in file order, from the ledger's offset on.
        again: Gives them anew from an offset; None where they can't be had again.
        high_water: Pending jobs at which this waits; runs never do. None waits for nothing.
        begun: Set when the first batch is in the ledger, durably.

    Raises:
        ConfigError: Another crawl of this id is in the ledger, or its seeding stands elsewhere than here.
        RedisUnavailableError: Redis stayed away, or keeps forgetting.
    """
    await registry.register(crawl)
    seeding = _Seeding(
        ledger, registry, crawl=crawl, seeder=seeder, bounds=bounds, high_water=high_water, begun=begun
    )
    for _ in range(_FALLBACKS):
        offset = await seeding.receive(batches)
        if offset is None:
            return
        if again is None:
            raise ConfigError(
                f"crawl {crawl}: Redis fell back to seed {offset}, and the seeds can't be read again"
            )
        structlog.get_logger("quarry.seed").warning("seeds.again", crawl=crawl, offset=offset)
        batches = again(offset)
    raise RedisUnavailableError(f"Redis lost seeds of crawl {crawl} {_FALLBACKS} times: see its disk and log")


class _Seeding:
    """One pass over the seeds, up to where Redis is found to have forgotten some."""

    def __init__(
        self,
        ledger: Ledger,
        registry: CrawlRegistry,
        *,
        crawl: str,
        seeder: str,
        bounds: Bounds,
        high_water: int | None,
        begun: asyncio.Event | None,
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._crawl = crawl
        self._seeder = seeder
        self._bounds = bounds
        self._high_water = high_water
        self._begun = begun

    async def receive(self, batches: Iterable[SeedBatch]) -> int | None:
        """Admit batch after batch; the offset to go back to, or None when all are in, durably."""
        first = True
        for start, end, jobs, final in batches:
            answer = await self._offer(start, end, jobs, final=final, wait=not first)
            if answer.status == "offset":
                return await self._fallen_back(start)
            if answer.status == "stopped":
                # Unread is what is offered before the close; after it there is nobody to tell.
                if answer.offset < end:
                    return None
                continue
            if first:
                # Again, now that the crawl is there: a worker may have found it in the registry without a
                # ledger, and taken it out.
                await self._registry.register(self._crawl)
            last = final or answer.capped
            if first or last:
                # Durable before it is announced: a rollback must forget neither that the crawl exists nor
                # that its seeds are in.
                offset = await self._make_durable(end)
                if offset is not None:
                    return offset
                first = False
                if self._begun is not None:
                    self._begun.set()
            if last:
                structlog.get_logger("quarry.seed").info(
                    "seeds.in",
                    crawl=self._crawl,
                    offset=answer.offset,
                    unread=answer.unread,
                    capped=answer.capped,
                )
                return None
        return None

    async def _offer(
        self, start: int, end: int, jobs: list[NewJob], *, final: bool, wait: bool
    ) -> SeedAnswer:
        if wait and self._high_water is not None:
            await _wait_below(self._ledger, self._high_water)
        answer = await self._ledger.seed(
            jobs, seeder=self._seeder, start=start, end=end, bounds=self._bounds, final=final
        )
        if answer.status == "exists":
            raise ConfigError(f"crawl {self._crawl} is in the ledger already; choose another --run-id")
        return answer

    async def _make_durable(self, end: int) -> int | None:
        """Wait until what was received is on disk; the offset to go back to where Redis forgot some of it."""
        try:
            await self._ledger.make_durable()
        except (RedisUnavailableError, LedgerMissingError):
            return await self._fallen_back(end)
        state = await self._ledger.state()
        return state.offset if state.offset < end else None

    async def _fallen_back(self, expected: int) -> int:
        """Read where a Redis that fell back stands.

        Raises:
            ConfigError: It did not fall back: another seeder is at work.
        """
        state = await self._ledger.state()
        if not state.exists:
            return 0
        if state.seeder != self._seeder or state.offset > expected:
            raise ConfigError(
                f"crawl {self._crawl}: its seeding stands at seed {state.offset}, not at {expected};"
                " another command goes on with it"
            )
        return state.offset


async def _wait_below(ledger: Ledger, high_water: int) -> None:
    """Wait until fewer jobs are pending; a crawl that was stopped is not waited for."""
    while True:
        counts = await ledger.counts()
        if counts.pending < high_water or not counts.seeding:
            return
        await asyncio.sleep(_POLL_S)
