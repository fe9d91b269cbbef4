"""What a definition's state says without its endpoints."""

from __future__ import annotations

import asyncio

import pytest

from quarry.recency import RedisRecency
from quarry.redisio import make_client
from quarry.testing.recency import make_pool
from quarry.types.proxy import Health
from quarry.types.rotation import Ask, ProxyReport


@pytest.mark.clause("METRICS-19")
def test_totals_are_those_of_the_figures_and_need_no_pool(server):
    """Choices, and the endpoints that nobody gets now; of a definition that nobody used, nothing."""

    async def work():
        now = 1_700_000_000_000
        client = make_client(server.url)
        await client.flushall()
        store = RedisRecency(client, clock_ms=lambda: now)
        pool = make_pool(4, health=Health(failures=1, rest_ms=1000, max_rest_ms=1000, trial_ms=500))
        try:
            await store.announce(pool)
            (definition,) = await store.definitions()
            seen = [await store.totals(definition)]
            for _ in range(5):
                choice = await store.choose(pool, Ask(order="next"))
            await store.report(pool, ProxyReport(index=choice.index, number=choice.number, failed=1))
            seen.append(await store.totals(definition))
            assert seen[-1].choices == (await store.figures(pool)).choices
            now += 1000
            return [*seen, await store.totals(definition)]
        finally:
            await client.aclose()

    unused, resting, over = asyncio.run(work())
    assert (unused.choices, unused.resting) == (0, 0)
    assert (resting.choices, resting.resting) == (5, 1)
    assert (over.choices, over.resting) == (5, 0)
