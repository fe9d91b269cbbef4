"""Commit records: made from what a delivery knows, or for a job that no delivery ended. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from quarry.lode import CommitRecord, Sealed
from quarry.types import Outcome, OutcomeStatus, RunIdentity, derived_run_id, format_timestamp
from quarry.version import CONTRACT_VERSION, __version__

if TYPE_CHECKING:
    from quarry.crawl.plan import CrawlPlan, JobPayload
    from quarry.policy import PolicyCounters
    from quarry.runtime import RunReport
    from quarry.scheduler import Owed


def identity_of(plan: CrawlPlan, key: str, job: JobPayload, *, attempt: int, depth: int) -> RunIdentity:
    """Say which run an attempt of a job is: whoever asks, before or after a crash, gets the same.

    Args:
        plan: The crawl.
        key: Job key.
        job: Its payload.
        attempt: Attempt, from the plan's first.
        depth: Derivation depth.
    """
    first = job.first_attempt or (plan.first_attempt if depth == 0 else 1)
    run_id = run_id_of(plan, key, job, attempt=attempt, first=first)
    parent = (
        job.parent_run_id if attempt <= first else run_id_of(plan, key, job, attempt=attempt - 1, first=first)
    )
    root = job.root_run_id or run_id_of(plan, key, job, attempt=first, first=first)
    return RunIdentity(
        run_id=run_id,
        attempt=attempt,
        job_id=job.job_id,
        parent_run_id=parent,
        root_run_id=root,
        depth=depth,
    )


def run_id_of(plan: CrawlPlan, key: str, job: JobPayload, *, attempt: int, first: int) -> str:
    """Give the run id of an attempt: the user's where he named it, else derived."""
    if job.run_id and attempt == first:
        return job.run_id
    return derived_run_id(plan.crawl, key, attempt)


def make_record(
    *,
    plan: CrawlPlan,
    key: str,
    job: JobPayload,
    identity: RunIdentity,
    token: str,
    deliveries: int,
    script: str | None,
    script_sha256: str | None,
    report: RunReport,
    outcome: Outcome,
    sealed: Sealed | None,
    counters: PolicyCounters,
    enqueue_events: int,
) -> CommitRecord:
    """Make the record of a delivery that ran.

    Args:
        plan: The crawl.
        key: Job key.
        job: Its payload.
        identity: The run.
        token: TOKEN of the delivery.
        deliveries: How often the run was delivered.
        script: Absolute path of the script where it was executed; None where it was not.
        script_sha256: Of the script, hex; None where it can't be read.
        report: The runtime's.
        outcome: How the run ended; the report's unless its storage failed afterwards.
        sealed: The delivery's files; None where the storage did not keep them (``policy_failure``).
        counters: The policy's.
        enqueue_events: Enqueue events that the ledger was told of, persisted or not.
    """
    return _record(
        plan,
        key,
        job,
        identity,
        token=token,
        script=script or job.path or job.target,
        outcome=outcome,
        deliveries=deliveries,
        started_at=format_timestamp(report.started_at),
        ended_at=format_timestamp(report.ended_at),
        duration_ms=report.duration_ms,
        script_sha256=script_sha256,
        counters=counters,
        proxy=report.proxy_used or _pool_only(job),
        enqueue_events=enqueue_events,
        artifacts={"count": report.artifacts.count, "bytes": report.artifacts.bytes},
        orphans={"artifacts": report.artifacts.orphans, "bytes": report.artifacts.orphan_bytes},
        **_sealed_fields(sealed or Sealed()),
    )


def make_lost_record(plan: CrawlPlan, owed: Owed, job: JobPayload, token: str) -> CommitRecord:
    """Make the record of a job whose last delivery was lost, or that a stop found between deliveries.

    It names no files: what the lost deliveries left is nobody's.
    """
    identity = identity_of(plan, owed.key, job, attempt=owed.attempt, depth=owed.depth)
    now = format_timestamp(time.time())
    allowed = plan.bounds.get("max_redeliveries")
    if owed.reason == "lost" and allowed is not None and owed.deliveries <= allowed:
        what = f"the crawl was stopped after {owed.deliveries} deliveries of this run that came to nothing"
    elif owed.reason == "lost":
        what = f"all {owed.deliveries} deliveries of this run were lost with their workers"
    elif owed.deliveries:
        what = "the crawl was stopped at once, between this attempt's delivery and its end"
    else:
        what = "the crawl was stopped before this attempt was delivered"
    return _record(
        plan,
        owed.key,
        job,
        identity,
        token=token,
        script=job.path or job.target,
        outcome=Outcome(
            status=OutcomeStatus.EXECUTOR_CRASH,
            message=what,
            error_type=owed.reason,
            reason=owed.reason,
        ),
        deliveries=owed.deliveries,
        started_at=now,
        ended_at=now,
        duration_ms=0,
        proxy=_pool_only(job),
        artifacts={"count": 0, "bytes": 0},
        orphans={"artifacts": 0, "bytes": 0},
    )


def _record(plan: CrawlPlan, key: str, job: JobPayload, identity: RunIdentity, **fields: Any) -> CommitRecord:
    """Fill in what every record of a job says alike."""
    return CommitRecord(
        key=key,
        crawl=plan.crawl,
        day=plan.day,
        run_id=identity.run_id,
        attempt=identity.attempt,
        job_id=identity.job_id,
        parent_run_id=identity.parent_run_id,
        parent_job=job.parent_job,
        root_run_id=identity.root_run_id,
        depth=identity.depth,
        source=job.source,
        category=job.category,
        target=job.target,
        job=job.params,
        policy=plan.policy,
        executor=plan.executor or "quarry",
        contract_version=CONTRACT_VERSION,
        quarry_version=__version__,
        **fields,
    )


def _pool_only(job: JobPayload) -> dict[str, str] | None:
    """Name the pool of a run that got no endpoint: who retries the job must know it."""
    return None if job.proxy is None else {"pool": job.proxy}


def _sealed_fields(sealed: Sealed) -> dict[str, Any]:
    return {
        "files": sealed.files,
        "sidecars": sealed.sidecars,
        "rows": sealed.rows,
        "event_count": sealed.event_count,
    }
