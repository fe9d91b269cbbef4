"""The storage of a crawl, as a machine that may not have begun it finds it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from quarry.errors import StoreError
from quarry.lode import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.crawl.plan import CrawlPlan
    from quarry.lode import CommitRecord


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


def put_checked(
    plan: CrawlPlan, dataset: Dataset, put: Callable[[CommitRecord], CommitRecord], record: CommitRecord
) -> CommitRecord:
    """Put a record, once all that it names was seen to be there; blocks.

    Storage that was moved away and back while a run was executed has lost what the run wrote meanwhile: each
    write was durable, in a folder that is gone.

    Args:
        plan: The crawl.
        dataset: Its dataset.
        put: ``put_record`` or ``put_attempt`` of the dataset.
        record: What to put.

    Returns:
        The record that stands.

    Raises:
        StoreError: The storage is not the crawl's, or a file is missing, and nothing was put; or as ``put``.
    """
    check_mark(plan)
    for named in (*(file.path for file in record.files), *(file.path for file in record.sidecars)):
        path = os.path.join(dataset.root, named)
        # One stat a file, in memory still: it was synced a moment ago. An object store needs none: its answer
        # to the put was about the place that it is read from.
        if not os.path.exists(path):
            raise StoreError(
                f"{path} was written by run {record.run_id} and is not there: the storage was moved or"
                " emptied meanwhile; the run is delivered again",
                kind="not_found",
            )
    return put(record)
