"""What a pool leaves in Redis, and what a choice costs there."""

from __future__ import annotations

import pytest

from quarry.recency import RedisRecency
from quarry.redisio import make_client
from quarry.testing import make_pool
from quarry.types.proxy import Health, Sticky
from quarry.types.rotation import KEEP_MS, Ask, ProxyReport


async def _commands(client, call) -> int:
    """Commands that the server executed for a call, those inside of scripts counted."""
    await client.config_resetstat()
    await call()
    stats = await client.info("commandstats")
    return sum(entry["calls"] for name, entry in stats.items() if "config" not in name)


@pytest.mark.clause("PROXY-12")
async def test_every_key_has_the_pools_tag_and_an_end(server):
    """A pool with all there is: a window, rests, bans, sticky keys; nothing of it is kept for ever."""
    client = make_client(server.url)
    await client.flushall()
    store = RedisRecency(client)
    random = make_pool(5, name="a", strategy="random", window=2, health=Health(failures=1))
    sticky = make_pool(5, name="b", strategy="sticky", sticky=Sticky(ttl_ms=5000))
    for pool in (random, sticky):
        await store.announce(pool)
    for dice in range(0, 2**32, 2**27):
        choice = await store.choose(random, Ask(order="random", window=2, dice=dice))
        told = ProxyReport(
            index=choice.index, number=choice.number, failed=int(choice.index < 2), banned="x.example", dice=9
        )
        await store.report(random, told)
        await store.choose(sticky, Ask(order="next", sticky=f"k{dice}", sticky_ttl_ms=5000))
    seen = set()
    for raw in await client.keys("*"):
        key = raw.decode()
        assert 0 < await client.pttl(key) <= KEEP_MS
        if key != "quarry:proxies":
            pool = random if ":{a:" in key else sticky
            assert key.startswith(f"quarry:proxy:{{{pool.name}:{pool.digest}}}:")
            seen.add(key.rsplit(":", 1)[1])
    assert {"meta", "out", "lru", "rests", "endpoints", "bans", "ban-ends"} <= seen
    await client.aclose()


@pytest.mark.clause("PROXY-19")
@pytest.mark.parametrize(
    "lost", [("meta",), ("meta", "lru", "endpoints"), ("rests", "endpoints"), ("lru",), ("endpoints",)]
)
@pytest.mark.parametrize("trial", [False, True])
async def test_a_redis_that_lost_keys_leaves_nobody_out_for_ever(server, lost, trial):
    """Evicted, or gone with a file: after a while of successes every endpoint takes part again."""
    client = make_client(server.url)
    await client.flushall()
    now = [1_700_000_000_000]
    store = RedisRecency(client, clock_ms=lambda: now[0])
    pool = make_pool(4, strategy="random", window=2, health=Health(failures=1))
    ask = [Ask(order="random", window=2, dice=at * 2654435761 % 2**32) for at in range(400)]
    for at in range(2000):
        choice = await store.choose(pool, ask[at % 400])
        await store.report(
            pool, ProxyReport(index=choice.index, number=choice.number, failed=int(at == 1990))
        )
    if trial:
        now[0] += 3_600_000
        while not (choice := await store.choose(pool, ask[at % 400])).trial:
            at += 1
    for part in lost:
        await client.delete(f"quarry:proxy:{{{pool.name}:{pool.digest}}}:{part}")
    await store.report(pool, ProxyReport(index=2, number=1999, failed=1))
    now[0] += 3_600_000
    chosen = []
    for each in ask:
        choice = await store.choose(pool, each)
        await store.report(pool, ProxyReport(index=choice.index, number=choice.number, ok=1))
        chosen.append(choice.index)
    await client.aclose()
    assert set(chosen[-40:]) == {0, 1, 2, 3}


@pytest.mark.clause("PROXY-10")
@pytest.mark.parametrize("order", ["next", "random"])
async def test_a_choice_costs_little_more_in_a_pool_a_thousand_times_as_large(server, order):
    """Commands inside of Redis, counted by Redis: the logarithm of the size, not the size."""
    client = make_client(server.url)
    await client.flushall()
    store, counts = RedisRecency(client), {}
    for size in (100, 100_000):
        window = size // 2 if order == "random" else 0
        pool = make_pool(size, strategy="random" if window else "round_robin", window=window)
        for at in range(40):
            await store.report(pool, ProxyReport(index=at, number=0, failed=3))
        ask = Ask(order=order, window=window, dice=2**31)
        for _ in range(100):
            await store.choose(pool, ask)
        counts[size] = await _commands(client, lambda pool=pool, ask=ask: store.choose(pool, ask))
    assert counts[100_000] <= counts[100] + 12
    assert counts[100_000] <= 40
    await client.aclose()


@pytest.mark.clause("PROXY-10")
async def test_the_search_among_the_banned_is_bounded(server):
    """Two thousand of two thousand rest for the domain: the choice says so after a bounded look."""
    client = make_client(server.url)
    await client.flushall()
    store, pool = RedisRecency(client), make_pool(2000)
    for at in range(2000):
        await store.report(pool, ProxyReport(index=at, number=0, ok=1, banned="x.example"))
    choices = []

    async def choose():
        choices.append(await store.choose(pool, Ask(order="next", domain="x.example")))

    assert await _commands(client, choose) < 1000
    assert choices[0].reason == "banned"
    await client.aclose()
