"""The step `claim`, and what is handed out."""

from __future__ import annotations

import json

import pytest

from quarry.errors import LedgerMissingError
from tests.scheduler.crawling import bounds, job, key_of


async def test_a_lease_is_claimed_with_all_that_a_delivery_needs(crawl):
    """Depth, attempt, delivery, payload and the crawl's configuration, as they were given."""
    await crawl.begin("a", config="conf é", max_attempts=2)
    claim = await crawl.claim("a")
    assert (claim.status, claim.depth, claim.attempt, claim.delivery) == ("ok", 0, 1, 1)
    assert (claim.payload, claim.config) == ('{"name": "a"}', "conf é")
    assert (claim.last_attempt, claim.stopped) == (False, False)


@pytest.mark.clause("LEDGER-14")
async def test_a_repeated_claim_by_the_same_token_gets_the_same_answer(crawl):
    """Its reply was lost: the delivery is still the first, and the lease is not longer."""
    await crawl.begin("a")
    first = await crawl.claim("a")
    revision = (await crawl.ledger.state()).revision
    crawl.clock.advance(1000)
    assert await crawl.claim("a") == first
    assert (await crawl.ledger.state()).revision == revision


@pytest.mark.clause("LEDGER-14")
async def test_a_second_claim_is_refused(crawl):
    """The message came twice: one delivery executes."""
    await crawl.begin("a")
    await crawl.claim("a", "T1")
    assert (await crawl.claim("a", "T2")).status == "busy"


async def test_what_was_not_handed_out_can_not_be_claimed(crawl):
    """Pending, ended and unknown jobs have no lease."""
    await crawl.begin("a b", parallel=1)
    assert (await crawl.claim("b")).status == "gone"
    assert (await crawl.claim("nobody")).status == "gone"
    await crawl.claim("a")
    await crawl.settle("a")
    assert (await crawl.claim("a")).status == "gone"


async def test_a_job_that_must_end_through_a_record_is_not_claimed(crawl):
    """A late message finds a job whose redeliveries are spent."""
    await crawl.begin("a", max_redeliveries=0)
    await crawl.claim("a")
    crawl.clock.advance(60_001)
    assert len((await crawl.ledger.expire()).owed) == 1
    assert (await crawl.claim("a", "T1")).status == "gone"
    assert (await crawl.claim("a", "T2")).status == "gone"


async def test_a_claim_after_the_stop_says_so(crawl):
    """A lease that was handed out before the stop is in flight and is executed."""
    await crawl.begin("a")
    await crawl.ledger.stop()
    claim = await crawl.claim("a")
    assert (claim.status, claim.stopped) == ("ok", True)


async def test_a_claim_in_a_crawl_that_is_not_there_creates_nothing(crawl):
    """Redis lost its data, or the message is older than the ledger."""
    with pytest.raises(LedgerMissingError):
        await crawl.claim("a")
    assert await crawl.client.dbsize() == 0


@pytest.mark.clause("LEDGER-05")
async def test_at_most_parallel_leases_are_out(crawl):
    """The next is handed out when one ends."""
    await crawl.begin("a b c", parallel=2)
    assert await crawl.messages() == ["a", "b"]
    assert ((await crawl.counts()).leased, (await crawl.counts()).pending) == (2, 1)
    await crawl.claim("b")
    await crawl.settle("b")
    assert await crawl.messages() == ["a", "b", "c"]


@pytest.mark.clause("LEDGER-06")
async def test_the_lowest_depth_goes_first_and_first_come_first_served_within_it(crawl):
    """Breadth first, however late a shallow job comes."""
    await crawl.begin("a", final=False)
    await crawl.claim("a")
    await crawl.admit("a", "x1 x2")
    await crawl.ledger.seed([job("b")], seeder="s", start=1, end=2, bounds=bounds(), final=True)
    await crawl.settle("a", 2)
    for name in ("b", "x1", "x2"):
        assert (await crawl.messages())[-1] == name
        await crawl.claim(name)
        await crawl.settle(name)


async def test_at_most_500_leases_are_handed_out_a_call_and_the_rest_by_the_next(crawl):
    """No step holds Redis for long; `expire` hands out what is left."""
    for start in (0, 400):
        batch = [job(f"j{i}") for i in range(start, start + 400)]
        await crawl.ledger.seed(
            batch, seeder="s", start=start, end=start + 400, bounds=bounds(parallel=1), final=start > 0
        )
    await crawl.client.hset("q:{c1}:meta", "parallel", 1000)
    await crawl.ledger.expire()
    assert (await crawl.counts()).leased == 501
    await crawl.ledger.expire()
    assert (await crawl.counts()).leased == 800
    assert len(await crawl.messages()) == 800


async def test_every_message_has_an_id_of_its_own(crawl):
    """Flower and kombu tell messages apart by them, those published again among them."""
    await crawl.begin("a b c", parallel=3)
    crawl.clock.advance(900_001)
    await crawl.ledger.expire()
    raw = [json.loads(text) for text in await crawl.client.lrange("quarry", 0, -1)]
    assert len(raw) == 6
    assert len({message["headers"]["id"] for message in raw}) == 6
    assert all(len(message["headers"]["id"]) == 36 for message in raw)
    assert {message["headers"]["quarry_ts"] for message in raw} == {crawl.clock.ms, crawl.clock.ms - 900_001}
    assert sorted(json.loads(message["body"])[0][1] for message in raw) == sorted(
        2 * [key_of(n) for n in "abc"]
    )
