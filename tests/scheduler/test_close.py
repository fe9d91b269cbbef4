"""The steps `begin_close`, `close`, `announce` and `retire`."""

from __future__ import annotations

import pytest

from quarry.errors import LedgerMissingError
from quarry.scheduler import EXPIRE_AFTER_MS
from tests.scheduler.crawling import key_of


async def done(crawl):
    """A crawl whose only job has ended."""
    await crawl.begin("a")
    await crawl.claim("a")
    await crawl.settle("a")
    return crawl.ledger


@pytest.mark.clause("LEDGER-28")
async def test_a_crawl_with_work_left_can_not_close(crawl):
    """Pending, leased or seeding: each alone keeps it open."""
    await crawl.begin("a", final=False)
    assert (await crawl.ledger.begin_close("h", 1000)).status == "not_idle"
    await crawl.claim("a")
    await crawl.settle("a")
    assert (await crawl.ledger.begin_close("h", 1000)).status == "not_idle"
    assert (await crawl.ledger.state()).status == "seeding"


@pytest.mark.clause("LEDGER-28")
async def test_close_looks_at_the_work_again(crawl):
    """Whatever revision it is told."""
    await crawl.begin("a")
    revision = (await crawl.ledger.state()).revision
    assert await crawl.ledger.close("h", revision) == "not_idle"


@pytest.mark.clause("LEDGER-28")
async def test_one_caller_at_a_time_compares_the_records(crawl):
    """Until its time is over; a caller that died is followed by another."""
    ledger = await done(crawl)
    assert (await ledger.begin_close("h1", 1000)).status == "ok"
    assert (await ledger.begin_close("h2", 1000)).status == "busy"
    assert (await ledger.begin_close("h1", 1000)).status == "ok"
    crawl.clock.advance(1001)
    assert (await ledger.begin_close("h2", 1000)).status == "ok"


@pytest.mark.clause("LEDGER-28")
async def test_a_change_since_the_comparison_refuses_the_close(crawl):
    """A record was settled meanwhile: compare again."""
    ledger = await done(crawl)
    lease = await ledger.begin_close("h", 1000)
    await crawl.settle("x", depth=1)
    assert await ledger.close("h", lease.revision) == "changed"
    lease = await ledger.begin_close("h", 1000)
    assert await ledger.close("h", lease.revision) == "ok"


@pytest.mark.clause("LEDGER-28")
async def test_who_lost_the_lease_does_not_close(crawl):
    """Another caller compares now."""
    ledger = await done(crawl)
    lease = await ledger.begin_close("h1", 1000)
    crawl.clock.advance(1001)
    await ledger.begin_close("h2", 1000)
    assert await ledger.close("h1", lease.revision) == "changed"


async def test_a_repeated_close_is_known(crawl):
    """Its reply was lost, or another was first."""
    ledger = await done(crawl)
    lease = await ledger.begin_close("h", 1000)
    assert await ledger.close("h", lease.revision) == "ok"
    assert await ledger.close("h", lease.revision) == "already"
    assert (await ledger.begin_close("h2", 1000)).status == "closed"
    state = await ledger.state()
    assert (state.status, state.closed_ms, state.announced) == ("closed", crawl.clock.ms, False)


@pytest.mark.clause("LEDGER-29")
async def test_exactly_one_caller_announces(crawl):
    """And the same one again, if it did not hear that it was the one."""
    ledger = await done(crawl)
    assert await ledger.announce("h1") is False
    lease = await ledger.begin_close("h", 1000)
    await ledger.close("h", lease.revision)
    assert await ledger.announce("h1") is True
    assert await ledger.announce("h2") is False
    assert await ledger.announce("h1") is True
    assert (await ledger.state()).announced is True


@pytest.mark.clause("LEDGER-30")
async def test_nothing_expires_before_the_close_and_everything_after_it(crawl):
    """Seven days, buckets of seen keys too; the broker's list never."""
    ledger = await done(crawl)
    await crawl.client.lpush("quarry", "x")
    keys = [key for key in await crawl.client.keys() if key != b"quarry"]
    assert any(b":s:" in key for key in keys)
    assert [await crawl.client.pttl(key) for key in keys] == [-1] * len(keys)
    await ledger._step("retire", (1000,), keys=[ledger._names.bucket(key_of("a"))])
    assert [await crawl.client.pttl(key) for key in keys] == [-1] * len(keys)
    lease = await ledger.begin_close("h", 1000)
    await ledger.close("h", lease.revision)
    for key in keys:
        assert EXPIRE_AFTER_MS - 60_000 < await crawl.client.pttl(key) <= EXPIRE_AFTER_MS, key
    assert await crawl.client.pttl("quarry") == -1


@pytest.mark.clause("LEDGER-30")
async def test_after_the_close_no_step_leaves_a_key_that_stays_for_ever(crawl):
    """Late messages, beats, zombies' records: nothing is created anew."""
    ledger = await done(crawl)
    lease = await ledger.begin_close("h", 1000)
    await ledger.close("h", lease.revision)
    await crawl.claim("a")
    await crawl.admit("a", "b")
    await crawl.retry("a")
    await crawl.settle("a")
    await crawl.settle("x", 1, names="y")
    await ledger.beat({key_of("a"): "T1"})
    await ledger.expire()
    await ledger.stop()
    await ledger.announce("h")
    await ledger.make_durable()
    for key in await crawl.client.keys("q:*"):
        assert await crawl.client.pttl(key) > 0, key


@pytest.mark.clause("LEDGER-31")
async def test_every_step_refuses_a_crawl_that_is_not_there_and_creates_nothing(crawl):
    """Redis lost its data, or the seven days are over."""
    ledger = crawl.ledger
    calls = [
        lambda: crawl.claim("a"),
        lambda: crawl.admit("a", "b"),
        lambda: crawl.retry("a"),
        lambda: crawl.settle("a"),
        lambda: ledger.beat({key_of("a"): "T1"}),
        ledger.expire,
        ledger.stop,
        lambda: ledger.begin_close("h", 1000),
        lambda: ledger.close("h", 1),
        lambda: ledger.announce("h"),
        lambda: ledger.statuses([key_of("a")]),
        ledger.counts,
        ledger.make_durable,
    ]
    for call in calls:
        with pytest.raises(LedgerMissingError, match="c1"):
            await call()
    assert (await ledger.state()).exists is False
    assert await crawl.client.dbsize() == 0


async def test_a_ledger_of_a_newer_schema_is_refused(crawl):
    """An old worker does not touch what it can't understand."""
    from quarry.errors import SchedulerError

    await crawl.begin("a")
    await crawl.client.hset("q:{c1}:meta", "schema", 2)
    for call in (lambda: crawl.claim("a"), lambda: crawl.begin("a"), crawl.ledger.state):
        with pytest.raises(SchedulerError, match="newer"):
            await call()
