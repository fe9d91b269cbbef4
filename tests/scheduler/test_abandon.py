"""The step `abandon`: all leases lapse at once, because whoever held one is known to be dead."""

from __future__ import annotations

import pytest

from tests.scheduler.crawling import key_of


@pytest.mark.clause("LEDGER-35")
async def test_what_a_dead_worker_held_is_delivered_again_at_once(crawl):
    """Nobody waits a minute for a worker that is known to be dead; counters stay until `expire`."""
    await crawl.begin("a b", parallel=2)
    await crawl.claim("a", "T1")
    before = await crawl.counts()
    assert await crawl.ledger.abandon() == 2
    assert await crawl.counts() == before
    assert (await crawl.ledger.expire()).requeued == 1
    claim = await crawl.claim("a", "T2")
    assert (claim.status, claim.delivery) == ("ok", 2)


@pytest.mark.clause("LEDGER-35")
async def test_what_a_dead_worker_had_popped_is_published_again_at_once(crawl):
    """Its messages are gone, or come twice: the second claim is refused."""
    await crawl.begin("a")
    await crawl.pop()
    await crawl.ledger.abandon()
    assert (await crawl.ledger.expire()).republished == 1
    assert await crawl.messages() == ["a"]


@pytest.mark.clause("LEDGER-35")
async def test_a_delivery_that_lives_after_all_is_refused_by_its_token(crawl):
    """As after any lapse: until somebody expires the lease a beat brings it back, from then on nothing does."""
    await crawl.begin("a")
    await crawl.claim("a", "T1")
    await crawl.ledger.abandon()
    assert await crawl.ledger.beat({key_of("a"): "T1"}) == []
    assert (await crawl.ledger.expire()).requeued == 0
    await crawl.ledger.abandon()
    await crawl.ledger.expire()
    assert await crawl.ledger.beat({key_of("a"): "T1"}) == [key_of("a")]
