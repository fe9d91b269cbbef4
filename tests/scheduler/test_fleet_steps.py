"""Steps that a fleet needs: surrender, stop now, lists by profile, versions of scripts, forget."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from quarry.errors import LedgerMissingError
from tests.scheduler.crawling import bounds, job, key_of


@pytest.mark.clause("LEDGER-37")
async def test_a_surrendered_lease_is_delivered_again_at_once(crawl):
    """Nobody waits for it to lapse; only who holds it can give it back."""
    await crawl.begin("a")
    await crawl.claim("a")
    await crawl.ledger.surrender(key_of("a"), "T2")
    assert (await crawl.ledger.expire()).requeued == 0
    await crawl.ledger.surrender(key_of("a"), "T1")
    assert (await crawl.ledger.expire()).requeued == 1
    assert (await crawl.claim("a", "T2")).delivery == 2


@pytest.mark.clause("LEDGER-37")
async def test_after_its_end_a_job_cannot_be_surrendered(crawl):
    """A late call of a worker that shuts down makes no lease."""
    await crawl.begin("a b", parallel=2)
    await crawl.claim("a")
    await crawl.settle("a")
    await crawl.ledger.surrender(key_of("a"), "T1")
    answer = await crawl.ledger.expire()
    assert (answer.requeued, answer.owed) == (0, [])


@pytest.mark.clause("LEDGER-38")
async def test_stop_now_owes_a_record_for_what_executes(crawl):
    """Claimed or not: leased jobs end through a record of reason `stopped`; their deliveries hold nothing more."""
    await crawl.begin("a b c", parallel=2)
    await crawl.claim("a")
    await crawl.ledger.stop("asked", now=True)
    assert await crawl.ledger.beat({key_of("a"): "T1"}) == [key_of("a")]
    assert (await crawl.claim("b")).status == "gone"
    answer = await crawl.ledger.expire()
    assert {(owed.key, owed.reason) for owed in answer.owed} == {
        (key_of("a"), "stopped"),
        (key_of("b"), "stopped"),
    }
    for name in "ab":
        last = await crawl.settle(name, token="R", succeeded=False)
    assert last.status == "closed"
    counts = await crawl.counts()
    assert (counts.failed, counts.not_executed, counts.leased) == (2, 1, 0)


@pytest.mark.clause("LEDGER-38")
async def test_the_reason_of_the_first_stop_is_kept(crawl):
    """The summary says why."""
    await crawl.begin("a")
    await crawl.ledger.stop("max_duration")
    await crawl.ledger.stop("asked", now=True)
    assert (await crawl.ledger.state()).stop_reason == "max_duration"


@pytest.mark.clause("LEDGER-39")
async def test_a_job_of_a_profile_goes_to_the_list_of_that_profile(crawl):
    """The first time and again: hand-out and republishing follow the job, the routing key says it."""
    batch = [job("a"), replace(job("b"), queue="quarry.browser")]
    await crawl.ledger.seed(batch, seeder="s", start=0, end=2, bounds=bounds(parallel=2), final=True)
    assert await crawl.messages() == ["a"]
    (text,) = await crawl.client.lrange("quarry.browser", 0, -1)
    message = json.loads(text)
    assert message["properties"]["delivery_info"]["routing_key"] == "quarry.browser"
    await crawl.client.delete("quarry.browser")
    crawl.clock.advance(10_001)
    # `a` still waits in its own list, which must not hide that `b` was lost from the other.
    assert (await crawl.ledger.expire()).republished == 1
    assert await crawl.messages() == ["a"]
    assert await crawl.client.llen("quarry.browser") == 1


@pytest.mark.clause("LEDGER-39")
async def test_a_long_line_of_one_profile_does_not_hide_a_loss_in_another(crawl):
    """More leases wait rightly than one look takes."""
    batch = [job(f"n{n}") for n in range(30)] + [replace(job("b"), queue="quarry.browser")]
    await crawl.ledger.seed(batch, seeder="s", start=0, end=31, bounds=bounds(parallel=31), final=True)
    await crawl.client.delete("quarry.browser")
    crawl.clock.advance(10_001)
    assert (await crawl.ledger.expire(10)).republished == 1


@pytest.mark.clause("LEDGER-40")
async def test_the_first_version_of_a_script_that_was_recorded_stands(crawl):
    """Each target its own."""
    await crawl.begin("a")
    assert await crawl.ledger.record_script("list.py", "a" * 64) == "a" * 64
    assert await crawl.ledger.record_script("list.py", "b" * 64) == "a" * 64
    assert await crawl.ledger.record_script("detail.py", "b" * 64) == "b" * 64
    assert (await crawl.ledger.state()).scripts == {"list.py": "a" * 64, "detail.py": "b" * 64}


@pytest.mark.clause("LEDGER-41")
async def test_a_closed_crawl_is_forgotten_without_a_rest(crawl):
    """No key of it is left, its buckets neither."""
    batch = [job(f"n{i}") for i in range(600)]
    for start in (0, 500):
        await crawl.ledger.seed(
            batch[start : start + 500],
            seeder="s",
            start=start,
            end=min(600, start + 500),
            bounds=bounds(),
            final=start > 0,
        )
    await crawl.ledger.stop()
    await crawl.claim("n0")
    await crawl.settle("n0")
    lease = await crawl.ledger.begin_close("h", 1000)
    assert await crawl.ledger.forget() is False
    assert await crawl.ledger.close("h", lease.revision) == "ok"
    assert await crawl.ledger.forget() is False  # its summary may not be written yet
    assert await crawl.ledger.announce("h") is True
    assert await crawl.ledger.forget() is True
    assert [key async for key in crawl.client.scan_iter("q:*")] == []
    with pytest.raises(LedgerMissingError):
        await crawl.ledger.forget()


@pytest.mark.clause("LEDGER-42")
async def test_state_says_what_time_it_is_in_redis(crawl):
    """Deadlines of a crawl follow the ledger's clock, no worker's."""
    await crawl.begin("a")
    crawl.clock.advance(1500)
    state = await crawl.ledger.state()
    assert state.now_ms - state.created_ms == 1500


@pytest.mark.clause("LEDGER-43")
async def test_the_most_leases_at_once_are_noted(crawl):
    """It never falls, and never exceeds `parallel`."""
    await crawl.begin("a b c d e", parallel=3)
    assert (await crawl.ledger.state()).peak_leased == 3
    for name in "abcd":
        await crawl.claim(name)
        await crawl.settle(name)
    assert (await crawl.counts()).leased == 1
    assert (await crawl.ledger.state()).peak_leased == 3


@pytest.mark.clause("LEDGER-37")
async def test_a_message_that_cannot_be_served_is_published_again_at_once(crawl):
    """By a worker that could not claim it; a lease that somebody claimed stays his."""
    await crawl.begin("a b", parallel=2)
    assert await crawl.pop() == "a"
    assert await crawl.pop() == "b"
    await crawl.claim("b")
    await crawl.ledger.surrender(key_of("a"), "")
    await crawl.ledger.surrender(key_of("b"), "")
    answer = await crawl.ledger.expire()
    assert (answer.republished, answer.requeued) == (1, 0)
    assert await crawl.messages() == ["a"]
    await crawl.ledger.abandon()
    await crawl.client.zadd("q:{c1}:leases", {key_of("b"): crawl.clock() + 60_000})
    await crawl.ledger.surrender(key_of("b"), "")
    assert await crawl.client.zscore("q:{c1}:unclaimed", key_of("b")) is None
