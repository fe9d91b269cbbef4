"""The step `expire`: lapsed leases, lost messages, owed records."""

from __future__ import annotations

import pytest

from tests.scheduler.crawling import key_of


@pytest.mark.clause("LEDGER-25")
async def test_a_lapsed_delivery_is_delivered_again_under_the_same_attempt(crawl):
    """Delivery + 1, attempt unchanged, counted as a redelivery."""
    await crawl.begin("a", max_redeliveries=2)
    await crawl.claim("a")
    crawl.clock.advance(59_999)
    assert (await crawl.ledger.expire()).requeued == 0
    crawl.clock.advance(1)
    assert (await crawl.ledger.expire()).requeued == 1
    claim = await crawl.claim("a", "T2")
    assert (claim.attempt, claim.delivery) == (1, 2)
    assert (await crawl.counts()).redeliveries == 1


@pytest.mark.clause("LEDGER-25")
async def test_spent_redeliveries_are_owed_a_record(crawl):
    """Told with all that the record needs; the job stays leased until it is settled."""
    await crawl.begin("a", max_redeliveries=1)
    for token in ("T1", "T2"):
        await crawl.claim("a", token)
        crawl.clock.advance(60_001)
        answer = await crawl.ledger.expire()
    (owed,) = answer.owed
    assert (owed.key, owed.attempt, owed.deliveries, owed.token) == (key_of("a"), 1, 2, "T2")
    assert (owed.payload, owed.depth, owed.reason) == ('{"name": "a"}', 0, "lost")
    assert await crawl.status("a") == "leased"
    assert (await crawl.settle("a", 0, token="R", succeeded=False)).status == "closed"


@pytest.mark.clause("LEDGER-25")
async def test_redeliveries_are_counted_for_each_attempt(crawl):
    """A retry after a failure starts with all of them."""
    await crawl.begin("a", max_redeliveries=1, max_attempts=2)
    for attempt in (1, 2):
        for delivery in (1, 2):
            claim = await crawl.claim("a", f"T{attempt}{delivery}")
            assert (claim.attempt, claim.delivery) == (attempt, delivery)
            if delivery == 1:
                crawl.clock.advance(60_001)
                assert (await crawl.ledger.expire()).requeued == 1
        if attempt == 1:
            await crawl.retry("a", token="T12")


@pytest.mark.clause("LEDGER-25")
async def test_a_record_that_is_owed_is_asked_of_one_caller_at_a_time(crawl):
    """Who was told may die: after a lease's time another is told."""
    await crawl.begin("a", max_redeliveries=0)
    await crawl.claim("a")
    crawl.clock.advance(60_001)
    assert len((await crawl.ledger.expire()).owed) == 1
    assert len((await crawl.ledger.expire()).owed) == 0
    crawl.clock.advance(60_000)
    assert len((await crawl.ledger.expire()).owed) == 1


@pytest.mark.clause("LEDGER-26")
async def test_in_a_stopped_crawl_a_lapsed_delivery_is_owed_a_record(crawl):
    """Redeliveries are left, but the crawl was stopped."""
    await crawl.begin("a", max_redeliveries=9)
    await crawl.claim("a")
    await crawl.ledger.stop()
    crawl.clock.advance(60_001)
    answer = await crawl.ledger.expire()
    assert (answer.requeued, [owed.reason for owed in answer.owed]) == (0, ["lost"])


@pytest.mark.clause("LEDGER-26")
async def test_a_retry_that_was_never_delivered_ends_as_stopped(crawl):
    """It was leased before, so it ends through a record: attempt 2, no delivery."""
    await crawl.begin("a b", max_attempts=2)
    await crawl.claim("a")
    await crawl.retry("a")
    await crawl.ledger.stop()
    (owed,) = (await crawl.ledger.expire()).owed
    assert (owed.key, owed.attempt, owed.deliveries, owed.reason) == (key_of("a"), 2, 0, "stopped")
    assert await crawl.status("a") == "pending"
    await crawl.settle("a", 0, token="R", attempt=2, succeeded=False)
    assert (await crawl.counts()).failed == 1


@pytest.mark.clause("LEDGER-26")
async def test_a_redelivery_that_was_never_claimed_ends_as_lost(crawl):
    """It was delivered once before the stop."""
    await crawl.begin("a b")
    await crawl.claim("a")
    crawl.clock.advance(60_001)
    await crawl.client.hset("q:{c1}:meta", "parallel", 0)
    await crawl.ledger.expire()
    await crawl.ledger.stop()
    (owed,) = (await crawl.ledger.expire()).owed
    assert (owed.key, owed.deliveries, owed.token, owed.reason) == (key_of("a"), 1, "T1", "lost")
    assert await crawl.status("b") == "not_executed"


