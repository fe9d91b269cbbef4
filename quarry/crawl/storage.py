"""The storage of a crawl, as a machine that did not begin it finds it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from quarry.errors import StoreError
from quarry.lode import Dataset

if TYPE_CHECKING:
    from quarry.crawl.plan import CrawlPlan


def open_storage(plan: CrawlPlan) -> Dataset:
    """Open it for writing.

    Raises:
        StoreError: It can't be written, or it is a folder of the same name on another machine: whatever
        would be
            written there, nobody would find.
    """
    check_mark(plan)
    return Dataset.create(plan.storage_path, plan.dataset)


def check_mark(plan: CrawlPlan) -> None:
    """Look for the mark of a crawl over many machines.

    Raises:
        StoreError: It is not there.
    """
    if plan.fleet and not storage_is_here(plan):
        raise StoreError(
            f"{plan.storage_path} on {socket.gethostname()} is not the storage that crawl {plan.crawl}"
            " was begun in"
            " (its mark is not there): mount the same storage at this path on every machine"
        )


def storage_is_here(plan: CrawlPlan) -> bool:
    """Say whether this machine sees the storage that a crawl over many machines was begun in."""
    return Dataset.at(plan.storage_path, plan.dataset).has_marker(plan.day, plan.crawl)
