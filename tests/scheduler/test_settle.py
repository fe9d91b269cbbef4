"""The step `settle`: the record decides, the ledger follows it."""

from __future__ import annotations

import pytest

from tests.scheduler.crawling import key_of


async def books(crawl):
    """What the books of a closed crawl must show: enqueue events of records; and what was replayed."""
    counts = await crawl.counts()
    return counts.received - counts.replayed - counts.seeds, counts.replayed


async def lapse(crawl, name, token):
    """The delivery is lost, the next one claims."""
    crawl.clock.advance(60_001)
    await crawl.ledger.expire()
    claim = await crawl.claim(name, token)
    assert claim.status == "ok"


@pytest.mark.clause("LEDGER-22")
async def test_a_record_ends_its_job_and_frees_the_slot(crawl):
    """Outcome and gauges change in one step, and the next lease is handed out."""
    await crawl.begin("a b c")
    await crawl.claim("a")
    assert (await crawl.settle("a")).status == "ok"
    await crawl.claim("b")
    await crawl.settle("b", succeeded=False)
    counts = await crawl.counts()
    assert (counts.succeeded, counts.failed, counts.leased, counts.pending) == (1, 1, 1, 0)
    assert (await crawl.status("a"), await crawl.status("b")) == ("succeeded", "failed")
    assert (await crawl.messages())[-1] == "c"


@pytest.mark.clause("LEDGER-22")
async def test_a_job_ends_once(crawl):
    """A repeated settle, by whoever adopted the record, changes nothing."""
    await crawl.begin("a b")
    await crawl.claim("a")
    await crawl.settle("a")
    before = await crawl.counts()
    for succeeded in (True, False):
        assert (await crawl.settle("a", succeeded=succeeded)).status == "already"
    assert await crawl.counts() == before


async def test_the_last_settle_says_that_the_crawl_can_close(crawl):
    """And so does its repetition, whose first reply was lost."""
    await crawl.begin("a")
    await crawl.claim("a")
    assert (await crawl.settle("a")).status == "closed"
    assert (await crawl.settle("a")).status == "closed"


@pytest.mark.clause("LEDGER-19")
async def test_events_that_the_ledger_does_not_know_are_admitted_from_the_data(crawl):
    """It was rolled back: it asks from its position on, in batches, and ends the job with the last."""
    await crawl.begin("a", parallel=9)
    await crawl.claim("a")
    await crawl.admit("a", "b")
    answer = await crawl.settle("a", 4)
    assert (answer.status, answer.position) == ("more", 1)
    assert await crawl.status("a") == "leased"
    answer = await crawl.settle("a", 4, start=1, names="c d")
    assert (answer.status, answer.position) == ("more", 3)
    assert (await crawl.settle("a", 4, start=1, names="c d")).position == 3
    assert (await crawl.settle("a", 4, start=3, names="e")).status == "ok"
    assert (await crawl.counts()).admitted == 5
    assert await books(crawl) == (4, 0)


@pytest.mark.clause("LEDGER-19")
async def test_a_batch_behind_the_position_leaves_no_gap(crawl):
    """Events are never left out: the ledger names its position again."""
    await crawl.begin("a")
    await crawl.claim("a")
    answer = await crawl.settle("a", 3, start=1, names="c d")
    assert (answer.status, answer.position) == ("more", 0)
    assert await crawl.status("c") == "unknown"


@pytest.mark.clause("LEDGER-19")
async def test_no_more_events_are_taken_than_the_record_has(crawl):
    """A batch that is too long is cut at n."""
    await crawl.begin("a")
    await crawl.claim("a")
    await crawl.settle("a", 1, names="b c")
    assert await crawl.status("c") == "unknown"
    assert await books(crawl) == (1, 0)


@pytest.mark.clause("LEDGER-16")
async def test_what_another_delivery_had_counted_is_replayed(crawl):
    """Two deliveries execute; the first one's record stands; the second had said more."""
    await crawl.begin("a")
    await crawl.claim("a", "T1")
    await crawl.admit("a", "b", token="T1")
    await lapse(crawl, "a", "T2")
    await crawl.admit("a", "b c d", token="T2")
    assert (await crawl.settle("a", 1, token="T1")).position == 0
    assert (await crawl.settle("a", 1, token="T1", names="b")).status == "ok"
    assert (await crawl.counts()).received == 1 + 1 + 3 + 1
    assert await books(crawl) == (1, 4)