@pytest.mark.clause("LEDGER-27")
async def test_a_lease_that_nobody_claims_is_published_again(crawl):
    """After 15 minutes, though its message is still in line: the same lease, no redelivery."""
    await crawl.begin("a")
    crawl.clock.advance(899_999)
    assert (await crawl.ledger.expire()).republished == 0
    crawl.clock.advance(1)
    assert (await crawl.ledger.expire()).republished == 1
    assert await crawl.messages() == ["a", "a"]
    assert (await crawl.claim("a")).delivery == 1
    assert (await crawl.counts()).redeliveries == 0


@pytest.mark.clause("LEDGER-27")
async def test_a_message_that_was_popped_and_lost_is_published_after_the_grace(crawl):
    """The list is empty, and the lease unclaimed: its message is gone."""
    await crawl.begin("a")
    await crawl.pop()
    crawl.clock.advance(9_999)
    assert (await crawl.ledger.expire()).republished == 0
    crawl.clock.advance(1)
    assert (await crawl.ledger.expire()).republished == 1
    assert await crawl.messages() == ["a"]


@pytest.mark.clause("LEDGER-27")
async def test_only_leases_older_than_the_oldest_message_in_line_are_lost(crawl):
    """Whose message may still wait is left alone."""
    await crawl.begin("a b c", parallel=3)
    assert await crawl.pop() == "a"
    crawl.clock.advance(20_000)
    # Pushed in one moment with `a`: the list does not prove that its message is gone.
    assert (await crawl.ledger.expire()).republished == 0
    assert [await crawl.pop(), await crawl.pop()] == ["b", "c"]
    await crawl.claim("b", "T2")
    await crawl.admit("b", "d", token="T2")
    await crawl.settle("b", 1, token="T2")
    # `d` is in line now, pushed later than `a` and `c`, which nobody claimed.
    assert await crawl.messages() == ["d"]
    crawl.clock.advance(5_000)
    assert (await crawl.ledger.expire()).republished == 2
    assert sorted(await crawl.messages()) == ["a", "c", "d"]


async def test_a_foreign_message_in_the_list_proves_nothing(crawl):
    """It does not say when it was pushed: leases wait their 15 minutes."""
    await crawl.begin("a")
    await crawl.pop()
    await crawl.client.lpush("quarry", b'{"headers": {"task": "other"}}')
    crawl.clock.advance(60_000)
    assert (await crawl.ledger.expire()).republished == 0


async def test_a_label_can_not_pass_for_the_time_of_a_message(crawl):
    """Text of users stands in the same JSON, escaped."""
    from dataclasses import replace

    from tests.scheduler.crawling import bounds, job

    sly = replace(job("a"), repr='x", "quarry_ts": 1, "', label='"quarry_ts":1')
    await crawl.ledger.seed([sly], seeder="s", start=0, end=1, bounds=bounds(parallel=2), final=False)
    crawl.clock.advance(30_000)
    await crawl.ledger.seed([job("b")], seeder="s", start=1, end=2, bounds=bounds(), final=True)
    crawl.clock.advance(30_000)
    assert (await crawl.ledger.expire()).republished == 0
    await crawl.client.rpop("quarry")
    assert (await crawl.ledger.expire()).republished == 1


async def test_no_more_than_the_limit_is_looked_at(crawl):
    """A thousand dead workers do not make one long step."""
    await crawl.begin(" ".join("abcdefgh"), parallel=8)
    for name in "abcdefgh":
        await crawl.claim(name, f"T{name}")
    crawl.clock.advance(60_001)
    assert (await crawl.ledger.expire(3)).requeued == 3
    assert (await crawl.ledger.expire(100)).requeued == 5


async def test_it_finishes_a_stop_that_died_between_its_chunks(crawl):
    """Pending jobs of a stopped crawl end, whoever stopped it."""
    await crawl.begin("a b c")
    await crawl.ledger._step("stop_v2", (1, "asked", 0))
    assert (await crawl.counts()).pending == 1
    await crawl.ledger.expire()
    counts = await crawl.counts()
    assert (counts.pending, counts.not_executed, counts.leased) == (0, 2, 1)


async def test_a_closed_crawl_has_nothing_to_expire(crawl):
    """Workers look at it until they forget it."""
    await crawl.begin("")
    lease = await crawl.ledger.begin_close("h", 1000)
    await crawl.ledger.close("h", lease.revision)
    assert (await crawl.ledger.expire()).idle is True
