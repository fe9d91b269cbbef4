"""The only place that turns Settings into objects."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING

from quarry.config.job_secrets import SECRET_ENV_PREFIX, secret_of
from quarry.config.pool_strategy import with_strategy
from quarry.config.worker import load_worker_settings
from quarry.crawl.attempt import Tools
from quarry.crawl.children import NO_POOL, entry_of, pool_of, resolve_target
from quarry.crawl.figures import open_figures
from quarry.crawl.granting import Granting
from quarry.crawl.interrupts import Interrupts
from quarry.crawl.local_scripts import LocalScripts
from quarry.crawl.plan import CrawlPlan, JobPayload, PlanPool, ScriptEntry, encode
from quarry.crawl.proxy_figures import ProxyFigures
from quarry.crawl.runners import Runners
from quarry.crawl.scripts import ScriptHashes
from quarry.crawl.service import WorkerService
from quarry.crawl.single import result_of_single, run_alone
from quarry.crawl.summary import forced_result, partial_result
from quarry.crawl.threads import Threads
from quarry.errors import ConfigError, StoreError
from quarry.lode import Dataset
from quarry.lode.layout import RunFolder, check_names
from quarry.proxy import Rotation
from quarry.recency import MemoryRecency, RedisRecency
from quarry.redisio import make_client
from quarry.runtime import ExecutorPool, SingleShot, validate_script
from quarry.scheduler import Bounds, CrawlRegistry, Ledger, job_key, ledger_scripts
from quarry.types import OutcomeStatus, RunResult, exit_code_of, new_run_id

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from quarry.config import Settings
    from quarry.crawl.reporter import Reporter
    from quarry.proxy import ProxyWatcher, RecencyStore
    from quarry.runtime import ValidateResult
    from quarry.types import Secret
    from quarry.types.proxy import ProxyPool

_STORE_THREADS = 16
_BROKER_VARIABLES = ("QUARRY_BROKER", "CELERY_BROKER_URL")


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
                path=entry.path,
                source=entry.source,
                category=entry.category,
                profile=entry.profile,
                proxy=entry.proxy,
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
        proxies=_plan_pools(settings),
        proxy_sticky_key=settings.proxy_sticky_key,
        proxy_domain=settings.proxy_domain,
        proxy_origin=settings.proxy_origin,
    )


def _plan_pools(settings: Settings) -> dict[str, PlanPool]:
    """Name the pools that runs of the crawl may have: the command's, those of its scripts, of its roots."""
    named = {entry.proxy for entry in settings.scripts.values() if entry.proxy not in {None, NO_POOL}}
    named.update(settings.root_pools)
    found = {name: PlanPool(digest=settings.proxies[name].digest) for name in sorted(filter(None, named))}
    if settings.proxy_pool is not None:
        pool = with_strategy(settings.proxies[settings.proxy_pool], settings.proxy_strategy)
        found[pool.name] = PlanPool(digest=pool.digest, strategy=settings.proxy_strategy)
    return found


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
        proxy=pool_of(entry_of(plan.scripts, found.key_name, found.path), settings.proxy_pool),
    )


def check_new_crawl(settings: Settings, plan: CrawlPlan) -> None:
    """Refuse a crawl id that the dataset knows already; nothing is written.

    Raises:
        ConfigError: The id is taken, or a name is too long to be stored.
    """
    crawl = plan.crawl
    check_names(crawl=crawl, folder=RunFolder(settings.source, settings.category, plan.day, crawl))
    if Dataset.at(settings.storage_path, settings.dataset).crawl_exists(crawl):
        raise ConfigError(
            f"--run-id {crawl}: the dataset {settings.dataset!r} at {settings.storage_path} holds a crawl of"
            " that id; choose another (a finished record is never written again)"
        )


def make_dataset(settings: Settings, plan: CrawlPlan) -> Dataset:
    """Open the dataset for writing, and refuse a crawl id that it knows already.

    Raises:
        ConfigError: The id is taken, or a name is too long to be stored.
        StoreError: The storage can't be written.
    """
    check_new_crawl(settings, plan)
    return Dataset.create(settings.storage_path, settings.dataset)


def make_tools(settings: Settings, dataset: Dataset, *, threads: int = _STORE_THREADS) -> Tools:
    """Make what a single run needs."""
    return Tools(
        dataset=dataset,
        runner=SingleShot(executor=settings.executor, env=_executor_environment(settings.secret_variables)),
        threads=Threads(threads),
        hashes=ScriptHashes(),
        granting=_make_granting(settings.proxies, settings.secrets, MemoryRecency()),
    )


def _executor_environment(secret_variables: Collection[str]) -> dict[str, str]:
    """Give the environment of executors.

    A secret reaches the runs whose jobs name it, an endpoint's password the runs that were given it, and the
    broker's address none.

    Args:
        secret_variables: Names of those that the configuration takes passwords and secrets from.
    """
    withheld = {*secret_variables, *_BROKER_VARIABLES}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in withheld and not name.startswith(SECRET_ENV_PREFIX)
    }


def _make_granting(
    pools: Mapping[str, ProxyPool],
    secrets: Mapping[str, Secret],
    store: RecencyStore,
    watcher: ProxyWatcher | None = None,
) -> Granting:
    """Make what gives runs their endpoints and secrets.

    Args:
        pools: Of this machine.
        secrets: Of its configuration; its environment beats them.
        store: Of the pools' state.
        watcher: Told of choices and rests.
    """
    return Granting(
        pools=pools,
        secret_of=lambda name: secret_of(name, os.environ, secrets),
        rotation=Rotation(store, throw=partial(SystemRandom().getrandbits, 32), watcher=watcher),
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
                env=_executor_environment(here.secret_variables),
            ),
            make_foreign=lambda executor: SingleShot(
                executor=executor, env=_executor_environment(here.secret_variables)
            ),
        ),
        threads=Threads(min(64, max(_STORE_THREADS, concurrency))),
        scripts=LocalScripts(root=here.scripts_root, scripts=here.scripts),
        granting=_make_granting(
            here.proxies, here.secrets, RedisRecency(client), ProxyFigures(figures, here.proxies)
        ),
        close_client=client.aclose,
        figures=figures,
    )


def validate(settings: Settings) -> ValidateResult:
    """Load the script without running it (``--dry-run``)."""
    return asyncio.run(
        validate_script(
            settings.script,
            executor=settings.executor,
            resolve_from=settings.resolve_from,
            env=_executor_environment(settings.secret_variables),
        )
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
        return partial_result(
            plan,
            outcome=OutcomeStatus.POLICY_FAILURE.value,
            exit_code=exit_code_of(OutcomeStatus.POLICY_FAILURE),
            message=f"{error.message}; what the run had made durable before reads with live=True",
            duration_ms=round((time.time() - now) * 1000),
        )
    finally:
        forced.cancel()
        tools.threads.close()
    if done is None:
        return forced_result(plan, duration_ms=round((time.time() - now) * 1000))
    record, report = done
    if settings.report:
        write_report(settings.report, report.to_json())
    return result_of_single(plan, record, stopped=interrupts.once.is_set())


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
