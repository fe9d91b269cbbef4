"""What a command reports of a crawl: a tally of what can be read, and the exit report."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from quarry.crawl.summary import Tally
from quarry.errors import StoreError
from quarry.wiring import write_report

if TYPE_CHECKING:
    from quarry.config import Settings
    from quarry.crawl.plan import CrawlPlan
    from quarry.lode import Dataset
    from quarry.types import RunResult


def add_up(plan: CrawlPlan, dataset: Dataset | None) -> Tally:
    """Add up what was committed, as far as it can be read."""
    tally = Tally()
    if dataset is not None:
        with contextlib.suppress(StoreError):
            for record in dataset.records(plan.day, plan.crawl):
                tally.add(record)
    return tally


def report_crawl(settings: Settings, result: RunResult) -> RunResult:
    """Write the exit report of a crawl where ``--report`` asks for it, and give the result on.

    Raises:
        ConfigError: The path can't be written.
    """
    if settings.report:
        write_report(settings.report, msgspec.json.format(msgspec.json.encode(result)).decode())
    return result
