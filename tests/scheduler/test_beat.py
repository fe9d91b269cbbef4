"""The step `beat`."""

from __future__ import annotations

import pytest

from tests.scheduler.crawling import bounds, job, key_of


@pytest.mark.clause("LEDGER-17")
async def test_a_beat_renews_the_lease(crawl):
    """A delivery that beats is not delivered again."""
    await crawl.begin("a")
    await crawl.claim("a")
    for _ in range(5):
        crawl.clock.advance(40_000)
        assert await crawl.ledger.beat({key_of("a"): "T1"}) == []
        assert (await crawl.ledger.expire()).requeued == 0


@pytest.mark.clause("LEDGER-17")
async def test_a_beat_names_the_lost_leases(crawl):
    """Taken by another delivery, ended, or never held."""
    await crawl.begin("a b c", parallel=3)
    await crawl.claim("a", "T1")
    await crawl.claim("b", "T2")
    await crawl.claim("c", "T3")
    await crawl.settle("b", token="T2")
    held = {key_of("a"): "T9", key_of("b"): "T2", key_of("c"): "T3", key_of("d"): "T4"}
    assert await crawl.ledger.beat(held) == [key_of("a"), key_of("b"), key_of("d")]


@pytest.mark.clause("LEDGER-17")
async def test_a_beat_of_a_delivery_that_was_given_up_does_not_bring_it_back(crawl):
    """Its job is pending again, or owed; the lease stays lost."""
    await crawl.begin("a", max_redeliveries=0)
    await crawl.claim("a")
    crawl.clock.advance(60_001)
    await crawl.ledger.expire()
    assert await crawl.ledger.beat({key_of("a"): "T1"}) == [key_of("a")]
    assert await crawl.client.zcard("q:{c1}:leases") == 0


async def test_one_call_renews_more_leases_than_a_step_takes(crawl):
    """A worker process has one beat, however many runs it carries."""
    names = [f"n{i}" for i in range(600)]
    for start in (0, 300):
        batch = [job(name) for name in names[start : start + 300]]
        await crawl.ledger.seed(
            batch, seeder="s", start=start, end=start + 300, bounds=bounds(parallel=600), final=start > 0
        )
    for name in names:
        await crawl.claim(name)
    assert await crawl.ledger.beat({key_of(name): "T1" for name in names[:599]} | {key_of("n599"): "T2"}) == [
        key_of("n599")
    ]
