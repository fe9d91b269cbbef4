"""A whole crawl on one machine: private server and worker, seeding and watching, ended with the command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from quarry.crawl.children import make_job
from quarry.crawl.delivery import CrawlContext
from quarry.crawl.heartbeat import Heartbeat
from quarry.crawl.interrupts import Interrupts
from quarry.crawl.plan import CrawlPlan, encode
from quarry.crawl.seeding import SeedBatch, seed_crawl
from quarry.crawl.seeds import SeedReader, check_seeds, spool
from quarry.crawl.summary import Tally, result_of
from quarry.crawl.watch import Watch
from quarry.engine.repairs import Repairs
from quarry.engine.server import PrivateServer
from quarry.engine.supervise import Restart, Supervised
from quarry.engine.worker import EmbeddedWorker
from quarry.errors import ConfigError, EngineError, LedgerImbalanceError, SchedulerError, StoreError
from quarry.redisio import make_client
from quarry.scheduler import Bounds, CrawlRegistry, Ledger
from quarry.types import RunResult, new_run_id, new_token
from quarry.wiring import (
    EXIT_UNFINISHED,
    forced_result,
    make_dataset,
    make_plan,
    make_root,
    make_tools,
    write_report,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quarry.config import Settings
    from quarry.crawl.attempt import Tools
    from quarry.crawl.reporter import Reporter

_WARM_S = 10.0
_NEVER_S = 3600.0
"""The command itself holds no lease: its heartbeat never beats."""


def run_embedded(settings: Settings, reporter: Reporter) -> RunResult:
    """Run a fan-out crawl on this machine.

    Args:
        settings: The command's settings.
        reporter: Told of progress and warnings.

    Returns:
        The command's result; exit code 4 where the crawl could not be finished.

    Raises:
        ConfigError: Settings that only show here to be wrong; nothing has been started then.
        StoreError: The storage can't be written at the start.
        LedgerImbalanceError: The books don't balance at the close.
    """
    plan = make_plan(settings, crawl=settings.run_id or new_run_id(), now=time.time())

    async def run() -> RunResult:
        return await EmbeddedCrawl(settings, plan, reporter).run()

    return asyncio.run(run())


class EmbeddedCrawl:
    """One crawl with an engine of its own.

    Args:
        settings: The command's settings.
        plan: The crawl.
        reporter: Told of progress and warnings.

    Raises:
        ConfigError: Script, run id or seeds are wrong; everything that can be checked is checked before
            anything is started.
        StoreError: The storage can't be written.
    """

    def __init__(self, settings: Settings, plan: CrawlPlan, reporter: Reporter) -> None:
        self._settings = settings
        self._plan = plan
        self._reporter = reporter
        self._folder = Path(settings.state_dir) / "crawls" / plan.crawl
        self._root = make_root(settings, plan)
        self._seeds = self._spool_seeds()
        self._dataset = make_dataset(settings, plan)
        _make_folder(self._folder)
        self._interrupts = Interrupts(reporter)
        self._watch: Watch | None = None
        self._log = structlog.get_logger("quarry.engine").bind(crawl=plan.crawl)

    async def run(self) -> RunResult:
        """Run the crawl; every process that was started has ended when this returns or raises."""
        started = time.monotonic()
        self._interrupts.listen()
        tools = make_tools(self._settings, self._dataset)
        server = PrivateServer(self._folder / "redis")
        try:
            server.start()
            summary = await self._run_on(server, tools)
        except (EngineError, SchedulerError, StoreError) as error:
            if isinstance(error, LedgerImbalanceError):
                raise
            self._log.error("crawl.unfinished", error=error.message)
            return self._unfinished(error.message, started)
        finally:
            server.stop()
            tools.threads.close()
        if summary is None:
            return forced_result(
                self._plan,
                duration_ms=_ms_since(started),
                fanout=self._last_counts(),
                tally=self._committed(),
            )
        shutil.rmtree(self._folder / "redis", ignore_errors=True)
        result = result_of(self._plan, summary, max_failures=self._settings.max_failures, warnings=[])
        if self._settings.report:
            write_report(self._settings.report, msgspec.json.format(msgspec.json.encode(result)).decode())
        return result

    async def _run_on(self, server: PrivateServer, tools: Tools) -> dict[str, Any] | None:
        """Start the worker and follow the crawl; the summary, or None after a second interrupt."""
        worker = EmbeddedWorker(
            server.url,
            concurrency=self._settings.parallel,
            log_path=self._folder / "worker.ndjson",
        )
        client = make_client(server.url)
        ledger = Ledger(client, self._plan.crawl)
        context = CrawlContext(
            plan=self._plan,
            ledger=ledger,
            tools=tools,
            heartbeat=Heartbeat(lambda _: ledger, interval_s=_NEVER_S),
        )
        repairs = Repairs(context)

        def note(restart: Restart) -> None:
            self._log.warning("engine.restarted", name=restart.name, problem=restart.problem)
            self._reporter.warning(f"the {restart.name} died and is started again ({restart.problem})")
            if restart.name == "worker":
                repairs.begin()

        supervised = Supervised(server, worker, on_restart=note)
        warm = False
        try:
            worker.spawn()
            await self._seed(ledger, CrawlRegistry(client))
            await worker.wait_ready()
            summary = await self._follow(context, supervised)
            warm = summary is not None
            return summary
        finally:
            await repairs.end()
            if not warm:
                # A second interrupt, or an engine that failed: nothing is waited for.
                worker.kill()
            supervised.stop(warm=warm, grace_s=_WARM_S)
            await client.aclose()

    async def _follow(self, context: CrawlContext, supervised: Supervised) -> dict[str, Any] | None:
        """Watch until the crawl is closed, the engine gave up, or a second interrupt came."""
        self._watch = Watch(context, self._reporter)
        watching = asyncio.create_task(self._watch.wait_closed())
        keeping = asyncio.create_task(supervised.run())
        stopping = asyncio.create_task(self._stop_when_interrupted(context.ledger))
        forced = asyncio.create_task(self._interrupts.twice.wait())
        tasks: list[asyncio.Task[Any]] = [watching, keeping, stopping, forced]
        try:
            await asyncio.wait({watching, keeping, forced}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                return watching.result()
            if keeping.done():
                _raise_first(keeping)
            return None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _stop_when_interrupted(self, ledger: Ledger) -> None:
        await self._interrupts.once.wait()
        await ledger.stop()

    async def _seed(self, ledger: Ledger, registry: CrawlRegistry) -> None:
        settings = self._settings
        await seed_crawl(
            ledger=ledger,
            registry=registry,
            crawl=self._plan.crawl,
            seeder=new_token(),
            bounds=Bounds(
                depth=settings.depth,
                max_runs=settings.max_runs,
                parallel=settings.parallel,
                max_attempts=settings.max_attempts,
                max_redeliveries=settings.max_redeliveries,
                config=encode(self._plan),
            ),
            batches=self._batches(),
        )

    def _batches(self) -> Iterable[SeedBatch]:
        if self._seeds is not None:
            reader = SeedReader(self._seeds, template=self._root, first_attempt=self._plan.first_attempt)
            return reader.batches()
        job = make_job(self._root, depth=0, first_attempt=self._plan.first_attempt)
        return [(0, 1, [job], True)]

    def _spool_seeds(self) -> str | None:
        """Keep standard input in the state folder; a seed file was checked with the other settings."""
        given = self._settings.seeds
        if given is None or (given != "-" and os.path.isfile(given)):
            return given
        # Standard input, a pipe or a device can be read only once.
        _make_folder(self._folder)
        path = str(self._folder / "seeds.spool")
        try:
            with contextlib.ExitStack() as stack:
                source = sys.stdin.buffer if given == "-" else stack.enter_context(open(given, "rb"))
                spool(source, path)
            check_seeds(path, name="standard input" if given == "-" else given)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise ConfigError(f"the seeds can't be kept in {path}: {error.strerror}") from error
        except ConfigError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return path

    def _unfinished(self, message: str, started: float) -> RunResult:
        plan, tally = self._plan, self._committed()
        return RunResult(
            run_id=plan.crawl,
            crawl=plan.crawl,
            attempt=plan.first_attempt,
            outcome="unfinished",
            exit_code=EXIT_UNFINISHED,
            message=f"{message}; what was committed stays readable",
            event_count=tally.events,
            policy=plan.policy,
            storage={"backend": "fs", "path": plan.storage_path, "dataset": plan.dataset},
            duration_ms=_ms_since(started),
            fanout=self._last_counts(),
            failures=tally.failures(),
            rows=tally.rows,
        )

    def _committed(self) -> Tally:
        """Add up what was committed, as far as it can be read."""
        tally = Tally()
        with contextlib.suppress(StoreError):
            for record in self._dataset.records(self._plan.day, self._plan.crawl):
                tally.add(record)
        return tally

    def _last_counts(self) -> dict[str, int] | None:
        counts = self._watch.counts if self._watch is not None else None
        return counts.fanout() if counts is not None else None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the state folder {folder} can't be made: {error.strerror}; set XDG_STATE_HOME or state_dir to a"
            " folder that can be written"
        ) from error


def _raise_first(task: asyncio.Task[Any]) -> None:
    """Raise the engine's error out of the group that held it."""
    error = task.exception()
    if isinstance(error, BaseExceptionGroup):
        raise error.exceptions[0]
    if error is not None:
        raise error


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
