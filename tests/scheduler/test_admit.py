"""The step `admit`: duplicate, depth, cap, position."""

from __future__ import annotations

import pytest

from tests.scheduler.crawling import job, key_of


async def received(crawl):
    counts = await crawl.counts()
    return counts.received, counts.admitted, counts.duplicate, counts.beyond_depth, counts.over_cap


async def begin(crawl, **changes):
    """A crawl whose root is being executed."""
    await crawl.begin("a", **changes)
    await crawl.claim("a")


@pytest.mark.clause("LEDGER-07")
async def test_a_known_key_is_a_duplicate(crawl):
    """Known from a seed, from this batch, or from an earlier one; a link to itself too."""
    await begin(crawl)
    await crawl.admit("a", "b b a")
    await crawl.admit("a", "b c", start=3)
    assert await received(crawl) == (6, 3, 3, 0, 0)


@pytest.mark.clause("LEDGER-07")
async def test_what_is_too_deep_is_not_admitted_and_not_seen(crawl):
    """A job that was met too deep first is admitted where it is met higher up."""
    await begin(crawl, depth=1, parallel=2)
    await crawl.admit("a", "b")
    await crawl.claim("b", "T2")
    await crawl.admit("b", "c", token="T2")
    assert await received(crawl) == (3, 2, 0, 1, 0)
    assert await crawl.status("c") == "unknown"
    await crawl.admit("a", "c", start=1)
    assert await received(crawl) == (4, 3, 0, 1, 0)
    assert (await crawl.counts()).max_depth_seen == 1


async def test_the_deepest_depth_only_grows(crawl):
    """A shallow job that comes late does not make the crawl less deep."""
    await begin(crawl, parallel=2)
    await crawl.admit("a", "x")
    await crawl.claim("x", "T2")
    await crawl.admit("x", "y", token="T2")
    await crawl.admit("a", "z", start=1)
    assert (await crawl.counts()).max_depth_seen == 2


@pytest.mark.clause("LEDGER-07")
async def test_what_is_over_the_cap_is_not_admitted_and_not_seen(crawl):
    """Each mention counts as over the cap, never as a duplicate."""
    await begin(crawl, max_runs=2)
    await crawl.admit("a", "b c c")
    assert await received(crawl) == (4, 2, 0, 0, 2)
    assert await crawl.status("c") == "unknown"


@pytest.mark.clause("LEDGER-07")
async def test_duplicate_comes_before_depth_and_depth_before_cap(crawl):
    """An event is counted by the first that applies."""
    await begin(crawl, depth=0, max_runs=1)
    await crawl.admit("a", "a b")
    assert await received(crawl) == (3, 1, 1, 1, 0)


@pytest.mark.clause("LEDGER-08")
async def test_in_a_stopped_crawl_new_jobs_are_not_executed(crawl):
    """They are admitted and ended at once."""
    await begin(crawl)
    await crawl.ledger.stop()
    await crawl.admit("a", "b")
    counts = await crawl.counts()
    assert (counts.admitted, counts.not_executed, counts.pending) == (2, 1, 0)
    assert await crawl.status("b") == "not_executed"
    await crawl.admit("a", "b", start=1)
    assert (await crawl.counts()).duplicate == 1


@pytest.mark.clause("LEDGER-15")
async def test_a_repeated_batch_is_skipped(crawl):
    """Its reply was lost: nothing is counted twice."""
    await begin(crawl)
    await crawl.admit("a", "b c")
    before = await crawl.counts()
    answer = await crawl.admit("a", "b c")
    assert (answer.status, answer.position) == ("ok", 2)
    assert await crawl.counts() == before


@pytest.mark.clause("LEDGER-15")
async def test_of_a_batch_that_overlaps_only_the_new_part_counts(crawl):
    """What lies below the position is skipped, event by event."""
    await begin(crawl)
    await crawl.admit("a", "b c")
    assert (await crawl.admit("a", "c d e", start=1)).position == 4
    assert await received(crawl) == (5, 5, 0, 0, 0)


