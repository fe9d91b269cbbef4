"""One crawl with an engine of its own: followed from its first seed to its close."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog

from quarry.crawl.delivery import CrawlContext
from quarry.crawl.heartbeat import Heartbeat
from quarry.crawl.reaper import reap
from quarry.crawl.summary import forced_result, partial_result, result_of
from quarry.crawl.watch import Watch
from quarry.engine.following import Seeding, first_of
from quarry.engine.repairs import Repairs
from quarry.engine.results import add_up, report_crawl
from quarry.engine.state import crawl_folder, make_worker_log, remove_folder
from quarry.engine.supervise import Restart, Supervised
from quarry.engine.worker import EmbeddedWorker
from quarry.errors import (
    ConfigError,
    EngineBusyError,
    EngineError,
    LedgerImbalanceError,
    SchedulerError,
    StoreError,
)
from quarry.redisio import make_client
from quarry.scheduler import CrawlRegistry, Ledger
from quarry.wiring import make_bounds, make_tools

if TYPE_CHECKING:
    from quarry.config import Settings
    from quarry.crawl.attempt import Tools
    from quarry.crawl.interrupts import Interrupts
    from quarry.crawl.plan import CrawlPlan
    from quarry.crawl.reporter import Reporter
    from quarry.crawl.roots import Roots
    from quarry.engine.server import PrivateServer
    from quarry.lode import Dataset
    from quarry.types import RunResult

_WARM_S = 10.0
_ALL = 5000


class EmbeddedCrawl:
    """One crawl with an engine of its own.

    Args:
        settings: The command's settings.
        plan: The crawl.
        roots: Its roots; None where nobody knows them any more.
        dataset: Its storage.
        server: Its private server, started or not.
        reporter: Told of progress and warnings.
        interrupts: Of this command; they are listened to.
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
        interrupts: Interrupts,
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
        self._interrupts = interrupts
        self._watch: Watch | None = None
        self._worker_ready = False
        self._is_new = not (self._folder / "redis").exists()
        self._log = structlog.get_logger("quarry.engine").bind(crawl=plan.crawl)

    async def run(self) -> RunResult:
        """Run the crawl; every process that was started has ended when this returns or raises."""
        started = time.monotonic()
        tools = make_tools(self._settings, self._dataset)
        try:
            if not await self._interrupts.until_first(self._server.begin()):
                return self._given_up(started)
            if self._offset is None and self._roots is not None:
                self._roots.save(self._folder)
            summary = await self._run_on_server(tools)
        except (EngineError, SchedulerError, StoreError) as error:
            if isinstance(error, (LedgerImbalanceError, EngineBusyError)):
                raise
            self._log.error("crawl.unfinished", error=error.message)
            return self._unfinished(
                f"{error.message}; what was committed stays readable,"
                f" and quarry run --resume {self._plan.crawl} goes on",
                started,
            )
        finally:
            self._server.stop()
            tools.threads.close()
        if summary is None:
            return forced_result(
                self._plan,
                duration_ms=_ms_since(started),
                counts=self._watch.counts if self._watch else None,
                tally=add_up(self._plan, self._dataset),
            )
        remove_folder(self._folder)
        result = result_of(self._plan, summary, max_failures=self._settings.max_failures, warnings=[])
        return report_crawl(self._settings, result)

    def _given_up(self, started: float) -> RunResult:
        """End where an interrupt came before the server was there: nothing was handed to anybody."""
        self._server.stop()
        if self._offset is not None:
            return self._unfinished(
                f"interrupted before it went on; quarry run --resume {self._plan.crawl} goes on", started
            )
        if self._is_new:
            remove_folder(self._folder)
        return self._unfinished("interrupted before the crawl was begun", started)

    def _unfinished(self, message: str, started: float) -> RunResult:
        return partial_result(
            self._plan,
            outcome="unfinished",
            message=message,
            duration_ms=_ms_since(started),
            tally=add_up(self._plan, self._dataset),
            counts=self._watch.counts if self._watch else None,
        )

    async def _run_on_server(self, tools: Tools) -> dict[str, Any] | None:
        """Start the worker and follow the crawl; the summary, or None after a second interrupt."""
        worker = EmbeddedWorker(
            self._server.url,
            concurrency=self._parallel,
            log_path=make_worker_log(self._settings.state_dir, self._plan.crawl),
            # Pools and secrets are in no plan: the worker reads them where the command did.
            env={"QUARRY_CONFIG": self._settings.config} if self._settings.config else None,
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
            if self._offset is not None and not await self._interrupts.until_first(_take_over(context)):
                raise EngineError("interrupted before it went on")
            worker.spawn()
            summary = await self._follow(context, supervised, worker, CrawlRegistry(client))
            warm = summary is not None and self._worker_ready
            return summary
        finally:
            await repairs.end()
            if not warm:
                # A second interrupt, an engine that failed, or a worker that has nothing yet: no waiting.
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
        seeding = await self._seeding(context.ledger, registry)
        watch = self._watch = Watch(
            context.ledger,
            self._reporter,
            context=context,
            max_duration_ms=self._plan.max_duration_ms,
        )

        async def closed() -> dict[str, Any]:
            if seeding is not None:
                await seeding.begun()
            return await watch.wait_closed()

        summary: dict[str, Any] | None = await first_of(
            ending=[closed(), self._forced()],
            beside=[
                *([seeding.task] if seeding is not None else []),
                asyncio.create_task(self._keep_alive(supervised, worker)),
                asyncio.create_task(self._stop_when_interrupted(context.ledger, seeding)),
            ],
        )
        return summary

    async def _seeding(self, ledger: Ledger, registry: CrawlRegistry) -> Seeding | None:
        if self._offset is not None and not (await ledger.counts()).seeding:
            return None
        if self._roots is None:
            raise ConfigError(
                f"crawl {self._plan.crawl}: its seeding was cut, and where its seeds are is not known any"
                " more; its state folder was changed"
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

    async def _keep_alive(self, supervised: Supervised, worker: EmbeddedWorker) -> None:
        await worker.wait_ready()
        self._worker_ready = True
        await supervised.run()

    async def _stop_when_interrupted(self, ledger: Ledger, seeding: Seeding | None) -> None:
        await self._interrupts.once.wait()
        if seeding is not None:
            await seeding.begun()
        await ledger.stop("interrupt")


async def _take_over(context: CrawlContext) -> None:
    """Let what the former command held be delivered again: whoever had a lease ended with it."""
    await context.ledger.abandon()
    await reap(context, limit=_ALL)


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