@pytest.mark.clause("LEDGER-16")
async def test_a_repeated_batch_of_another_record_is_replayed_once(crawl):
    """From the first batch on the position belongs to the record."""
    await crawl.begin("a")
    await crawl.claim("a", "T1")
    await crawl.admit("a", "b c", token="T1")
    for _ in range(3):
        answer = await crawl.settle("a", 5, token="T2", start=0, names="x y")
        assert (answer.status, answer.position) == ("more", 2)
    assert (await crawl.counts()).replayed == 2


@pytest.mark.clause("LEDGER-23")
async def test_what_the_policy_dropped_counts_as_received_and_duplicate(crawl):
    """It was admitted before the policy saw it, and is not in the data."""
    await crawl.begin("a")
    await crawl.claim("a")
    await crawl.admit("a", "b c", token="T1")
    await lapse(crawl, "a", "T2")
    answer = await crawl.settle("a", 5, token="T2", start=0, names="b c", dropped=2)
    assert (answer.status, answer.position) == ("more", 4)
    assert (await crawl.settle("a", 5, token="T2", start=0, names="b c", dropped=2)).position == 4
    assert (await crawl.settle("a", 5, token="T2", start=4, dropped=9)).status == "ok"
    assert await books(crawl) == (5, 2)
    assert (await crawl.counts()).duplicate == 5


@pytest.mark.clause("LEDGER-18")
async def test_what_was_admitted_but_is_in_no_record_is_replayed(crawl):
    """The policy failed between admission and storage: n is less than the position."""
    await crawl.begin("a")
    await crawl.claim("a")
    await crawl.admit("a", "b c d")
    await crawl.settle("a", 1, succeeded=False)
    assert await books(crawl) == (1, 2)
    assert (await crawl.counts()).admitted == 4


@pytest.mark.clause("LEDGER-21")
async def test_a_zombies_record_of_a_retried_attempt_takes_its_attempts_record_out(crawl):
    """Attempt 1 was retried, then a lost delivery of it put a final record: that run counts once."""
    await crawl.begin("a", max_attempts=3, parallel=1)
    await crawl.claim("a", "T1")
    await crawl.admit("a", "b", token="T1")
    await lapse(crawl, "a", "T2")
    await crawl.admit("a", "b c", token="T2")
    await crawl.retry("a", 2, token="T2")
    await crawl.claim("a", "T3")
    await crawl.admit("a", "b c d", token="T3")
    answer = await crawl.settle("a", 1, token="T1", attempt=1)
    assert (answer.status, answer.position) == ("more", 0)
    await crawl.settle("a", 1, token="T1", attempt=1, names="b")
    # The winner's one event; T1's own first telling, T2's two (kept, then out), T3's three were replayed.
    assert await books(crawl) == (1, 1 + 2 + 3)


@pytest.mark.clause("LEDGER-21")
async def test_attempts_below_the_winner_stay_counted(crawl):
    """Each has its record and was followed by another."""
    await crawl.begin("a", max_attempts=3)
    for token, n in (("T1", 1), ("T2", 2)):
        await crawl.claim("a", token)
        await crawl.admit("a", "b c"[: 2 * n - 1], token=token)
        assert (await crawl.retry("a", n, token=token)).status == "ok"
    await crawl.claim("a", "T3")
    await crawl.settle("a", 0, token="T3", attempt=3)
    assert await books(crawl) == (3, 0)


@pytest.mark.clause("LEDGER-21")
async def test_retried_attempts_above_the_winner_are_replayed(crawl):
    """The final record of attempt 1 came from a zombie: attempt 2's failure was not followed by it."""
    await crawl.begin("a", max_attempts=3)
    await crawl.claim("a", "T1")
    await crawl.retry("a", 0, token="T1")
    await crawl.claim("a", "T2")
    await crawl.admit("a", "b", token="T2")
    await crawl.retry("a", 1, token="T2")
    await crawl.settle("a", 0, token="T0", attempt=1)
    assert await books(crawl) == (0, 1)


@pytest.mark.clause("LEDGER-04")
async def test_admission_is_irrevocable(crawl):
    """Children of a delivery that lost stay admitted, though the record that stands does not name them."""
    await crawl.begin("a")
    await crawl.claim("a", "T1")
    await crawl.admit("a", "b", token="T1")
    await lapse(crawl, "a", "T2")
    await crawl.settle("a", 0, token="T2")
    assert await crawl.status("b") == "leased"
    assert await books(crawl) == (0, 1)