@pytest.mark.clause("LEDGER-15")
async def test_a_gap_refuses_and_changes_nothing(crawl):
    """The ledger was rolled back: it says how far it knows the delivery."""
    await begin(crawl)
    await crawl.admit("a", "b")
    before = await crawl.counts()
    answer = await crawl.admit("a", "d", start=2)
    assert (answer.status, answer.position) == ("gap", 1)
    assert await crawl.counts() == before
    assert await crawl.status("d") == "unknown"


@pytest.mark.clause("LEDGER-16")
async def test_the_next_delivery_starts_at_zero_and_the_old_position_is_replayed(crawl):
    """What a lost delivery said is said again: it counts as received, as duplicate, and as replayed."""
    await begin(crawl)
    await crawl.admit("a", "b c")
    crawl.clock.advance(60_001)
    await crawl.ledger.expire()
    assert (await crawl.claim("a", "T2")).delivery == 2
    assert (await crawl.admit("a", "b c d", token="T2")).position == 3
    counts = await crawl.counts()
    assert (counts.received, counts.duplicate, counts.replayed) == (6, 2, 2)


async def test_a_new_delivery_whose_first_batch_was_forgotten_finds_a_gap(crawl):
    """A gap of a TOKEN that the ledger has not seen takes nothing from the delivery before."""
    await begin(crawl)
    await crawl.admit("a", "b c")
    crawl.clock.advance(60_001)
    await crawl.ledger.expire()
    await crawl.claim("a", "T2")
    assert (await crawl.admit("a", "d", token="T2", start=1)).position == 0
    assert (await crawl.counts()).replayed == 0


@pytest.mark.clause("LEDGER-13")
async def test_without_the_lease_nothing_is_admitted(crawl):
    """Another token, a lapsed delivery, an ended job: the caller ends its run."""
    await begin(crawl)
    assert (await crawl.admit("a", "b", token="T9")).status == "lost"
    crawl.clock.advance(60_001)
    await crawl.ledger.expire()
    assert (await crawl.admit("a", "b")).status == "lost"
    await crawl.claim("a", "T2")
    await crawl.settle("a", token="T2")
    assert (await crawl.admit("a", "b", token="T2")).status == "lost"
    assert (await crawl.counts()).received == 1


@pytest.mark.clause("LEDGER-13")
async def test_a_job_that_must_end_through_a_record_admits_nothing_more(crawl):
    """Somebody was told to end it: its last delivery does not hold the lease any more."""
    await begin(crawl, max_redeliveries=0)
    crawl.clock.advance(60_001)
    assert len((await crawl.ledger.expire()).owed) == 1
    assert (await crawl.admit("a", "b")).status == "lost"


async def test_a_lapsed_delivery_whose_lease_nobody_took_goes_on(crawl):
    """Time alone takes no lease: a late beat renews it."""
    await begin(crawl)
    crawl.clock.advance(60_001)
    assert (await crawl.admit("a", "b")).status == "ok"
    assert await crawl.ledger.beat({key_of("a"): "T1"}) == []
    assert (await crawl.ledger.expire()).requeued == 0


async def test_a_large_batch_is_admitted_in_several_steps(crawl):
    """1,201 events: three steps, one answer."""
    await begin(crawl)
    answer = await crawl.ledger.admit(key_of("a"), "T1", 0, [job(f"n{i}") for i in range(1201)])
    assert (answer.status, answer.position) == ("ok", 1201)
    assert (await crawl.counts()).admitted == 1202


async def test_payloads_pass_through_untouched(crawl):
    """Numbers that a double can't hold, and text that JSON would escape, come back as they were given."""
    from dataclasses import replace

    await begin(crawl, parallel=2)
    payload = '{"n": 12345678901234567890, "f": 1.10, "t": "\\u00e9é\\u0000"}'
    await crawl.ledger.admit(key_of("a"), "T1", 0, [replace(job("b"), payload=payload)])
    assert (await crawl.claim("b", "T2")).payload == payload
