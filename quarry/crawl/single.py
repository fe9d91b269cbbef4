"""A single run: the same runtime and commit as in a crawl, without ledger, Redis or Celery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from quarry.crawl.attempt import Attempt, Tools
from quarry.crawl.local_scripts import LocalScript
from quarry.crawl.records import identity_of
from quarry.crawl.settlement import may_retry
from quarry.crawl.storage import put_checked
from quarry.types import OutcomeStatus, RunResult, exit_code_of, new_token

if TYPE_CHECKING:
    import asyncio

    from quarry.crawl.plan import CrawlPlan, JobPayload
    from quarry.lode import CommitRecord
    from quarry.runtime import RunReport


async def run_alone(
    *,
    plan: CrawlPlan,
    tools: Tools,
    key: str,
    job: JobPayload,
    max_attempts: int,
    stopping: asyncio.Event,
) -> tuple[CommitRecord, RunReport]:
    """Execute one job outside of any ledger, with further attempts while they are allowed.

    Args:
        plan: The crawl of one.
        tools: What executes and stores.
        key: Job key.
        job: Its payload.
        max_attempts: Attempts in all.
        stopping: Set to start no further attempt.

    Returns:
        The final record and the last attempt's report. Cancelled, the run leaves no record.
    """
    log = structlog.get_logger("quarry.crawl").bind(crawl=plan.crawl)
    number = plan.first_attempt
    while True:
        attempt = Attempt(
            plan=plan,
            tools=tools,
            key=key,
            job=job,
            identity=identity_of(plan, key, job, attempt=number, depth=0),
            token=new_token(),
            deliveries=1,
            script=LocalScript(job.path, None),
        )
        report = await attempt.execute(on_enqueue=None, cancel=None)
        assert report is not None  # noqa: S101 -- nothing cancels it but its task
        record = await attempt.seal(report, enqueue_events=report.counters.get("enqueue", 0))
        spent = number - plan.first_attempt + 1 >= max_attempts or stopping.is_set()
        final = spent or not may_retry(record.outcome.status, record.outcome.reason)
        put = tools.dataset.put_record if final else tools.dataset.put_attempt
        standing = await tools.threads.run(put_checked, plan, tools.dataset, put, record)
        await attempt.conclude(standing)
        if final:
            return standing, report
        log.info("run.retried", run_id=record.run_id, outcome=record.outcome.status.value)
        number += 1


def result_of_single(plan: CrawlPlan, record: CommitRecord, *, stopped: bool) -> RunResult:
    """Turn the final record of a single run into the command's result."""
    status = record.outcome.status
    failed = status is not OutcomeStatus.SUCCESS
    return RunResult(
        run_id=record.run_id,
        crawl=plan.crawl,
        attempt=record.attempt,
        outcome=status.value,
        exit_code=4 if stopped else exit_code_of(status),
        message=record.outcome.message or ("interrupted; the run in flight was finished" if stopped else ""),
        event_count=record.event_count,
        policy=plan.policy,
        storage=plan.storage_view(),
        duration_ms=record.duration_ms,
        fanout=None,
        failures=[
            {
                "error_type": record.outcome.error_type or status.value,
                "count": 1,
                "example": {
                    "run_id": record.run_id,
                    "message": record.outcome.message,
                    "target": record.target,
                },
            }
        ]
        if failed
        else [],
        rows=dict(record.rows),
    )