@pytest.mark.clause("LEDGER-24")
async def test_a_job_that_the_ledger_does_not_know_is_received_admitted_and_replayed(crawl):
    """Its record proves an admission that a rollback took away."""
    await crawl.begin("a", parallel=2)
    answer = await crawl.settle("x", 1, depth=2, attempt=1)
    assert (answer.status, answer.position) == ("more", 0)
    assert await crawl.status("x") == "unknown"
    await crawl.settle("x", 1, depth=2, attempt=1, names="y")
    counts = await crawl.counts()
    assert (counts.received, counts.admitted, counts.succeeded, counts.replayed) == (3, 3, 1, 1)
    assert (counts.max_depth_seen, await crawl.status("x")) == (3, "succeeded")
    assert await books(crawl) == (1, 1)
    assert (await crawl.claim("y")).depth == 3


@pytest.mark.clause("LEDGER-24")
async def test_a_settler_of_an_unknown_job_that_died_is_followed_by_another(crawl):
    """Between two batches the job is still unknown, its own key already seen, its position kept."""
    await crawl.begin("a")
    await crawl.settle("x", 2, depth=1, names="y")
    await crawl.claim("a")
    await crawl.admit("a", "x")
    assert (await crawl.counts()).duplicate == 1
    assert await crawl.status("x") == "unknown"
    answer = await crawl.settle("x", 2, depth=1)
    assert (answer.status, answer.position) == ("more", 1)
    assert (await crawl.settle("x", 2, depth=1, start=1, names="z")).status == "ok"
    counts = await crawl.counts()
    assert (counts.succeeded, counts.admitted) == (1, 4)


@pytest.mark.clause("LEDGER-24")
async def test_a_job_held_as_not_executed_is_settled_by_its_record(crawl):
    """After a rollback the ledger stopped it as never leased; its record says otherwise."""
    await crawl.begin("a b")
    await crawl.ledger.stop()
    assert (await crawl.settle("b", 1)).status == "more"
    assert await crawl.status("b") == "not_executed"
    await crawl.settle("b", 1, names="c")
    counts = await crawl.counts()
    assert (counts.succeeded, counts.not_executed, counts.leased, counts.admitted) == (1, 1, 1, 3)
    assert (await crawl.status("b"), await crawl.status("c")) == ("succeeded", "not_executed")


async def test_a_job_that_is_pending_again_is_settled_by_its_record(crawl):
    """The lost delivery had put it; nobody executes it again."""
    await crawl.begin("a b")
    await crawl.claim("a")
    crawl.clock.advance(60_001)
    await crawl.client.hset("q:{c1}:meta", "parallel", 0)
    await crawl.ledger.expire()
    assert await crawl.status("a") == "pending"
    await crawl.settle("a")
    assert await crawl.client.zscore("q:{c1}:pending", key_of("a")) is None
    counts = await crawl.counts()
    assert (counts.succeeded, counts.pending, counts.leased) == (1, 1, 0)


async def test_an_owed_job_is_settled_and_owed_no_more(crawl):
    """Its record was put by whoever was told, or was there already."""
    await crawl.begin("a", max_redeliveries=0)
    await crawl.claim("a")
    crawl.clock.advance(60_001)
    await crawl.ledger.expire()
    await crawl.settle("a", 0, token="reaper", succeeded=False)
    crawl.clock.advance(900_000)
    answer = await crawl.ledger.expire()
    assert (answer.owed, answer.idle) == ([], True)


async def test_an_ended_job_leaves_only_its_key_behind(crawl):
    """Memory of a crawl is that of its seen keys and of what is in work."""
    await crawl.begin("a")
    await crawl.claim("a")
    await crawl.settle("a")
    for part in ("st", "job", "msg", "pending", "leases", "unclaimed", "owed"):
        assert not await crawl.client.exists(f"q:{{c1}}:{part}"), part


@pytest.mark.clause("LEDGER-24")
async def test_after_the_close_an_unknown_record_changes_nothing(crawl):
    """A forgotten zombie's record comes too late; `verify()` names it."""
    await crawl.begin("")
    lease = await crawl.ledger.begin_close("h", 1000)
    await crawl.ledger.close("h", lease.revision)
    before = await crawl.counts()
    assert (await crawl.settle("x")).status == "closed"
    assert await crawl.counts() == before
