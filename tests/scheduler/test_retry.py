"""The step `retry`."""

from __future__ import annotations

import pytest

from tests.scheduler.crawling import key_of


@pytest.mark.clause("LEDGER-20")
async def test_a_failed_attempt_is_followed_by_the_next(crawl):
    """A new run: attempt + 1, its deliveries counted from one again."""
    await crawl.begin("a", max_attempts=3)
    await crawl.claim("a")
    assert (await crawl.retry("a")).status == "ok"
    claim = await crawl.claim("a", "T2")
    assert (claim.attempt, claim.delivery, claim.last_attempt) == (2, 1, False)
    await crawl.retry("a", token="T2")
    claim = await crawl.claim("a", "T3")
    assert (claim.attempt, claim.last_attempt) == (3, True)


@pytest.mark.clause("LEDGER-20")
async def test_spent_attempts_are_refused(crawl):
    """The outcome is final: the caller puts the record, and the lease is still its own."""
    await crawl.begin("a", max_attempts=1)
    await crawl.claim("a")
    assert (await crawl.retry("a")).status == "final"
    assert await crawl.ledger.beat({key_of("a"): "T1"}) == []
    assert (await crawl.settle("a", succeeded=False)).status == "closed"
    assert await crawl.status("a") == "failed"


@pytest.mark.clause("LEDGER-20")
async def test_in_a_stopped_crawl_nothing_is_retried(crawl):
    """Attempts are left, but the crawl was stopped."""
    await crawl.begin("a", max_attempts=3)
    await crawl.claim("a")
    await crawl.ledger.stop()
    assert (await crawl.retry("a")).status == "final"


@pytest.mark.clause("LEDGER-13")
async def test_without_the_lease_nothing_is_retried(crawl):
    """A zombie asks: another delivery is at work, and goes on undisturbed."""
    await crawl.begin("a", max_attempts=3)
    await crawl.claim("a", "T1")
    crawl.clock.advance(60_001)
    await crawl.ledger.expire()
    assert (await crawl.retry("a", token="T1")).status == "lost"
    await crawl.claim("a", "T2")
    assert (await crawl.retry("a", token="T1")).status == "lost"
    assert await crawl.ledger.beat({key_of("a"): "T2"}) == []


@pytest.mark.clause("LEDGER-20")
async def test_a_repeated_retry_gives_one_more_attempt_not_two(crawl):
    """Its reply was lost; the next attempt may even be running."""
    await crawl.begin("a", max_attempts=5)
    await crawl.claim("a", "T1")
    await crawl.admit("a", "b")
    assert (await crawl.retry("a", 1)).status == "ok"
    before = await crawl.counts()
    assert (await crawl.retry("a", 1)).status == "ok"
    assert await crawl.counts() == before
    await crawl.claim("b")
    await crawl.settle("b", depth=1)
    assert (await crawl.claim("a", "T2")).attempt == 2
    assert (await crawl.retry("a", 1)).status == "ok"
    assert await crawl.ledger.beat({key_of("a"): "T2"}) == []


@pytest.mark.clause("LEDGER-21")
async def test_enqueue_events_of_a_failed_attempt_stay_counted(crawl):
    """They are in its record: nothing of them is replayed, and the next attempt counts from zero."""
    await crawl.begin("a", max_attempts=2, parallel=1)
    await crawl.claim("a")
    await crawl.admit("a", "b c")
    await crawl.retry("a", 2)
    assert (await crawl.counts()).replayed == 0
    await crawl.claim("a", "T2")
    await crawl.admit("a", "b", token="T2")
    await crawl.settle("a", 1, token="T2", attempt=2)
    counts = await crawl.counts()
    assert (counts.received - counts.replayed - counts.seeds, counts.replayed) == (3, 0)


@pytest.mark.clause("LEDGER-19")
async def test_events_that_the_ledger_forgot_are_asked_for_before_the_retry(crawl):
    """After a rollback the position is behind the record: the data has what is missing."""
    await crawl.begin("a", max_attempts=2)
    await crawl.claim("a")
    await crawl.admit("a", "b")
    answer = await crawl.retry("a", 3)
    assert (answer.status, answer.position) == ("more", 1)
    answer = await crawl.retry("a", 3, start=1, names="c")
    assert (answer.status, answer.position) == ("more", 2)
    assert (await crawl.retry("a", 3, start=2, names="d")).status == "ok"
    assert (await crawl.counts()).admitted == 4


@pytest.mark.clause("LEDGER-19")
async def test_a_record_of_an_earlier_delivery_of_the_attempt_is_adopted_with_its_token(crawl):
    """The attempt was delivered twice; the first delivery's record stands, and its n counts."""
    await crawl.begin("a", max_attempts=2)
    await crawl.claim("a", "T1")
    await crawl.admit("a", "b c", token="T1")
    crawl.clock.advance(60_001)
    await crawl.ledger.expire()
    await crawl.claim("a", "T2")
    assert (await crawl.retry("a", 2, token="T2", record_token="T1")).status == "ok"
    counts = await crawl.counts()
    assert (counts.received - counts.replayed - counts.seeds, counts.replayed) == (2, 0)


@pytest.mark.clause("LEDGER-18")
async def test_what_was_admitted_but_is_in_no_record_is_replayed(crawl):
    """The storage failed after the admission: n is what the record says."""
    await crawl.begin("a", max_attempts=2)
    await crawl.claim("a")
    await crawl.admit("a", "b c d")
    await crawl.retry("a", 1)
    counts = await crawl.counts()
    assert (counts.received - counts.replayed - counts.seeds, counts.replayed) == (1, 2)


async def test_a_retry_frees_the_slot(crawl):
    """Another job's lease is handed out, lower depth first."""
    await crawl.begin("a b", max_attempts=2)
    await crawl.claim("a")
    await crawl.retry("a")
    assert await crawl.messages() == ["a", "b"]
    counts = await crawl.counts()
    assert (counts.leased, counts.pending) == (1, 1)
