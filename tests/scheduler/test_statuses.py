"""What can be read: `statuses`, `counts`, `state`."""

from __future__ import annotations

import pytest

from tests.scheduler.crawling import job, key_of


async def test_each_status_is_told(crawl):
    """Of any number of jobs in one call."""
    await crawl.begin("a b c d", parallel=2)
    await crawl.claim("a", "T1")
    await crawl.claim("b", "T2")
    await crawl.settle("a", token="T1")
    await crawl.settle("b", token="T2", succeeded=False)
    await crawl.claim("c")
    await crawl.admit("c", "e f")
    await crawl.ledger.stop()
    names = ["a", "b", "c", "e", "zzz"]
    statuses = await crawl.ledger.statuses([key_of(name) for name in names])
    assert list(statuses.values()) == ["succeeded", "failed", "leased", "not_executed", "unknown"]


async def test_more_keys_than_a_step_takes(crawl):
    """1,201 keys are told in order."""
    await crawl.begin("a b")
    keys = [key_of(f"n{i}") for i in range(1200)] + [key_of("b")]
    statuses = await crawl.ledger.statuses(keys)
    assert list(statuses) == keys
    assert statuses[key_of("b")] == "pending"


@pytest.mark.clause("LEDGER-01")
async def test_both_equations_hold_at_every_moment(crawl):
    """After each step of a crawl that meets every case."""
    await crawl.begin("a b", depth=1, max_runs=5, parallel=2, max_attempts=2)
    await crawl.counts()
    await crawl.claim("a")
    await crawl.admit("a", "b c d")
    await crawl.counts()
    await crawl.claim("b", "T2")
    await crawl.admit("b", "c e f f", token="T2")
    await crawl.counts()
    await crawl.retry("b", 4, token="T2")
    await crawl.counts()
    await crawl.settle("a", 3)
    await crawl.counts()
    await crawl.ledger.stop()
    counts = await crawl.counts()
    assert counts.received == 2 + 3 + 4
    assert counts.admitted == 5
    assert (counts.duplicate, counts.over_cap, counts.beyond_depth) == (2, 2, 0)


async def test_two_crawls_share_a_redis_and_nothing_else(crawl, client, scripts):
    """The same jobs, the same queue, separate books."""
    from tests.scheduler.crawling import Crawl

    other = Crawl(client, scripts, "c2")
    await crawl.begin("a b")
    await other.begin("a")
    await crawl.claim("a")
    await crawl.settle("a")
    assert (await crawl.counts()).succeeded == 1
    assert (await other.counts()).succeeded == 0
    assert (await other.claim("a")).status == "ok"
    assert await crawl.messages() == ["a", "a", "b"]


async def test_the_payload_of_a_message_names_crawl_and_key_only(crawl):
    """Nothing of the job's parameters is in the broker but what Flower may show."""
    from dataclasses import replace

    from tests.scheduler.crawling import bounds

    secret = replace(job("a"), payload='{"password": "hunter2"}')
    await crawl.ledger.seed([secret], seeder="s", start=0, end=1, bounds=bounds(config="hunter3"), final=True)
    (raw,) = await crawl.client.lrange("quarry", 0, -1)
    assert b"hunter" not in raw
