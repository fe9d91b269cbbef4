"""The step `stop`."""

from __future__ import annotations

import pytest

from tests.scheduler.crawling import bounds, job


@pytest.mark.clause("LEDGER-12")
async def test_pending_jobs_are_not_executed_and_running_ones_go_on(crawl):
    """Nothing more is handed out; what executes ends as ever."""
    await crawl.begin("a b c", parallel=1)
    await crawl.claim("a")
    answer = await crawl.ledger.stop()
    assert (answer.status, answer.not_executed, answer.idle) == ("ok", 2, False)
    assert await crawl.messages() == ["a"]
    assert (await crawl.settle("a")).status == "closed"
    counts = await crawl.counts()
    assert (counts.succeeded, counts.not_executed, counts.pending, counts.leased) == (1, 2, 0, 0)
    assert await crawl.messages() == ["a"]


@pytest.mark.clause("LEDGER-12")
async def test_a_stop_ends_the_seeding_hold(crawl):
    """A crawl that was stopped while it was seeded can close."""
    await crawl.begin("", final=False)
    assert (await crawl.ledger.stop()).idle is True
    assert (await crawl.counts()).seeding == 0
    assert (await crawl.ledger.state()).stopped is True


async def test_a_repeated_stop_changes_nothing(crawl):
    """Ctrl-C in two places."""
    await crawl.begin("a b")
    await crawl.ledger.stop()
    before = await crawl.counts()
    assert (await crawl.ledger.stop()).not_executed == 0
    assert await crawl.counts() == before


async def test_a_stop_of_many_pending_jobs_goes_in_chunks(crawl):
    """No step holds Redis for long; the answer counts all."""
    for start in (0, 400, 800):
        batch = [job(f"n{i}") for i in range(start, start + 400)]
        await crawl.ledger.seed(
            batch, seeder="s", start=start, end=start + 400, bounds=bounds(), final=start == 800
        )
    assert (await crawl.ledger.stop()).not_executed == 1199
    assert (await crawl.counts()).not_executed == 1199


async def test_a_stop_after_the_close_is_refused(crawl):
    """The crawl is complete; it stays so."""
    await crawl.begin("")
    lease = await crawl.ledger.begin_close("h", 1000)
    await crawl.ledger.close("h", lease.revision)
    assert (await crawl.ledger.stop()).status == "closed"
    state = await crawl.ledger.state()
    assert (state.status, state.stopped) == ("closed", False)


async def test_a_lease_not_yet_claimed_is_not_taken_away(crawl):
    """It was handed out: its message may be in a worker's hands."""
    await crawl.begin("a")
    await crawl.ledger.stop()
    assert await crawl.status("a") == "leased"
    crawl.clock.advance(900_001)
    assert (await crawl.ledger.expire()).republished == 1
    assert (await crawl.claim("a")).status == "ok"
