"""What a run is given on a worker: its endpoint, its secrets, or a clear outcome."""

from __future__ import annotations

import asyncio
import random

import pytest

from quarry.crawl.granting import Granting, check_pools
from quarry.crawl.plan import CrawlPlan, JobPayload, PlanPool
from quarry.engine.server import PrivateServer
from quarry.errors import ConfigError
from quarry.proxy import Rotation
from quarry.recency import MemoryRecency, RedisRecency
from quarry.redisio import make_client
from quarry.testing import make_pool
from quarry.types import Secret


def _plan(**fields):
    return CrawlPlan(
        crawl="c",
        day="2026-01-31",
        started_at=0.0,
        storage_path="/d",
        dataset="d",
        policy="strict",
        timeout_ms=1000,
        scripts_root="/s",
        cwd="/s",
        **fields,
    )


def _job(params=None, *, proxy=None):
    return JobPayload(target="x.py", params=params or {}, source="s", category="c", proxy=proxy)


def _granting(*pools, secrets=None):
    rotation = Rotation(MemoryRecency(), throw=lambda: random.getrandbits(32))
    return Granting(
        pools={pool.name: pool for pool in pools},
        secret_of=(secrets or {}).get,
        rotation=rotation,
        host="worker-7",
    )


@pytest.mark.clause("PROXY-03")
async def test_a_run_without_a_pool_gets_nothing():
    """No proxy, the job as it is."""
    grant = await _granting(make_pool(2)).grant(_plan(), "k", _job({"a": 1}))
    assert (grant.proxy, grant.params, grant.secrets) == (None, {"a": 1}, {})


@pytest.mark.clause("PROXY-11")
async def test_another_definition_is_refused():
    """The crawl recorded another digest: the run ends with a clear outcome."""
    pool = make_pool(3)
    plan = _plan(proxies={"pool": PlanPool(digest=make_pool(4).digest)})
    outcome = await _granting(pool).grant(plan, "k", _job(proxy="pool"))
    assert (outcome.status.value, outcome.error_type) == ("executor_crash", "proxy_mismatch")
    assert "'pool' on worker-7 is not the crawl's" in outcome.message


@pytest.mark.clause("PROXY-11")
async def test_a_pool_that_is_not_here_is_refused():
    """Nothing of a run with a pool goes out without a proxy."""
    plan = _plan(proxies={"pool": PlanPool(digest="d")})
    outcome = await _granting().grant(plan, "k", _job(proxy="pool"))
    assert outcome.error_type == "unknown_proxy_pool"


@pytest.mark.clause("PROXY-14")
async def test_a_redis_that_refuses_is_named_in_the_outcome(tmp_path):
    """It is there: the run is not one that was lost with its worker."""
    pool = make_pool(2)
    plan = _plan(proxies={"pool": PlanPool(digest=pool.digest)})
    server = PrivateServer(tmp_path / "redis")
    server.start()
    client = make_client(server.url)
    try:
        await client.set(f"quarry:proxy:{{pool:{pool.digest}}}:meta", "a wrong kind of key")
        granting = Granting(
            pools={"pool": pool}, rotation=Rotation(RedisRecency(client), throw=lambda: 0), host="worker-7"
        )
        outcome = await granting.grant(plan, "k", _job(proxy="pool"))
    finally:
        await client.aclose()
        await asyncio.to_thread(server.stop)
    assert (outcome.status.value, outcome.error_type) == ("executor_crash", "proxy_store_refused")
    assert outcome.message.startswith("no endpoint of proxy pool 'pool' on worker-7: Redis refused a command")


@pytest.mark.clause("PROXY-11")
def test_a_resumed_crawl_needs_the_pools_of_its_first_command():
    """Every pool that lacks or differs, at once, before anything goes on."""
    wanted = {"pool": PlanPool(digest=make_pool(4).digest), "gone": PlanPool(digest="d")}
    with pytest.raises(ConfigError) as caught:
        check_pools(_plan(proxies=wanted), {"pool": make_pool(3)})
    assert len(caught.value.problems) == 2
    assert all("crawl c uses the proxy pool" in problem for problem in caught.value.problems)
    check_pools(
        _plan(proxies=wanted | {"gone": wanted["pool"]}), {"pool": make_pool(4), "gone": make_pool(4)}
    )


