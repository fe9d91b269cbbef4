"""The summary of a crawl and the exit code that follows from it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.types import Counts, OutcomeStatus, RunResult, exit_code_of, format_timestamp
from quarry.types.rotation import LEAST_BAD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.config import MaxFailures
    from quarry.crawl.plan import CrawlPlan
    from quarry.lode import CommitRecord

EXIT_UNFINISHED = 4
EXIT_FAILURES = 5
EXIT_FORCED = 130

_LISTED = 1000
"""Failed runs listed one by one in a summary; the index lists all."""

_EXAMPLE_CHARS = 500

_STOPPED = {
    "interrupt": "the crawl was stopped by an interrupt",
    "asked": "the crawl was stopped by 'quarry stop'",
    "max_duration": "the crawl was stopped at its --max-duration",
}


def exceeds(bound: MaxFailures, failed: int, executed: int) -> bool:
    """Say whether so many failures of so many executed runs are more than ``--max-failures`` allows."""
    if bound.count is not None:
        return failed > bound.count
    return bound.percent is not None and failed * 100 > bound.percent * executed


class Tally:
    """Adds up commit records, one by one, in any order."""

    def __init__(self) -> None:
        self.records = 0
        self.succeeded = 0
        self.failed = 0
        self.events = 0
        self.enqueue_events = 0
        self.rows: dict[str, int] = {}
        self.roots: list[dict[str, Any]] = []
        self.root_statuses: dict[str, int] = {}
        self.failed_roots = 0
        self.failed_runs: list[dict[str, Any]] = []
        self.least_bad: dict[str, int] = {}
        self._failures: dict[str, dict[str, Any]] = {}

    def add(self, record: CommitRecord) -> None:
        """Count one final record."""
        self.records += 1
        self.events += record.event_count
        self.enqueue_events += record.enqueue_events
        for kind, rows in record.rows.items():
            self.rows[kind] = self.rows.get(kind, 0) + rows
        pool = _least_bad_pool(record)
        if pool is not None:
            self.least_bad[pool] = self.least_bad.get(pool, 0) + 1
        status = record.outcome.status
        failed = status is not OutcomeStatus.SUCCESS
        self.failed += failed
        self.succeeded += not failed
        if record.depth == 0:
            self.failed_roots += failed
            self.root_statuses[status.value] = self.root_statuses.get(status.value, 0) + 1
            if len(self.roots) < _LISTED:
                self.roots.append(
                    {"run_id": record.run_id, "outcome": status.value, "attempt": record.attempt}
                )
        if failed:
            self._add_failure(record)

    def failures(self) -> list[dict[str, Any]]:
        """Give the failures by error type, the most frequent first."""
        return sorted(self._failures.values(), key=lambda f: (-f["count"], f["error_type"]))

    def worst_root(self) -> OutcomeStatus | None:
        """Give the worst outcome among the roots: 2, then 3, then 1, then 0; None without a root."""
        found = [OutcomeStatus(value) for value in self.root_statuses]
        return max(found, key=_badness, default=None)

    def _add_failure(self, record: CommitRecord) -> None:
        kind = record.outcome.error_type or record.outcome.status.value
        example = {
            "run_id": record.run_id,
            "message": record.outcome.message[:_EXAMPLE_CHARS],
            "target": record.target,
        }
        group = self._failures.setdefault(kind, {"error_type": kind, "count": 0, "example": example})
        group["count"] += 1
        if len(self.failed_runs) < _LISTED:
            self.failed_runs.append(
                {
                    "run_id": record.run_id,
                    "outcome": record.outcome.status.value,
                    "error_type": kind,
                    "reason": record.outcome.reason,
                    "depth": record.depth,
                }
            )


def make_summary(
    plan: CrawlPlan,
    *,
    counts: Counts,
    tally: Tally,
    stopped: bool,
    stop_reason: str,
    closed_at: float,
    attempts: int,
) -> dict[str, Any]:
    """Make the summary that is put beside the records.

    Args:
        plan: The crawl.
        counts: The ledger's counters at the close.
        tally: Of all final records.
        stopped: Whether the crawl was stopped.
        stop_reason: Why.
        closed_at: Unix seconds.
        attempts: Failed attempts that were followed by another.
    """
    worst = tally.worst_root()
    return {
        "record_kind": "fanout_summary",
        "crawl": plan.crawl,
        "day": plan.day,
        "state": "stopped" if stopped else "complete",
        "stop_reason": stop_reason or None,
        "started_at": format_timestamp(plan.started_at),
        "closed_at": format_timestamp(closed_at),
        "duration_ms": round((closed_at - plan.started_at) * 1000),
        "bounds": plan.bounds,
        "fanout": counts.fanout(),
        "records": tally.records,
        "failed_attempts": attempts,
        "event_count": tally.events,
        "enqueue_events": tally.enqueue_events,
        "rows": dict(sorted(tally.rows.items())),
        "root_outcome": worst.value if worst else None,
        "roots": tally.roots,
        "failed_roots": tally.failed_roots,
        "failures": tally.failures(),
        "failed_runs": tally.failed_runs,
        "least_bad_proxies": dict(sorted(tally.least_bad.items())),
        "policy": plan.policy,
    }


def result_of(
    plan: CrawlPlan,
    summary: dict[str, Any],
    *,
    max_failures: MaxFailures | None,
    warnings: Iterable[str],
) -> RunResult:
    """Turn a closed crawl's summary into the command's result."""
    fanout: dict[str, int] = summary["fanout"]
    exit_code, outcome, message = _verdict(plan, summary, max_failures)
    return RunResult(
        run_id=plan.crawl,
        crawl=plan.crawl,
        attempt=plan.first_attempt,
        outcome=outcome,
        exit_code=exit_code,
        message=message,
        event_count=summary["event_count"],
        policy=plan.policy,
        storage=plan.storage_view(),
        duration_ms=summary["duration_ms"],
        fanout=fanout,
        failures=summary["failures"],
        rows=summary["rows"],
        warnings=[*warnings, *_proxy_warnings(summary)],
    )


def partial_result(
    plan: CrawlPlan,
    *,
    outcome: str,
    message: str,
    duration_ms: int,
    exit_code: int = EXIT_UNFINISHED,
    tally: Tally | None = None,
    counts: Counts | None = None,
) -> RunResult:
    """Make the result of a command without a summary: of a single run, or of a crawl that it saw no end of.

    Args:
        plan: The crawl.
        outcome: How the command ended.
        message: Why, and what to do.
        duration_ms: Of the command.
        exit_code: Of the command.
        tally: Of what was committed, as far as it was read.
        counts: The ledger's counters as they were last read.
    """
    tally = tally or Tally()
    return RunResult(
        run_id=plan.crawl,
        crawl=plan.crawl,
        attempt=plan.first_attempt,
        outcome=outcome,
        exit_code=exit_code,
        message=message,
        event_count=tally.events,
        policy=plan.policy,
        storage=plan.storage_view(),
        duration_ms=duration_ms,
        fanout=counts.fanout() if counts is not None else None,
        failures=tally.failures(),
        rows=tally.rows,
    )


def forced_result(
    plan: CrawlPlan, *, duration_ms: int, tally: Tally | None = None, counts: Counts | None = None
) -> RunResult:
    """Make the result of a command that was ended by a second interrupt; all else as `partial_result`."""
    return partial_result(
        plan,
        outcome="interrupted",
        exit_code=EXIT_FORCED,
        message="ended at the second interrupt; what was in flight left no record",
        duration_ms=duration_ms,
        tally=tally,
        counts=counts,
    )


def _least_bad_pool(record: CommitRecord) -> str | None:
    """Name the pool of a run that got an endpoint which should have rested; None of any other run."""
    told = record.proxy or {}
    pool = told.get("pool")
    return pool if isinstance(pool, str) and told.get("reason") in LEAST_BAD else None


def _proxy_warnings(summary: dict[str, Any]) -> list[str]:
    # A summary of a former version has none.
    return [
        f"{runs} runs used a resting or banned endpoint of pool {pool}: no other was left"
        for pool, runs in summary.get("least_bad_proxies", {}).items()
    ]


def _verdict(
    plan: CrawlPlan, summary: dict[str, Any], max_failures: MaxFailures | None
) -> tuple[int, str, str]:
    fanout = summary["fanout"]
    failed, executed = fanout["failed"], fanout["failed"] + fanout["succeeded"]
    root = OutcomeStatus(summary["root_outcome"]) if summary["root_outcome"] else None
    if summary["state"] == "stopped":
        why = _STOPPED.get(summary.get("stop_reason") or "", "the crawl was stopped")
        # Not one sum: a line that was not received may be of a job that was, and lines that the seeder had
        # not offered by the close are in no counter.
        left = f"{fanout['not_executed']} jobs were not executed"
        if fanout["unread"]:
            left += f", at least {fanout['unread']} seed lines were not received"
        return EXIT_UNFINISHED, "stopped", f"{why}; {left}"
    if root is not None and root is not OutcomeStatus.SUCCESS and not plan.seeded:
        return exit_code_of(root), root.value, _root_message(summary)
    # With seeds the roots are many and none is special: they count like children.
    counted = failed if plan.seeded else failed - summary["failed_roots"]
    if max_failures is not None and exceeds(max_failures, counted, executed):
        return (
            EXIT_FAILURES,
            "failures",
            f"{counted} of {executed} runs failed, more than --max-failures allows",
        )
    return 0, "success", f"{failed} of {executed} runs failed" if failed else ""


def _root_message(summary: dict[str, Any]) -> str:
    roots = {root["run_id"] for root in summary["roots"]}
    for group in summary["failures"]:
        if group["example"]["run_id"] in roots:
            return str(group["example"]["message"])
    return "the root run failed"


def _badness(status: OutcomeStatus) -> int:
    return {0: 0, 1: 1, 3: 2, 2: 3}[exit_code_of(status)]
