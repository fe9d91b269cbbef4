"""What a command reports of a crawl that it did not see to its end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from quarry.crawl.summary import Tally
from quarry.errors import StoreError
from quarry.types import RunResult
from quarry.wiring import EXIT_UNFINISHED

if TYPE_CHECKING:
    from quarry.crawl.plan import CrawlPlan
    from quarry.lode import Dataset
    from quarry.types import Counts


def add_up(plan: CrawlPlan, dataset: Dataset | None) -> Tally:
    """Add up what was committed, as far as it can be read."""
    tally = Tally()
    if dataset is not None:
        with contextlib.suppress(StoreError):
            for record in dataset.records(plan.day, plan.crawl):
                tally.add(record)
    return tally


def partial_result(
    plan: CrawlPlan,
    dataset: Dataset | None,
    counts: Counts | None,
    *,
    outcome: str,
    message: str,
    duration_ms: int,
    exit_code: int = EXIT_UNFINISHED,
) -> RunResult:
    """Make the result of a crawl that goes on, or that nothing more can be done for.

    Args:
        plan: The crawl.
        dataset: Its storage, where this machine sees it.
        counts: The ledger's counters as they were last read.
        outcome: ``unfinished``, ``detached`` or ``closed``.
        message: Why, and what to do.
        duration_ms: Of the command.
        exit_code: Of the command.
    """
    tally = add_up(plan, dataset)
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
