"""The summary's arithmetic and the exit code that follows from it."""

from __future__ import annotations

import msgspec
import pytest

from quarry.config import MaxFailures
from quarry.crawl.closing import check_books
from quarry.crawl.plan import CrawlPlan
from quarry.crawl.summary import Tally, make_summary, result_of
from quarry.errors import LedgerImbalanceError
from quarry.lode import CommitRecord
from quarry.types import Counts, Outcome, OutcomeStatus


def plan(**more):
    fields = {
        "crawl": "c1",
        "day": "2026-01-02",
        "started_at": 1_700_000_000.0,
        "storage_path": "/data",
        "dataset": "quarry",
        "policy": "strict",
        "timeout_ms": 1000,
        "scripts_root": "/s",
        "cwd": "/s",
    }
    return CrawlPlan(**{**fields, **more})


def record(n, status="success", *, depth=1, error_type=None, message="", enqueued=0):
    return CommitRecord(
        key=f"{n:032x}",
        crawl="c1",
        day="2026-01-02",
        token="t",
        run_id=f"run-{n}",
        attempt=1,
        source="s",
        category="c",
        target="x.py",
        job={},
        script="/s/x.py",
        outcome=Outcome(status=OutcomeStatus(status), message=message, error_type=error_type),
        policy="strict",
        started_at="",
        ended_at="",
        duration_ms=1,
        deliveries=1,
        contract_version="1.0",
        quarry_version="0",
        depth=depth,
        rows={"item": 2, "run_complete": 1},
        event_count=3,
        enqueue_events=enqueued,
    )


def result(records, *, max_failures=None, stopped=False, counts=None, **more):
    tally = Tally()
    for entry in records:
        tally.add(entry)
    counts = counts or Counts(admitted=tally.records, succeeded=tally.succeeded, failed=tally.failed)
    summary = make_summary(
        plan(**more),
        counts=counts,
        tally=tally,
        stopped=stopped,
        stop_reason="",
        closed_at=1_700_000_001.5,
        attempts=0,
    )
    return result_of(plan(**more), summary, max_failures=max_failures, warnings=[])


@pytest.mark.clause("RUN-32")
@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("success", 0),
        ("script_error", 1),
        ("executor_crash", 2),
        ("policy_failure", 3),
        ("version_mismatch", 3),
    ],
)
def test_exit_code_is_the_roots_outcome(status, code):
    """Children that failed do not change it; the root's own outcome does."""
    done = result([record(1, status, depth=0), record(2, "script_error")])
    assert (done.exit_code, done.outcome) == (code, status)


@pytest.mark.clause("RUN-33")
def test_failures_are_grouped_by_error_type_with_a_count_and_one_example():
    """The most frequent first."""
    done = result(
        [
            record(1, depth=0),
            record(2, "script_error", error_type="KeyError", message="'a'"),
            record(3, "script_error", error_type="TimeoutError", message="slow"),
            record(4, "script_error", error_type="TimeoutError", message="slower"),
        ]
    )
    assert [(f["error_type"], f["count"]) for f in done.failures] == [("TimeoutError", 2), ("KeyError", 1)]
    assert done.failures[0]["example"]["message"] == "slow"
    assert done.exit_code == 0
    assert done.rows == {"item": 8, "run_complete": 4}
    assert done.event_count == 12


@pytest.mark.parametrize(
    ("bound", "code"),
    [
        (None, 0),
        (MaxFailures(count=2), 0),
        (MaxFailures(count=1), 5),
        (MaxFailures(count=0), 5),
        (MaxFailures(percent=50), 0),
        (MaxFailures(percent=49.9), 5),
    ],
)
def test_max_failures_bounds_the_children(bound, code):
    """So many may fail, or so many percent of those executed; one more is exit 5."""
    records = [record(1, depth=0), record(2), record(3, "script_error"), record(4, "executor_crash")]
    assert result(records, max_failures=bound).exit_code == code


@pytest.mark.clause("PROXY-21")
def test_runs_whose_endpoint_should_have_rested_are_a_warning_by_pool():
    """Of the reasons only these two; a foreign executor writes what it likes."""
    told = [
        *({"pool": "shop", "reason": reason} for reason in ("free", "resting", "given_up", "banned")),
        {"pool": "wide", "reason": "resting"},
        {"pool": "wide"},
        {"pool": 7, "reason": "resting"},
        None,
    ]
    done = result([msgspec.structs.replace(record(n), proxy=proxy) for n, proxy in enumerate(told)])
    assert done.warnings == [
        "2 runs used a resting or banned endpoint of pool shop: no other was left",
        "1 runs used a resting or banned endpoint of pool wide: no other was left",
    ]


def test_failed_roots_of_a_seed_list_count_as_failures_only():
    """With seeds no root is special: exit 0 without --max-failures, 5 above it."""
    records = [record(n, "script_error", depth=0) for n in range(3)]
    assert result(records, seeded=True).exit_code == 0
    assert result(records, seeded=True, max_failures=MaxFailures(count=2)).exit_code == 5


@pytest.mark.clause("RUN-32", "RUN-51")
def test_a_stopped_crawl_exits_4_whatever_its_root_did():
    """And says how much was not executed; seed lines are no jobs yet, and are counted apart."""
    counts = Counts(admitted=3, succeeded=1, not_executed=2, unread=5)
    done = result([record(1, depth=0)], stopped=True, counts=counts)
    assert (done.exit_code, done.outcome) == (4, "stopped")
    assert "2 jobs were not executed" in done.message
    assert "at least 5 seed lines" in done.message
    whole = result([record(1, depth=0)], stopped=True, counts=Counts(admitted=1, succeeded=1))
    assert "seed" not in whole.message


@pytest.mark.clause("RUN-31")
@pytest.mark.parametrize(
    "wrong",
    [
        {"received": 4},
        {"admitted": 3},
        {"succeeded": 1, "failed": 1},
        {"replayed": 1},
        {"seeds": 2},
    ],
)
def test_books_that_do_not_balance_are_an_error(wrong):
    """Each equation is asserted, in the ledger and against the records."""
    tally = Tally()
    tally.add(record(1, depth=0, enqueued=2))
    tally.add(record(2))
    right = {"seeds": 1, "received": 3, "admitted": 2, "duplicate": 1, "succeeded": 2}
    check_books(Counts(**right), tally, 0)
    with pytest.raises(LedgerImbalanceError, match="does not balance"):
        check_books(Counts(**{**right, **wrong}), tally, 0)


def test_counts_name_each_broken_equation():
    """Both at once where both are broken."""
    assert len(Counts(received=1, pending=1).imbalances()) == 2
    assert Counts().imbalances() == []
