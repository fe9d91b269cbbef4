"""Pools in the memory of one process: for a command without a crawl, for tests, and for looking ahead."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING

from quarry.recency.state import PoolState
from quarry.types.rotation import Definition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quarry.types.proxy import ProxyPool
    from quarry.types.rotation import Ask, Choice, PoolFigures, ProxyReport, Verdict


class MemoryRecency:
    """A `RecencyStore` that nobody else sees. Calls don't wait, so each is atomic for one event loop.

    Args:
        clock_ms: Unix milliseconds.
    """

    def __init__(self, clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._clock_ms = clock_ms
        self._states: dict[tuple[str, str], PoolState] = {}
        self._definitions: dict[tuple[str, str], Definition] = {}

    async def announce(self, pool: ProxyPool) -> list[Definition]:
        """Note that a definition is in use; answer as `definitions` does."""
        self._definitions[pool.name, pool.digest] = Definition(
            name=pool.name,
            digest=pool.digest,
            last_ms=self._clock_ms(),
            size=len(pool.endpoints),
            strategy=pool.strategy,
        )
        return await self.definitions()

    async def definitions(self) -> list[Definition]:
        """List the definitions in use, by name, then digest."""
        return [self._definitions[key] for key in sorted(self._definitions)]

    async def choose(self, pool: ProxyPool, ask: Ask) -> Choice:
        """Exclude, pick and mark one endpoint."""
        return self._state(pool).choose(ask, self._clock_ms())

    async def peek(self, pool: ProxyPool, asks: Sequence[Ask]) -> list[Choice]:
        """Answer what `choose` would, to these questions in this order; mark nothing."""
        ahead = copy.deepcopy(self._state(pool))
        return [ahead.choose(ask, self._clock_ms()) for ask in asks]

    async def report(self, pool: ProxyPool, report: ProxyReport) -> Verdict:
        """Count what a run found out, and let the endpoint rest where it must."""
        return self._state(pool).report(report, self._clock_ms())

    async def figures(self, pool: ProxyPool) -> PoolFigures:
        """Read everything that is known of a pool."""
        return self._state(pool).figures(self._clock_ms())

    def _state(self, pool: ProxyPool) -> PoolState:
        state = self._states.get((pool.name, pool.digest))
        if state is None:
            state = self._states[pool.name, pool.digest] = PoolState(pool)
        state.pool = pool  # passwords and health are in no digest, and may change
        return state
