"""A crawl over many machines: seeded and watched from here, executed by whatever workers the broker has."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from quarry.crawl.delivery import CrawlContext
from quarry.crawl.heartbeat import Heartbeat
from quarry.crawl.interrupts import Interrupts
from quarry.crawl.plan import CrawlPlan, decode_plan
from quarry.crawl.roots import load_roots
from quarry.crawl.storage import storage_is_here
from quarry.crawl.summary import partial_result, result_of
from quarry.crawl.watch import Watch
from quarry.engine.broker import Broker
from quarry.engine.following import Seeding, first_of
from quarry.engine.preparing import Prepared, prepare
from quarry.engine.results import add_up, report_crawl
from quarry.engine.state import crawl_folder, drop_unsaved, remove_folder_of
from quarry.errors import ConfigError, LedgerImbalanceError, LedgerMissingError, SchedulerError, StoreError
from quarry.lode import Dataset
from quarry.types import RunResult, new_run_id
from quarry.wiring import make_bounds, make_tools

if TYPE_CHECKING:
    from quarry.config import Settings
    from quarry.crawl.attempt import Tools
    from quarry.crawl.plan import JobPayload
    from quarry.crawl.reporter import Reporter
    from quarry.crawl.roots import Roots

_LEFT = "detached"
_ATTACH_S = 30.0
_ASK_S = 5.0


def run_fleet(
    settings: Settings, reporter: Reporter, *, payloads: list[JobPayload] | None = None
) -> RunResult:
    """Begin a crawl on a broker, or attach to one, and watch it; it goes on whatever becomes of this command.

    Args:
        settings: The command's settings, with a broker.
        reporter: Told of progress and warnings.
        payloads: Roots of a new crawl, where they are not the settings' (``quarry retry``).

    Returns:
        The command's result; exit code 4 where the crawl goes on without it, but 0 with ``--detach``.

    Raises:
        ConfigError: Settings or a broker that can't be used; nothing has been begun then.
        LedgerMissingError: The crawl to attach to is not on this broker.
        StoreError: The storage can't be written at the start.
        LedgerImbalanceError: The books don't balance at the close.
    """
    if settings.attach is not None:
        return asyncio.run(_attached(settings, settings.attach, reporter))
    crawl = settings.run_id or new_run_id()
    asyncio.run(_check(settings, crawl, reporter))
    # Outside of an event loop: an interrupt ends a read from standard input at once.
    prepared = prepare(settings, crawl, payloads)
    try:
        prepared.dataset.put_marker(prepared.plan.day, crawl)
        prepared.roots.save(prepared.folder)
        return asyncio.run(_begun(settings, prepared, reporter))
    finally:
        drop_unsaved(prepared.folder, prepared.roots)


async def _check(settings: Settings, crawl: str, reporter: Reporter) -> None:
    async with Broker(str(settings.broker)) as broker:
        await broker.check(reporter)
        await broker.check_new(crawl)


async def _begun(settings: Settings, prepared: Prepared, reporter: Reporter) -> RunResult:
    async with Broker(str(settings.broker)) as broker:
        tools = make_tools(settings, prepared.dataset)
        plan = msgspec.structs.replace(
            prepared.plan, versions=_versions(prepared.plan, prepared.roots, tools)
        )
        fleet = FleetCrawl(settings, plan, broker, tools, reporter, seeder=prepared.roots.seeder)
        return await fleet.run(prepared.roots, start=None)


def _versions(plan: CrawlPlan, roots: Roots, tools: Tools) -> dict[str, str]:
    """Give the versions of the scripts that this machine has: what the crawl executes, wherever it does."""
    paths = {name: entry.path for name, entry in plan.scripts.items()}
    if roots.root is not None and roots.root.path is not None:
        paths[roots.root.target] = roots.root.path
    found = {target: tools.hashes.sha256(path) for target, path in paths.items()}
    return {target: sha256 for target, sha256 in found.items() if sha256 is not None}


async def _attached(settings: Settings, crawl: str, reporter: Reporter) -> RunResult:
    async with Broker(str(settings.broker)) as broker:
        # The crawl goes on while its Redis restarts; one to begin should hear of it at once.
        await broker.check(reporter, wait_s=_ATTACH_S)
        state = await broker.state(crawl)
        plan = decode_plan(state.config)
        tools = None
        if storage_is_here(plan):
            tools = make_tools(settings, Dataset.create(plan.storage_path, plan.dataset))
        else:
            reporter.warning(
                f"the crawl's storage {plan.storage_path} is not on this machine: counters are shown, data"
                " are not"
            )
        fleet = FleetCrawl(settings, plan, broker, tools, reporter, seeder=state.seeder)
        roots = None
        if (await fleet.ledger.counts()).seeding:
            roots = load_roots(crawl_folder(settings.state_dir, crawl), seeder=state.seeder)
            if roots is None:
                reporter.warning(
                    "its seeding was cut, or goes on elsewhere: attach on the machine that began it to go on"
                    f" with it, or end it with quarry stop {crawl}"
                )
        return await fleet.run(roots, start=state.offset)


class FleetCrawl:
    """One crawl of a broker, as the command sees it.

    Attributes:
        ledger: Of the crawl.

    Args:
        settings: The command's settings.
        plan: The crawl.
        broker: Where it is.
        tools: For its storage; None where this machine does not see it.
        reporter: Told of progress and warnings.
        seeder: Of the crawl: whose state folder is its own.
    """

    def __init__(
        self,
        settings: Settings,
        plan: CrawlPlan,
        broker: Broker,
        tools: Tools | None,
        reporter: Reporter,
        *,
        seeder: str,
    ) -> None:
        self.ledger = broker.ledger(plan.crawl)
        self._settings = settings
        self._plan = plan
        self._broker = broker
        self._tools = tools
        self._reporter = reporter
        self._seeder = seeder
        self._folder = crawl_folder(settings.state_dir, plan.crawl)
        self._interrupts = Interrupts(reporter, hint="leaving the crawl to its workers")
        self._seeded_here = False
        self._started = time.monotonic()
        self._log = structlog.get_logger("quarry.engine").bind(crawl=plan.crawl)
        context = None
        if tools is not None:
            context = CrawlContext(
                plan=plan, ledger=self.ledger, tools=tools, heartbeat=Heartbeat(lambda _: self.ledger)
            )
        self._watch = Watch(self.ledger, reporter, context=context, max_duration_ms=plan.max_duration_ms)

    async def run(self, roots: Roots | None, *, start: int | None) -> RunResult:
        """Seed what is left to seed, and watch.

        Args:
            roots: Where the seeds come from; None where there are none left, or nobody here knows.
            start: Seeds that the ledger has received; None begins the crawl.
        """
        self._interrupts.listen()
        beside: list[asyncio.Task[Any]] = []
        try:
            if roots is not None:
                seeding = self._seeding(roots, start or 0)
                beside.append(seeding.task)
                try:
                    begun = await self._interrupts.until_first(seeding.begun())
                except ConfigError:
                    await self._is_there()
                    raise
                if not begun:
                    return await self._left_early(seeding)
            if start is None:
                self._reporter.info(f"crawl {self._plan.crawl} on {self._broker.address}")
            follow = self._seeded(beside) if self._settings.detach else self._watch.wait_closed()
            ended = await first_of(ending=[follow, self._interrupted()], beside=beside)
        except (SchedulerError, StoreError) as error:
            if isinstance(error, LedgerImbalanceError) or (
                isinstance(error, LedgerMissingError) and not start
            ):
                raise
            self._log.error("crawl.unfinished", error=error.message)
            return self._unfinished(error.message)
        finally:
            for task in beside:
                task.cancel()
            if self._tools is not None:
                self._tools.threads.close()
        return self._result(ended)

    def _seeding(self, roots: Roots, start: int) -> Seeding:
        return Seeding(
            plan=self._plan,
            roots=roots,
            ledger=self.ledger,
            registry=self._broker.registry,
            bounds=make_bounds(self._settings, self._plan),
            high_water=self._settings.high_water,
            start=start,
        )

    async def _left_early(self, seeding: Seeding) -> RunResult:
        """End where an interrupt came before the first seeds were known to be in the ledger."""
        try:
            async with asyncio.timeout(_ASK_S):
                await seeding.end()
                if not await self._is_there():
                    return self._partial(
                        outcome="unfinished", exit_code=4, message="interrupted before the crawl was begun"
                    )
                await self._watch.look()
        except (SchedulerError, TimeoutError):
            return self._unfinished("interrupted, and its broker does not say whether the crawl was begun")
        return self._result(None)

    async def _is_there(self) -> bool:
        """Say whether the ledger has this crawl; where it has none, or another's, nothing is kept of it."""
        state = await self.ledger.state()
        there = state.exists and state.seeder == self._seeder
        if not there:
            remove_folder_of(self._folder, self._seeder)
        return there

    async def _seeded(self, beside: list[asyncio.Task[Any]]) -> Any:
        await asyncio.gather(*beside)
        self._seeded_here = bool(beside)
        with contextlib.suppress(SchedulerError):  # the seeds are in, whatever is shown of them
            await self._watch.look()
        return _LEFT

    async def _interrupted(self) -> Any:
        await self._interrupts.once.wait()

    def _result(self, ended: Any) -> RunResult:
        if ended == {}:
            return self._partial(
                outcome="closed",
                exit_code=0,
                message="the crawl has ended; its summary is in its storage, which is not on this machine",
            )
        if isinstance(ended, dict):
            remove_folder_of(self._folder, self._seeder)
            result = result_of(self._plan, ended, max_failures=self._settings.max_failures, warnings=[])
            return report_crawl(self._settings, result)
        attach = f"quarry run --attach {self._plan.crawl} watches it, quarry stop {self._plan.crawl} ends it"
        detached = ended == _LEFT
        if detached and self._seeded_here:
            remove_folder_of(self._folder, self._seeder)  # nothing is left to seed
        if not detached and self._watch.counts is not None and self._watch.counts.seeding:
            attach = f"its seeding waits for quarry run --attach {self._plan.crawl} on this machine; {attach}"
        return self._partial(
            outcome="detached",
            exit_code=0 if detached else 4,
            message=f"the crawl goes on; {attach}" if detached else f"left by an interrupt, {attach}",
        )

    def _unfinished(self, message: str) -> RunResult:
        return self._partial(
            outcome="unfinished",
            exit_code=4,
            message=f"{message}; what was committed is readable, and quarry run --attach {self._plan.crawl}"
            " watches on",
        )

    def _partial(self, *, outcome: str, exit_code: int, message: str) -> RunResult:
        dataset = self._tools.dataset if self._tools is not None and outcome != "detached" else None
        return partial_result(
            self._plan,
            outcome=outcome,
            exit_code=exit_code,
            message=message,
            duration_ms=round((time.monotonic() - self._started) * 1000),
            tally=add_up(self._plan, dataset),
            counts=self._watch.counts,
        )