@pytest.mark.clause("PROXY-03")
async def test_the_commands_strategy_replaces_the_pools():
    """The worker makes of its own definition what the command made of its."""
    pool = make_pool(3, strategy="random", window=1)
    sticky = make_pool(3, strategy="sticky")
    plan = _plan(proxies={"pool": PlanPool(digest=sticky.digest, strategy="sticky")})
    granting = _granting(pool)
    given = [await granting.grant(plan, key, _job(proxy="pool")) for key in ("a", "b", "a")]
    assert [grant.proxy.endpoint.port for grant in given] == [1, 2, 1]


@pytest.mark.clause("PROXY-07")
async def test_sticky_by_origin_follows_the_url_and_the_job_without_one():
    """http and https of one host are two origins; a job without a URL has its own key."""
    from quarry.types.proxy import Sticky

    pool = make_pool(9, strategy="sticky", sticky=Sticky(scope="origin"))
    plan = _plan(proxies={"pool": PlanPool(digest=pool.digest)})
    granting = _granting(pool)
    urls = ["http://A.example/1", "https://a.example/", "http://a.example:80/2", None, "mailto:x", None]
    jobs = [_job({"url": url} if url else {}, proxy="pool") for url in urls]
    given = [await granting.grant(plan, f"k{at % 4}", job) for at, job in enumerate(jobs)]
    assert [grant.proxy.endpoint.port for grant in given] == [1, 2, 1, 3, 4, 5]


@pytest.mark.clause("PROXY-23")
async def test_a_secret_that_is_not_here_ends_the_run():
    """Before the script starts, with the name and the mend."""
    outcome = await _granting().grant(_plan(), "k", _job({"a": {"$secret": "NONE"}}))
    assert outcome.error_type == "unknown_secret"
    assert "'NONE' on worker-7: set QUARRY_SECRET_NAME" in outcome.message
    outcome = await _granting().grant(_plan(), "k", _job({"a": {"$secret": "NO-PE"}}))
    assert "'NO-PE' on worker-7: a secret's name must be letters, digits and _" in outcome.message


@pytest.mark.clause("PROXY-23")
async def test_secrets_are_in_the_job_and_nowhere_else():
    """The grant's repr hides them; the payload keeps the reference."""
    job = _job({"a": {"$secret": "KEY"}})
    grant = await _granting(secrets={"KEY": Secret("k-1")}).grant(_plan(), "k", job)
    assert grant.params == {"a": "k-1"}
    assert "k-1" not in repr(grant)
    assert job.params == {"a": {"$secret": "KEY"}}


@pytest.mark.clause("PROXY-11")
async def test_a_crawl_is_left_to_others_only_where_they_have_its_pools():
    """As they have told the store of late; a pool that nobody has is no reason to wait for anybody."""
    pool, other = make_pool(3), make_pool(4)
    plan = _plan(proxies={"pool": PlanPool(digest=pool.digest)})
    store = MemoryRecency()
    without = Granting(rotation=Rotation(store, throw=lambda: 7))
    assert not await without.is_served_elsewhere(plan)
    await Granting(pools={"pool": other}, rotation=Rotation(store, throw=lambda: 7)).announce()
    assert not await without.is_served_elsewhere(plan)
    await Granting(pools={"pool": pool}, rotation=Rotation(store, throw=lambda: 7)).announce()
    assert await without.is_served_elsewhere(plan)
    assert not await without.is_served_elsewhere(_plan())


@pytest.mark.clause("PROXY-11")
async def test_an_announcement_of_long_ago_does_not_count():
    """Its worker may be gone for hours."""
    pool = make_pool(3)
    store = MemoryRecency(lambda: 1_700_000_000_000)
    await Granting(pools={"pool": pool}, rotation=Rotation(store, throw=lambda: 7)).announce()
    plan = _plan(proxies={"pool": PlanPool(digest=pool.digest)})
    assert not await Granting(rotation=Rotation(store, throw=lambda: 7)).is_served_elsewhere(plan)
