"""The step `seed`."""

from __future__ import annotations

import pytest

from quarry.errors import LedgerMissingError
from tests.scheduler.crawling import bounds, job, jobs


async def seed(crawl, names, *, start, seeder="s", final=False, **changes):
    batch = jobs(names)
    return await crawl.ledger.seed(
        batch, seeder=seeder, start=start, end=start + len(batch), bounds=bounds(**changes), final=final
    )


async def test_the_first_batch_creates_the_crawl_under_a_hold(crawl):
    """Roots are admitted, and nothing can close before seeding ends."""
    answer = await crawl.begin("a b", final=False, parallel=5, max_runs=10, depth=3, config="opaque {")
    assert (answer.status, answer.offset, answer.admitted, answer.unread) == ("ok", 2, 2, 0)
    counts = await crawl.counts()
    assert (counts.seeds, counts.received, counts.admitted, counts.seeding) == (2, 2, 2, 1)
    state = await crawl.ledger.state()
    assert (state.status, state.seeder, state.config) == ("seeding", "s", "opaque {")
    assert (state.depth, state.max_runs, state.parallel, state.created_ms) == (3, 10, 5, crawl.clock.ms)
    await crawl.claim("a")
    await crawl.settle("a")
    await crawl.claim("b")
    assert (await crawl.settle("b")).status == "ok"
    assert (await crawl.ledger.begin_close("h", 1000)).status == "not_idle"


async def test_the_last_batch_ends_the_hold(crawl):
    """A crawl of no seeds is complete at once."""
    answer = await crawl.begin("", final=True)
    assert (answer.status, answer.idle) == ("ok", True)
    assert (await crawl.ledger.state()).status == "open"


@pytest.mark.clause("LEDGER-10")
async def test_a_repeated_first_batch_changes_nothing(crawl):
    """The reply of the first batch was lost: its repetition is known, and says what the first would have."""
    first = await crawl.begin("a b a", final=False)
    before = await crawl.counts()
    again = await crawl.begin("a b a", final=False)
    assert (again.status, again.admitted, again.offset) == ("repeat", first.admitted, 3)
    assert await crawl.counts() == before


@pytest.mark.clause("LEDGER-10")
async def test_a_repeated_later_batch_changes_nothing(crawl):
    """So with every later batch, and with the last."""
    await crawl.begin("a", final=False)
    await seed(crawl, "b c", start=1, final=True)
    before = await crawl.counts()
    assert (await seed(crawl, "b c", start=1, final=True)).status == "repeat"
    assert await crawl.counts() == before


async def test_another_seeder_finds_that_the_crawl_exists(crawl):
    """Nobody begins a crawl of an id that is taken, though the hold is still there."""
    await crawl.begin("a", final=False)
    answer = await seed(crawl, "x", start=0, seeder="other")
    assert answer.status == "exists"
    assert (await crawl.counts()).received == 1


async def test_a_batch_at_another_offset_is_refused(crawl):
    """Lines are neither left out nor read twice."""
    await crawl.begin("a b", final=False)
    assert (await seed(crawl, "d", start=3)).status == "offset"
    assert (await seed(crawl, "b c", start=1)).status == "offset"
    assert (await crawl.counts()).received == 2


async def test_a_seeder_that_died_is_followed_by_another_from_the_offset(crawl):
    """Later batches need the offset, not the seeder."""
    await crawl.begin("a", final=False)
    offset = (await crawl.ledger.state()).offset
    assert (await seed(crawl, "b", start=offset, seeder="next", final=True)).status == "ok"
    assert (await crawl.counts()).seeds == 2


async def test_after_the_last_batch_nothing_more_is_received(crawl):
    """The hold has ended; more lines are refused and counted nowhere."""
    await crawl.begin("a")
    assert (await seed(crawl, "b", start=1)).status == "offset"
    assert (await crawl.counts()).received == 1


@pytest.mark.clause("LEDGER-11")
async def test_what_follows_in_the_batch_that_meets_the_cap_is_unread(crawl):
    """Further lines are not received, duplicates among them; the hold ends."""
    answer = await crawl.begin("a a b c a d", final=False, max_runs=2)
    assert (answer.admitted, answer.unread, answer.capped) == (2, 3, True)
    counts = await crawl.counts()
    assert (counts.seeds, counts.received, counts.duplicate, counts.unread) == (3, 3, 1, 3)
    assert (counts.over_cap, counts.seeding) == (0, 0)


@pytest.mark.clause("LEDGER-11")
async def test_a_batch_after_the_cap_was_met_is_not_received(crawl):
    """Reading stops at the cap; who reads on is told so and counts nothing."""
    await crawl.begin("a b", final=False, max_runs=2)
    answer = await seed(crawl, "c", start=2)
    assert (answer.status, answer.capped, answer.admitted) == ("ok", True, 0)
    assert (await crawl.counts()).received == 2


async def test_children_that_meet_the_cap_leave_the_seeds_unread(crawl):
    """Seeding and crawling go on at once: the cap counts both."""
    await crawl.begin("a", final=False, max_runs=2)
    await crawl.claim("a")
    await crawl.admit("a", "x")
    answer = await crawl.ledger.seed(
        jobs("b c"), seeder="s", start=1, end=4, bounds=bounds(), final=False, duplicates_of_input=1
    )
    assert (answer.capped, answer.unread) == (True, 3)
    counts = await crawl.counts()
    assert (counts.seeding, counts.seeds, counts.unread) == (0, 1, 3)


@pytest.mark.clause("LEDGER-12")
async def test_after_a_stop_seeds_are_unread(crawl):
    """They are counted once, by their offset."""
    await crawl.begin("a", final=False)
    await crawl.ledger.stop()
    assert (await seed(crawl, "b c", start=1)).status == "stopped"
    assert (await seed(crawl, "b c", start=1)).status == "repeat"
    counts = await crawl.counts()
    assert (counts.unread, counts.received, counts.seeding) == (2, 1, 0)


async def test_repeats_that_the_caller_left_out_count_as_duplicates(crawl):
    """Each is a seed that was received."""
    await crawl.ledger.seed(
        jobs("a"), seeder="s", start=0, end=3, bounds=bounds(), final=True, duplicates_of_input=2
    )
    counts = await crawl.counts()
    assert (counts.seeds, counts.received, counts.duplicate, counts.admitted) == (3, 3, 2, 1)


async def test_a_later_batch_of_a_crawl_that_is_gone_is_refused(crawl):
    """Redis lost its data: nothing is created anew."""
    with pytest.raises(LedgerMissingError):
        await seed(crawl, "b", start=1)
    assert await crawl.client.dbsize() == 0


async def test_roots_begin_with_the_attempt_that_the_user_names(crawl):
    """`--attempt 3` is the first attempt of the root; attempts are counted from there."""
    await crawl.ledger.seed(
        [job("a", first_attempt=3)],
        seeder="s",
        start=0,
        end=1,
        bounds=bounds(max_attempts=2),
        final=True,
    )
    claim = await crawl.claim("a")
    assert (claim.attempt, claim.last_attempt) == (3, False)
    await crawl.retry("a")
    claim = await crawl.claim("a", "T2")
    assert (claim.attempt, claim.last_attempt) == (4, True)
