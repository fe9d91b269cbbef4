"""A whole crawl on one machine: private server and worker, seeding and watching, ended with the command."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from quarry.crawl.delivery import CrawlContext
from quarry.crawl.heartbeat import Heartbeat
from quarry.crawl.interrupts import Interrupts
from quarry.crawl.plan import CrawlPlan, decode_plan
from quarry.crawl.reaper import reap
from quarry.crawl.roots import Roots, load_roots
from quarry.crawl.summary import result_of
from quarry.crawl.watch import Watch
from quarry.engine.following import Seeding, first_of
from quarry.engine.repairs import Repairs
from quarry.engine.results import add_up, partial_result
from quarry.engine.server import PrivateServer
from quarry.engine.state import crawl_folder, make_folder, make_roots
from quarry.engine.supervise import Restart, Supervised
from quarry.engine.worker import EmbeddedWorker
from quarry.errors import ConfigError, EngineError, LedgerImbalanceError, SchedulerError, StoreError
from quarry.lode import Dataset
from quarry.redisio import make_client
from quarry.scheduler import CrawlRegistry, Ledger
from quarry.types import RunResult, new_run_id
from quarry.wiring import (
    forced_result,
    make_bounds,
    make_dataset,
    make_plan,
    make_root,
    make_tools,
    write_report,
)

if TYPE_CHECKING:
    from quarry.config import Settings
    from quarry.crawl.attempt import Tools
    from quarry.crawl.reporter import Reporter
    from quarry.scheduler import LedgerState

_WARM_S = 10.0
_ALL = 5000


def run_embedded(settings: Settings, reporter: Reporter, *, roots: Roots | None = None) -> RunResult:
    """Run a fan-out crawl on this machine, or go on with one whose command ended.

    Args:
        settings: The command's settings.
        reporter: Told of progress and warnings.
        roots: Roots of a new crawl, where they are not the settings' (``quarry retry``).

    Returns:
        The command's result; exit code 4 where the crawl could not be finished.

    Raises:
        ConfigError: Settings that only show here to be wrong; nothing has been started then.
        StoreError: The storage can't be written at the start.
        LedgerImbalanceError: The books don't balance at the close.
    """

    async def run() -> RunResult:
        if settings.resume is not None:
            return await _resume(settings, settings.resume, reporter)
        plan = make_plan(
            settings,
            crawl=settings.run_id or new_run_id(),
            now=time.time(),
            seeded=settings.seeds is not None or roots is not None,
        )
        folder = crawl_folder(settings.state_dir, plan.crawl)
        given = roots or make_roots(settings, make_root(settings, plan), folder)
        dataset = make_dataset(settings, plan)
        make_folder(folder)
        given.save(folder)
        server = PrivateServer(folder / "redis")
        return await EmbeddedCrawl(settings, plan, given, dataset, server, reporter=reporter).run()

    return asyncio.run(run())


async def _resume(settings: Settings, crawl: str, reporter: Reporter) -> RunResult:
    """Start the server of a crawl on its file again, and go on where the ledger stands."""
    folder = crawl_folder(settings.state_dir, crawl)
    if not (folder / "redis").is_dir():
        raise ConfigError(
            f"--resume {crawl}: there is nothing of it to go on with in {folder.parent}; it has ended, or its"
            " state folder is another one (XDG_STATE_HOME, QUARRY_STATE_DIR)"
        )
    roots = load_roots(folder)
    server = PrivateServer(folder / "redis")
    server.start()
    try:
        state = await _read_state(server, crawl)
        plan = decode_plan(state.config)
        dataset = Dataset.create(plan.storage_path, plan.dataset)
        crawl_again = EmbeddedCrawl(
            settings,
            plan,
            roots,
            dataset,
            server,
            reporter=reporter,
            offset=state.offset,
            parallel=state.parallel,
        )
    except BaseException:
        server.stop()
        raise
    return await crawl_again.run()


async def _read_state(server: PrivateServer, crawl: str) -> LedgerState:
    client = make_client(server.url)
    try:
        state = await Ledger(client, crawl).state()
    finally:
        await client.aclose()
    if not state.exists:
        raise ConfigError(f"--resume {crawl}: its command ended before its first job was in the ledger")
    return state


class EmbeddedCrawl:
    """One crawl with an engine of its own.

    Args:
        settings: The command's settings.
        plan: The crawl.
        roots: Its roots; None where nobody knows them any more.
        dataset: Its storage.
        server: Its private server, started or not.
        reporter: Told of progress and warnings.
        offset: Seeds that the ledger has received; None where the crawl is new.
        parallel: Runs at once; the settings' unless given.
    """

    def __init__(
        self,
        settings: Settings,
        plan: CrawlPlan,
        roots: Roots | None,
        dataset: Dataset,
        server: PrivateServer,
        *,
        reporter: Reporter,
        offset: int | None = None,
        parallel: int | None = None,
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._roots = roots
        self._dataset = dataset
        self._server = server
        self._reporter = reporter
        self._offset = offset
        self._parallel = parallel or settings.parallel
        self._folder = crawl_folder(settings.state_dir, plan.crawl)
        self._interrupts = Interrupts(reporter)
        self._watch: Watch | None = None
        self._log = structlog.get_logger("quarry.engine").bind(crawl=plan.crawl)

    async def run(self) -> RunResult:
        """Run the crawl; every process that was started has ended when this returns or raises."""
        started = time.monotonic()
        self._interrupts.listen()
        tools = make_tools(self._settings, self._dataset)
        try:
            self._server.start()
            summary = await self._run_on_server(tools)
        except (EngineError, SchedulerError, StoreError) as error:
            if isinstance(error, LedgerImbalanceError):
                raise
            self._log.error("crawl.unfinished", error=error.message)
            return partial_result(
                self._plan,
                self._dataset,
                self._watch.counts if self._watch else None,
                outcome="unfinished",
                message=f"{error.message}; what was committed stays readable,"
                f" and quarry run --resume {self._plan.crawl} goes on",
                duration_ms=_ms_since(started),
            )
        finally:
            self._server.stop()
            tools.threads.close()
        if summary is None:
            counts = self._watch.counts if self._watch else None
            return forced_result(
                self._plan,
                duration_ms=_ms_since(started),
                fanout=counts.fanout() if counts else None,
                tally=add_up(self._plan, self._dataset),
            )
        shutil.rmtree(self._folder / "redis", ignore_errors=True)
        result = result_of(self._plan, summary, max_failures=self._settings.max_failures, warnings=[])
        if self._settings.report:
            write_report(self._settings.report, msgspec.json.format(msgspec.json.encode(result)).decode())
        return result

    async def _run_on_server(self, tools: Tools) -> dict[str, Any] | None:
        """Start the worker and follow the crawl; the summary, or None after a second interrupt."""
        worker = EmbeddedWorker(
            self._server.url, concurrency=self._parallel, log_path=self._folder / "worker.ndjson"
        )
        client = make_client(self._server.url)
        ledger = Ledger(client, self._plan.crawl)
        context = CrawlContext(
            plan=self._plan, ledger=ledger, tools=tools, heartbeat=Heartbeat(lambda _: ledger)
        )
        repairs = Repairs(context)

        def note(restart: Restart) -> None:
            self._log.warning("engine.restarted", name=restart.name, problem=restart.problem)
            self._reporter.warning(f"the {restart.name} died and is started again ({restart.problem})")
            if restart.name == "worker":
                repairs.begin()

        supervised = Supervised(self._server, worker, on_restart=note)
        warm = False
        try:
            if self._offset is not None:
                # Whoever held a lease ended with the command that was.
                await ledger.abandon()
                await reap(context, limit=_ALL)
            worker.spawn()
            summary = await self._follow(context, supervised, worker, CrawlRegistry(client))
            warm = summary is not None
            return summary
        finally:
            await repairs.end()
            if not warm:
                # A second interrupt, or an engine that failed: nothing is waited for.
                worker.kill()
            supervised.stop(warm=warm, grace_s=_WARM_S)
            await client.aclose()

    async def _follow(
        self,
        context: CrawlContext,
        supervised: Supervised,
        worker: EmbeddedWorker,
        registry: CrawlRegistry,
    ) -> dict[str, Any] | None:
        """Seed and watch until the crawl is closed, the engine gave up, or a second interrupt came."""
        beside = []
        seeding = await self._seeding(context.ledger, registry)
        if seeding is not None:
            beside.append(seeding.task)
            await seeding.begun()
        await worker.wait_ready()
        self._watch = Watch(
            context.ledger,
            self._reporter,
            context=context,
            max_duration_ms=self._plan.max_duration_ms,
        )
        beside += [
            asyncio.create_task(supervised.run()),
            asyncio.create_task(self._stop_when_interrupted(context.ledger)),
        ]
        summary: dict[str, Any] | None = await first_of(
            ending=[self._watch.wait_closed(), self._forced()], beside=beside
        )
        return summary

    async def _seeding(self, ledger: Ledger, registry: CrawlRegistry) -> Seeding | None:
        if self._offset is not None and not (await ledger.counts()).seeding:
            return None
        if self._roots is None:
            raise ConfigError(
                f"crawl {self._plan.crawl}: its seeding was cut, and where its seeds are is not known any"
                " more;"
                " its state folder was changed"
            )
        return Seeding(
            plan=self._plan,
            roots=self._roots,
            ledger=ledger,
            registry=registry,
            bounds=make_bounds(self._settings, self._plan),
            high_water=self._settings.high_water,
            start=self._offset or 0,
        )

    async def _forced(self) -> None:
        await self._interrupts.twice.wait()

    async def _stop_when_interrupted(self, ledger: Ledger) -> None:
        await self._interrupts.once.wait()
        await ledger.stop("interrupt")


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
