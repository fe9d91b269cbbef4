"""A run's endpoints: taken, changed, reported on."""

from __future__ import annotations

import pytest

from quarry.proxy import Circumstances, Rotation
from quarry.recency import MemoryRecency
from quarry.redisio import RedisUnavailableError
from quarry.testing import make_pool
from quarry.types.proxy import Health

HERE = Circumstances(job_key="k", url="https://Shop.example/a")


def _use(endpoint, *, ok=0, failed=0, latency_ms=0):
    return {**endpoint.public(), "ok": ok, "failed": failed, "latency_ms": latency_ms}


class _Counting(MemoryRecency):
    """A store that counts its steps, and may be away."""

    def __init__(self):
        super().__init__()
        self.steps, self.away = [], False

    async def choose(self, pool, ask):
        self.steps.append("choose")
        return await super().choose(pool, ask)

    async def report(self, pool, report):
        self.steps.append("report")
        if self.away:
            raise RedisUnavailableError("away", retryable=True)
        return await super().report(pool, report)


def _rotation(store, **more):
    return Rotation(store, throw=lambda: 7, **more)


@pytest.mark.clause("PROXY-20")
async def test_successes_are_reported_together_and_none_is_lost_at_the_end():
    """A hundred runs are a hundred choices and one report for each endpoint, once the process ends."""
    store, pool = _Counting(), make_pool(4)
    rotation = _rotation(store)
    for _ in range(100):
        proxy = await rotation.take(pool, HERE)
        await proxy.finish([_use(proxy.endpoint, ok=2, latency_ms=10)])
    await rotation.close()
    assert store.steps == ["choose"] * 100 + ["report"] * 4
    figures = await store.figures(pool)
    assert {(e.chosen, e.ok, e.latency_ms) for e in figures.endpoints.values()} == {(25, 50, 250)}


@pytest.mark.clause("PROXY-20")
async def test_successes_are_reported_within_the_delay():
    """Nobody has to end the process for figures to appear."""
    import asyncio

    store, pool = _Counting(), make_pool(1)
    rotation = _rotation(store, report_delay_s=0.01)
    proxy = await rotation.take(pool, HERE)
    await proxy.finish([_use(proxy.endpoint, ok=1)])
    async with asyncio.timeout(20):
        while "report" not in store.steps:
            await asyncio.sleep(0.005)
    assert (await store.figures(pool)).endpoints[0].ok == 1


@pytest.mark.clause("PROXY-11")
async def test_a_pool_in_use_is_announced_again_and_again():
    """The store forgets definitions that nobody announces; workers live longer than that."""
    now = [0.0]
    store, pool = MemoryRecency(lambda: int(now[0] * 1000) + 1), make_pool(1)
    rotation = _rotation(store, clock=lambda: now[0])
    for now[0], announced in ((0.0, 1), (299.0, 1), (300.0, 300_001)):
        await rotation.take(pool, HERE)
        assert [definition.last_ms for definition in await store.definitions()] == [announced]


@pytest.mark.clause("PROXY-19")
async def test_failures_are_reported_at_once():
    """The next choice of the fleet knows of them."""
    store, pool = _Counting(), make_pool(2, health=Health(failures=1))
    rotation = _rotation(store)
    proxy = await rotation.take(pool, HERE)
    await proxy.finish([_use(proxy.endpoint, failed=1)])
    assert store.steps == ["choose", "report"]
    assert (await store.figures(pool)).endpoints[0].state == "resting"


@pytest.mark.clause("PROXY-17")
async def test_a_rotation_gives_up_what_the_run_had():
    """Each time another endpoint while there is one; a ban is for the host only, anything else is a failure."""
    store, pool = _Counting(), make_pool(3)
    proxy = await _rotation(store).take(pool, HERE)
    seen = [proxy.endpoint.port, (await proxy.rotate("banned")).port, (await proxy.rotate("slow")).port]
    assert sorted(seen) == [1, 2, 3]
    figures = await store.figures(pool)
    assert [sorted(figures.endpoints[port - 1].banned) for port in seen] == [["shop.example"], [], []]
    assert [figures.endpoints[port - 1].failed for port in seen] == [0, 1, 0]


