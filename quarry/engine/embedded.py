"""A whole crawl on one machine: private server and worker, seeding and watching, ended with the command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from quarry.crawl.granting import check_pools
from quarry.crawl.interrupts import Interrupts
from quarry.crawl.plan import decode_plan
from quarry.crawl.roots import drop_roots, load_roots
from quarry.engine.embedded_crawl import EmbeddedCrawl
from quarry.engine.preparing import prepare
from quarry.engine.server import PrivateServer
from quarry.engine.state import crawl_folder, drop_unsaved
from quarry.errors import (
    ConfigError,
    EngineBusyError,
    EngineError,
)
from quarry.lode import Dataset
from quarry.redisio import make_client
from quarry.scheduler import Ledger
from quarry.types import RunResult, new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from quarry.config import Settings
    from quarry.crawl.plan import JobPayload
    from quarry.crawl.reporter import Reporter
    from quarry.scheduler import LedgerState


def run_embedded(
    settings: Settings, reporter: Reporter, *, payloads: list[JobPayload] | None = None
) -> RunResult:
    """Run a fan-out crawl on this machine, or go on with one whose command ended.

    Args:
        settings: The command's settings.
        reporter: Told of progress and warnings.
        payloads: Roots of a new crawl, where they are not the settings' (``quarry retry``).

    Returns:
        The command's result; exit code 4 where the crawl could not be finished.

    Raises:
        ConfigError: Settings that only show here to be wrong; nothing has been started then.
        StoreError: The storage can't be written at the start.
        LedgerImbalanceError: The books don't balance at the close.
    """
    make = _resumed if settings.resume is not None else _new
    crawl = settings.resume or settings.run_id or new_run_id()
    begin = make(settings, crawl, reporter, payloads)
    try:
        return asyncio.run(begin())
    except EngineBusyError as error:
        raise ConfigError(
            f"{'--resume' if settings.resume is not None else '--run-id'} {crawl}: another command on this"
            f" machine is still running crawl {crawl}, and nothing can join it; wait for its end, or"
            " interrupt it"
        ) from error


def _new(
    settings: Settings, crawl: str, reporter: Reporter, payloads: list[JobPayload] | None
) -> Callable[[], Coroutine[Any, Any, RunResult]]:
    prepared = prepare(settings, crawl, payloads)

    async def begin() -> RunResult:
        interrupts = Interrupts(reporter)
        interrupts.listen()
        server = PrivateServer(prepared.folder / "redis")
        try:
            return await EmbeddedCrawl(
                settings,
                prepared.plan,
                prepared.roots,
                prepared.dataset,
                server,
                reporter=reporter,
                interrupts=interrupts,
            ).run()
        finally:
            drop_unsaved(prepared.folder, prepared.roots)

    return begin


def _resumed(
    settings: Settings, crawl: str, reporter: Reporter, _payloads: list[JobPayload] | None
) -> Callable[[], Coroutine[Any, Any, RunResult]]:
    """Prepare to start the server of a crawl on its file again, and to go on where the ledger stands."""
    folder = crawl_folder(settings.state_dir, crawl)
    if not (folder / "redis").is_dir():
        raise ConfigError(
            f"--resume {crawl}: there is nothing of it to go on with in {folder.parent}; it has ended, or its"
            " state folder is another one (XDG_STATE_HOME, QUARRY_STATE_DIR)"
        )

    async def begin() -> RunResult:
        interrupts = Interrupts(reporter)
        interrupts.listen()
        server = PrivateServer(folder / "redis")
        try:
            if not await interrupts.until_first(server.begin()):
                raise EngineError(
                    f"interrupted before crawl {crawl} went on; quarry run --resume {crawl} goes on"
                )
            state, seeding = await _read_state(server, crawl, folder)
            roots = load_roots(folder, seeder=state.seeder) if seeding else None
            plan = decode_plan(state.config)
            check_pools(plan, settings.proxies)
            dataset = Dataset.create(plan.storage_path, plan.dataset)
            return await EmbeddedCrawl(
                settings,
                plan,
                roots,
                dataset,
                server,
                reporter=reporter,
                interrupts=interrupts,
                offset=state.offset,
                parallel=state.parallel,
            ).run()
        finally:
            server.stop()

    return begin


async def _read_state(server: PrivateServer, crawl: str, folder: Path) -> tuple[LedgerState, bool]:
    """Read the head of a crawl, and whether it is still seeded."""
    client = make_client(server.url)
    try:
        ledger = Ledger(client, crawl)
        state = await ledger.state()
        if not state.exists:
            drop_roots(folder)
            raise ConfigError(
                f"--resume {crawl}: its command ended before its first job was in the ledger; begin it anew"
                f" (what it read from standard input is in {folder})"
            )
        return state, bool((await ledger.counts()).seeding)
    finally:
        await client.aclose()
