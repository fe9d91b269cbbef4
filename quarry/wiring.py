"""The only place that turns Settings into objects."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from quarry.config.worker import load_worker_settings
from quarry.crawl.attempt import Tools
from quarry.crawl.children import resolve_target
from quarry.crawl.figures import open_figures
from quarry.crawl.interrupts import Interrupts
from quarry.crawl.local_scripts import LocalScripts
from quarry.crawl.plan import CrawlPlan, JobPayload, ScriptEntry, encode
from quarry.crawl.runners import Runners
from quarry.crawl.scripts import ScriptHashes
from quarry.crawl.service import WorkerService
from quarry.crawl.single import result_of_single, run_alone
from quarry.crawl.threads import Threads
from quarry.errors import ConfigError, StoreError
from quarry.lode import Dataset
from quarry.lode.layout import RunFolder, check_names
from quarry.redisio import make_client
from quarry.runtime import ExecutorPool, SingleShot, validate_script
from quarry.scheduler import Bounds, CrawlRegistry, Ledger, job_key, ledger_scripts
from quarry.types import OutcomeStatus, RunResult, exit_code_of, new_run_id

if TYPE_CHECKING:
    from quarry.config import Settings
    from quarry.crawl.reporter import Reporter
    from quarry.crawl.summary import Tally
    from quarry.runtime import ValidateResult

EXIT_UNFINISHED = 4
EXIT_FORCED = 130

_STORE_THREADS = 16


def make_plan(settings: Settings, *, crawl: str, now: float, seeded: bool = False) -> CrawlPlan:
    """Make the plan of a crawl that begins now.

    Args:
        settings: The command's settings.
        crawl: Crawl id.
        now: Unix seconds.
        seeded: Whether its roots are many and none decides alone.
    """
    return CrawlPlan(
        crawl=crawl,
        day=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d"),
        started_at=now,
        storage_path=settings.storage_path,
        dataset=settings.dataset,
        policy=settings.policy,
        timeout_ms=settings.timeout_ms,
        scripts_root=settings.scripts_root,
        cwd=os.getcwd(),
        seeded=seeded,
        executor=settings.executor,
        resolve_from=settings.resolve_from,
        scripts={
            name: ScriptEntry(
                path=entry.path, source=entry.source, category=entry.category, profile=entry.profile
            )
            for name, entry in settings.scripts.items()
        },
        first_attempt=settings.attempt,
        bounds={
            "depth": settings.depth,
            "max_runs": settings.max_runs,
            "parallel": settings.parallel,
            "max_attempts": settings.max_attempts,
            "max_redeliveries": settings.max_redeliveries,
            "max_duration_ms": settings.max_duration_ms,
        },
        fleet=settings.broker is not None,
        lease_ms=settings.lease_ms,
        max_duration_ms=settings.max_duration_ms,
        expire_after_ms=settings.expire_after_ms,
    )


def make_bounds(settings: Settings, plan: CrawlPlan) -> Bounds:
    """Make what the ledger is told of a crawl with its first seeds."""
    return Bounds(
        depth=settings.depth,
        max_runs=settings.max_runs,
        parallel=settings.parallel,
        max_attempts=settings.max_attempts,
        max_redeliveries=settings.max_redeliveries,
        lease_ms=settings.lease_ms,
        claim_ms=settings.claim_ms,
        grace_ms=settings.grace_ms,
        config=encode(plan),
    )


def make_root(settings: Settings, plan: CrawlPlan) -> JobPayload:
    """Make the payload of the root job; with seeds it is the template of every root, without params.

    Raises:
        ConfigError: The script can't be found.
    """
    found = resolve_target(plan, settings.script, None)
    if found.path is None:
        raise ConfigError(found.problem or f"--script {settings.script}: there is no such script")
    return JobPayload(
        target=found.key_name,
        path=found.path,
        params=settings.job if settings.seeds is None else {},
        source=settings.source,
        category=settings.category,
        run_id=None if plan.seeded else plan.crawl,
        job_id=settings.job_id,
        parent_run_id=settings.parent_run_id,
    )


def make_dataset(settings: Settings, plan: CrawlPlan) -> Dataset:
    """Open the dataset for writing, and refuse a crawl id that it knows already.

    Raises:
        ConfigError: The id is taken, or a name is too long to be stored.
        StoreError: The storage can't be written.
    """
    crawl = plan.crawl
    check_names(crawl=crawl, folder=RunFolder(settings.source, settings.category, plan.day, crawl))
    if Dataset.at(settings.storage_path, settings.dataset).crawl_exists(crawl):
        raise ConfigError(
            f"--run-id {crawl}: the dataset {settings.dataset!r} at {settings.storage_path} holds a crawl of"
            " that id; choose another (a finished record is never written again)"
        )
    return Dataset.create(settings.storage_path, settings.dataset)


def make_tools(settings: Settings, dataset: Dataset, *, threads: int = _STORE_THREADS) -> Tools:
    """Make what a single run needs."""
    return Tools(
        dataset=dataset,
        runner=SingleShot(executor=settings.executor),
        threads=Threads(threads),
        hashes=ScriptHashes(),
    )


def make_deliverer(broker_url: str, concurrency: int) -> WorkerService:
    """Make the service of one worker process; the Celery pool calls it.

    Args:
        broker_url: Redis that holds both broker and ledger.
        concurrency: Runs at once in this process.

    Raises:
        ConfigError: Of the worker's own settings (its scripts, the port of its metrics).
    """
    here = load_worker_settings(os.environ, os.getcwd())
    figures = open_figures(os.environ)
    client = make_client(broker_url)
    scripts = ledger_scripts()  # read once, not at every beat
    processes = max(1, min(concurrency, os.cpu_count() or 1))
    return WorkerService(
        registry=CrawlRegistry(client),
        ledger_of=lambda crawl: Ledger(client, crawl, scripts=scripts),
        runners=Runners(
            make_pool=lambda resolve_from: ExecutorPool(
                capacity=concurrency,
                processes=processes,
                resolve_from=resolve_from,
                on_start=figures.executor_started,
            ),
            make_foreign=lambda executor: SingleShot(executor=executor),
        ),
        threads=Threads(min(64, max(_STORE_THREADS, concurrency))),
        scripts=LocalScripts(root=here.scripts_root, scripts=here.scripts),
        close_client=client.aclose,
        figures=figures,
    )


def validate(settings: Settings) -> ValidateResult:
    """Load the script without running it (``--dry-run``)."""
    return asyncio.run(
        validate_script(settings.script, executor=settings.executor, resolve_from=settings.resolve_from)
    )


def run_single(settings: Settings, reporter: Reporter) -> RunResult:
    """Execute one run: no ledger, no Redis, no Celery.

    Args:
        settings: The command's settings.
        reporter: Told of what happens.

    Returns:
        The command's result.

    Raises:
        ConfigError: The run id is taken, or the script can't be found.
        StoreError: The storage can't keep the record.
    """
    return asyncio.run(_run_single(settings, reporter))


async def _run_single(settings: Settings, reporter: Reporter) -> RunResult:
    now = time.time()
    plan = make_plan(settings, crawl=settings.run_id or new_run_id(), now=now)
    job = make_root(settings, plan)
    dataset = make_dataset(settings, plan)
    tools = make_tools(settings, dataset)
    interrupts = Interrupts(reporter)
    interrupts.listen()
    running = asyncio.create_task(
        run_alone(
            plan=plan,
            tools=tools,
            key=job_key(job.target, job.params),
            job=job,
            max_attempts=settings.max_attempts,
            stopping=interrupts.once,
        )
    )
    forced = asyncio.create_task(interrupts.twice.wait())
    try:
        await asyncio.wait({running, forced}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            # Cancelled, the runtime ends the executor at once; what the run wrote goes with it.
            running.cancel()
        done = await running
    except asyncio.CancelledError:
        done = None
    except StoreError as error:
        return unstored_result(plan, error, duration_ms=round((time.time() - now) * 1000))
    finally:
        forced.cancel()
        tools.threads.close()
    if done is None:
        return forced_result(plan, duration_ms=round((time.time() - now) * 1000))
    record, report = done
    if settings.report:
        write_report(settings.report, report.to_json())
    return result_of_single(plan, record, stopped=interrupts.once.is_set())


def unstored_result(plan: CrawlPlan, error: StoreError, *, duration_ms: int) -> RunResult:
    """Make the result of a single run whose record the storage could not keep."""
    return RunResult(
        run_id=plan.crawl,
        crawl=plan.crawl,
        attempt=plan.first_attempt,
        outcome=OutcomeStatus.POLICY_FAILURE.value,
        exit_code=exit_code_of(OutcomeStatus.POLICY_FAILURE),
        message=f"{error.message}; what the run had made durable before reads with live=True",
        event_count=0,
        policy=plan.policy,
        storage=plan.storage_view(),
        duration_ms=duration_ms,
    )


def forced_result(
    plan: CrawlPlan,
    *,
    duration_ms: int,
    fanout: dict[str, int] | None = None,
    tally: Tally | None = None,
) -> RunResult:
    """Make the result of a command that was ended by a second interrupt."""
    return RunResult(
        run_id=plan.crawl,
        crawl=plan.crawl,
        attempt=plan.first_attempt,
        outcome="interrupted",
        exit_code=EXIT_FORCED,
        message="ended at the second interrupt; what was in flight left no record",
        event_count=tally.events if tally else 0,
        failures=tally.failures() if tally else [],
        rows=tally.rows if tally else {},
        policy=plan.policy,
        storage=plan.storage_view(),
        duration_ms=duration_ms,
        fanout=fanout,
    )


def write_report(path: str, report: str) -> None:
    """Write the structured exit report (``--report``): of a single run the runtime's, of a crawl its result.

    Raises:
        ConfigError: The path can't be written.
    """
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(report)
    except OSError as error:
        raise ConfigError(f"--report {path}: {error.strerror}") from error