@pytest.mark.clause("PROXY-17")
async def test_a_ban_without_a_target_is_a_failure():
    """Nobody knows for which domain the endpoint should rest."""
    store, pool = _Counting(), make_pool(2)
    proxy = await _rotation(store).take(pool, Circumstances(job_key="k"))
    await proxy.rotate("banned")
    assert (await store.figures(pool)).endpoints[0].failed == 1


async def test_a_trial_that_never_used_its_endpoint_is_given_back():
    """The next run may try it at once."""
    store, pool = _Counting(), make_pool(1, health=Health(failures=1, rest_ms=1))
    rotation = _rotation(store)
    proxy = await rotation.take(pool, HERE)
    await proxy.finish([_use(proxy.endpoint, failed=1)])
    for _ in range(2):
        proxy = await rotation.take(pool, HERE)
        while (await store.figures(pool)).endpoints[0].state == "resting":
            proxy = await rotation.take(pool, HERE)
        assert (await store.figures(pool)).endpoints[0].state == "trial"
        await proxy.finish([])
        assert (await store.figures(pool)).endpoints[0].state == "due"


@pytest.mark.clause("PROXY-20")
async def test_a_store_that_is_away_costs_figures_only():
    """The run has ended well; that is what counts."""
    store, pool = _Counting(), make_pool(1)
    rotation = _rotation(store)
    proxy = await rotation.take(pool, HERE)
    store.away = True
    await proxy.finish([_use(proxy.endpoint, failed=1)])
    await proxy.finish([_use(proxy.endpoint, ok=1)])
    await rotation.close()
    assert store.steps == ["choose", "report", "report"]


@pytest.mark.clause("PROXY-20")
async def test_successes_that_could_not_be_reported_are_reported_later():
    """A store that was away for a while has every count in the end."""
    store, pool = _Counting(), make_pool(3)
    rotation = _rotation(store)
    store.away = True
    for _ in range(6):
        proxy = await rotation.take(pool, HERE)
        await proxy.finish([_use(proxy.endpoint, ok=1, latency_ms=2)])
    await rotation.reports.flush()
    store.away = False
    await rotation.close()
    figures = await store.figures(pool)
    assert [(e.ok, e.latency_ms) for e in figures.endpoints.values()] == [(2, 4)] * 3


@pytest.mark.clause("PROXY-17")
async def test_a_failure_that_made_the_script_rotate_counts_once():
    """The request failed, the script asked for another: one failure, not two."""
    store, pool = _Counting(), make_pool(2)
    proxy = await _rotation(store).take(pool, HERE)
    first = proxy.endpoint
    second = await proxy.rotate("down")
    await proxy.finish([_use(first, failed=1), _use(second, failed=2)])
    figures = await store.figures(pool)
    assert [figures.endpoints[at].failed for at in (0, 1)] == [1, 2]


@pytest.mark.clause("PROXY-19")
async def test_a_trial_through_which_nothing_was_heard_has_failed():
    """The run was cut off while it waited: the next one is not sent there."""
    store, pool = _Counting(), make_pool(1, health=Health(failures=1, rest_ms=1))
    rotation = _rotation(store)
    proxy = await rotation.take(pool, HERE)
    await proxy.finish([_use(proxy.endpoint, failed=1)])
    while (await store.figures(pool)).endpoints[0].state != "trial":
        proxy = await rotation.take(pool, HERE)
    await proxy.finish([{**_use(proxy.endpoint), "unheard": 1}])
    told = (await store.figures(pool)).endpoints[0]
    assert (told.state, told.rests) == ("resting", 2)
