"""The roots of a crawl that retries failed jobs. Pure but for looking whether a script exists."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quarry.crawl.children import pool_of
from quarry.crawl.plan import JobPayload
from quarry.types import OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from quarry.crawl.children import PoolEntry
    from quarry.lode import CommitRecord


def choose_failed(
    records: Iterable[CommitRecord], wanted: Sequence[str]
) -> tuple[list[CommitRecord], list[str]]:
    """Choose the jobs to retry.

    Args:
        records: Final records of the crawl.
        wanted: Job keys or run ids; empty means all that failed.

    Returns:
        The failed records, in their order, and a problem for each name that is none of them.
    """
    failed: dict[str, CommitRecord] = {}
    succeeded: set[str] = set()
    for record in records:
        if record.outcome.status is OutcomeStatus.SUCCESS:
            succeeded.update((record.key, record.run_id))
        else:
            failed[record.key] = record
    if not wanted:
        return list(failed.values()), []
    by_run = {record.run_id: record for record in failed.values()}
    chosen: dict[str, CommitRecord] = {}
    problems = []
    for name in dict.fromkeys(wanted):
        found = failed.get(name) or by_run.get(name)
        if found is not None:
            chosen[found.key] = found
        elif name in succeeded:
            problems.append(f"job {name} succeeded: there is nothing to retry")
        else:
            problems.append(f"job {name}: no job of the crawl has this key or run id")
    return list(chosen.values()), problems


def root_of(record: CommitRecord) -> str | None:
    """Give the scripts root that a record's script was under; None where its target is no path under one."""
    suffix = os.sep + record.target.replace("/", os.sep)
    return record.script[: -len(suffix)] or os.sep if record.script.endswith(suffix) else None


def make_retry(
    record: CommitRecord, scripts_root: str, scripts: dict[str, str]
) -> tuple[JobPayload, str | None]:
    """Make the root that retries a job: its next attempt, after its last run.

    Args:
        record: The failed record.
        scripts_root: Absolute folder of the scripts here.
        scripts: Absolute paths by logical name.

    Returns:
        The payload, without a pool, and the problem where its script is not here.
    """
    path = scripts.get(record.target)
    if path is None:
        path = os.path.normpath(os.path.join(scripts_root, record.target))
        if not os.path.isfile(path) and os.path.isfile(record.script):
            path = record.script
    problem = None if os.path.isfile(path) else f"script {record.target!r} is not here: looked for {path}"
    payload = JobPayload(
        target=record.target,
        params=record.job,
        source=record.source,
        category=record.category,
        path=path,
        job_id=record.job_id,
        parent_run_id=record.run_id,
        root_run_id=record.root_run_id,
        first_attempt=record.attempt + 1,
    )
    return payload, problem


def choose_pool(
    record: CommitRecord,
    entry: PoolEntry | None,
    *,
    pools: Container[str],
    default: str | None,
    asked: bool = False,
) -> tuple[str | None, str | None]:
    """Choose the proxy pool of a retried job.

    In this order: what the configuration says of its script; what the command line says; the pool that
    its last run had; the command's by file or variable.

    Args:
        record: The failed record.
        entry: What the configuration says of its script.
        pools: Names of the configuration's pools.
        default: The command's pool; None is none.
        asked: Whether the command line named it, or ``none``: then what the last run had does not count.

    Returns:
        The pool's name, and the problem where there would be no proxy for a job that had one.
    """
    told = (record.proxy or {}).get("pool")
    had = told if isinstance(told, str) else None  # a foreign executor writes what it likes
    chosen = pool_of(entry, had if had in pools and not asked else default)
    if had is None or asked or chosen is not None or (entry is not None and entry.proxy is not None):
        return chosen, None
    return None, (
        f"the runs of script {record.target!r} had proxy pool {had!r}, which the configuration does not have:"
        " define it there (--config), or name another one with --proxy-pool"
    )


def depth_left(bound: int | None, records: Iterable[CommitRecord]) -> int | None:
    """Give the depth bound of the retrying crawl: what the first one's leaves below the highest job."""
    if bound is None:
        return None
    return max(0, bound - min((record.depth for record in records), default=0))
