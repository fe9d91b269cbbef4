"""Check a closed crawl: its records against its summary, the ledger's equations, and its lineage."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from quarry.errors import StoreError
from quarry.lode import layout
from quarry.lode.layout import CrawlPath, RecordPath
from quarry.lode.problems import Problem
from quarry.types import OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.lode.catalog import Catalog
    from quarry.lode.records import CommitRecord


def check_closed(catalog: Catalog, place: CrawlPath) -> list[Problem]:
    """Check a crawl that has a summary; one without is not closed, and nothing is found.

    Of the summary are read, where they are there: ``fanout`` (the ledger's counters), ``bounds.max_runs``,
    ``event_count`` and ``rows``.
    """
    where = layout.build_summary(place)
    try:
        summary = catalog.summary(place)
    except StoreError as error:
        return [Problem("summary_unreadable", where, error.message)]
    if summary is None:
        return []
    tally = _Tally()
    for record in _records(catalog, place):
        tally.add(record)
    tally.enqueues += _attempt_enqueues(catalog, place, tally.attempts)
    return [Problem(kind, where, text) for kind, text in _compare(summary, tally)] + [
        Problem(
            "lineage", layout.build_record(RecordPath(*place, key)), f"its parent job {parent} has no record"
        )
        for key, parent in tally.parents
        if parent not in tally.attempts
    ]


class _Tally:
    """What the records of a crawl add up to."""

    def __init__(self) -> None:
        self.attempts: dict[str, int] = {}
        self.parents: list[tuple[str, str]] = []
        self.states: Counter[str] = Counter()
        self.enqueues = 0
        self.events = 0
        self.rows: Counter[str] = Counter()

    def add(self, record: CommitRecord | None) -> None:
        """Count a final record."""
        if record is None:
            return
        self.attempts[record.key] = record.attempt
        if record.parent_job is not None:
            self.parents.append((record.key, record.parent_job))
        self.states["succeeded" if record.outcome.status is OutcomeStatus.SUCCESS else "failed"] += 1
        self.enqueues += record.enqueue_events
        self.events += record.event_count
        self.rows.update(record.rows)


def _compare(summary: dict[str, Any], tally: _Tally) -> Iterator[tuple[str, str]]:
    fanout = summary.get("fanout")
    if isinstance(fanout, dict):
        for state in ("succeeded", "failed"):
            if state in fanout and fanout[state] != tally.states[state]:
                yield (
                    "summary_counts",
                    f"the ledger closed with {fanout[state]} {state}, {tally.states[state]} records say so",
                )
        if {"received", "replayed", "seeds"} <= fanout.keys():
            net = fanout["received"] - fanout["replayed"] - fanout["seeds"]
            if net != tally.enqueues:
                yield (
                    "summary_enqueues",
                    f"received - replayed - seeds is {net}, the records hold {tally.enqueues} enqueue events",
                )
    bounds = summary.get("bounds")
    max_runs = bounds.get("max_runs") if isinstance(bounds, dict) else None
    if isinstance(max_runs, int) and len(tally.attempts) > max_runs:
        yield "over_max_runs", f"{len(tally.attempts)} jobs were executed and --max-runs was {max_runs}"
    if isinstance(summary.get("event_count"), int) and summary["event_count"] != tally.events:
        yield (
            "summary_counts",
            f"event_count is {summary['event_count']}, the records add up to {tally.events}",
        )
    rows = summary.get("rows")
    if isinstance(rows, dict) and rows != dict(tally.rows):
        yield "summary_counts", f"rows are {rows}, the records add up to {dict(tally.rows)}"


def _attempt_enqueues(catalog: Catalog, place: CrawlPath, final: dict[str, int]) -> int:
    """Add up attempts below their job's final one: what others said, the ledger counts as replayed."""
    try:
        return sum(
            attempt.enqueue_events
            for attempt in catalog.effective_attempts(place)
            if attempt.attempt < final.get(attempt.key, attempt.attempt + 1)
        )
    except StoreError:
        return 0  # named by the check of records


def _records(catalog: Catalog, place: CrawlPath) -> Iterator[CommitRecord | None]:
    for name in catalog.names(layout.RUNS, place):
        try:
            yield catalog.load(layout.RUNS, RecordPath(*place, name))
        except StoreError:
            yield None  # named by the check of records
