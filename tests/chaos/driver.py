"""Makes one run from its seed: starts everything, lets the faults strike, ends everything, checks."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos import faults, redis_faults
from tests.chaos.checks import check_end, check_keys, check_result
from tests.chaos.effects import felt_so_far, unfelt
from tests.chaos.logs import read_logs
from tests.chaos.looks import Looks
from tests.chaos.report import Row
from tests.chaos.run import LEASE_MS, Run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quarry.types import Counts
    from tests.chaos.scenario import Scenario

STALL_S = 45.0
"""Seconds without any change in the ledger after which a crawl counts as hung."""

BASE_S, JOB_S = 240.0, 0.15
"""Seconds after which it does in any case: these, and these for each job."""

STRIKES: dict[str, Callable[[Run, random.Random], Awaitable[None]]] = {
    "worker-kill": faults.kill_worker,
    "executor-kill": faults.kill_executor,
    "redis-kill": redis_faults.kill_redis,
    "worker-pause": faults.pause_worker,
    "client-kill": redis_faults.kill_clients,
    "half-open": faults.make_half_open,
    "redis-rollback": redis_faults.roll_back,
    "broker-emptied": redis_faults.empty_broker,
    "messages-twice": redis_faults.repeat_messages,
    "storage-fails": faults.fail_storage,
    "storage-hangs": faults.hang_storage,
    "disk-full": faults.fill_disk,
    "watcher-kill": faults.kill_watcher,
}
"""What each fault does once."""


def make_folder() -> Path:
    """Make a run's folder, in memory where that is to be had: syncs cost nothing there."""
    shm = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="quarry-chaos-", dir=shm if shm.is_dir() else None))


def run_scenario(scenario: Scenario, *, keep: bool = False, discard: bool = False) -> Row:
    """Make one run.

    Args:
        scenario: Which.
        keep: Whether its folder stays; that of a run with a violation does too.
        discard: Whether not even that stays.
    """
    folder = make_folder()
    try:
        row = asyncio.run(_run(scenario, folder))
    except Exception as error:  # a table goes on with its next row
        traceback.print_exc()
        row = Row(
            fault=scenario.fault,
            seed=scenario.seed,
            jobs=scenario.jobs,
            switch=scenario.switch,
            hung=1,
            wrong=[f"the driver itself failed: {error!r}"],
        )
    if (row.wrong and not discard) or keep:
        print(f"evidence: {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return row


async def _run(scenario: Scenario, folder: Path) -> Row:
    run = Run(scenario, folder)
    try:
        if "disk-full" in scenario.faults and not run.disk.mount():
            run.note("no file system can be mounted here: a full one is feigned")
        run.fleet.server.start()
        if scenario.proxied:
            await run.proxies.start(run.fleet.server.socket_path)
            run.fleet.helpers = frozenset({run.proxies.pid or 0})
        run.open_ledger()
        urls = run.proxies.urls or [run.fleet.server.url] * 4
        run.fleet.start(urls)
        await run.fleet.wait_ready()
        return await _crawl(run)
    finally:
        run.keep_evidence()
        with suppress(Exception):
            await run.client.aclose()
        run.fleet.end()
        await run.proxies.stop()
        run.disk.unmount(keep=bool(run.wrong))


async def _crawl(run: Run) -> Row:
    await run.seed()
    looks = Looks(run)
    following = asyncio.create_task(run.follow())
    others = [asyncio.create_task(looks.watch_records()), asyncio.create_task(looks.read_rows())]
    others += [asyncio.create_task(_strike(run, fault)) for fault in run.scenario.faults]
    while not following.done():
        await asyncio.wait([following], timeout=0.2)
        now = time.monotonic()
        if now - run.changed > STALL_S or now - run.started > BASE_S + JOB_S * run.scenario.jobs:
            what = f"after {now - run.started:.0f} s, {now - run.changed:.0f} s without a change"
            run.violation(f"the crawl did not end {what}: {run.counts}", kind="hung")
            following.cancel()
            break
        for task in others:
            if task.done() and task.exception() is not None:
                run.violation(f"the driver itself failed: {task.exception()!r}")
                following.cancel()
    wall_s = time.monotonic() - run.started
    with suppress(asyncio.CancelledError):
        await following
    looks.end()
    _, late = await asyncio.wait(others, timeout=30)
    for task in late:
        task.cancel()
    return await _conclude(run, looks, wall_s)


async def _strike(run: Run, fault: str) -> None:
    """Let one fault strike at its seeded moments, each while jobs are leased."""
    rng = random.Random(f"{run.scenario.seed}:{fault}")
    times = run.scenario.times(fault)
    moments = sorted(rng.uniform(0.02, 0.85) for _ in range(times))
    for moment in moments:
        if not await run.wait_moment(moment, rng):
            return
        await STRIKES[fault](run, rng)
    # A victim may have had nothing in hand: again, until the fault is felt or the crawl is over.
    while not await _felt_in_time(run, fault) and await run.wait_moment(0, rng):
        await STRIKES[fault](run, rng)


async def _felt_in_time(run: Run, fault: str) -> bool:
    """Wait for as long as it takes until the lease of a lost delivery lapses."""
    until = time.monotonic() + LEASE_MS / 1000 + 1
    while not (felt := felt_so_far(run, fault)) and time.monotonic() < until and not run.closed:
        await asyncio.sleep(0.1)
    return felt


async def _conclude(run: Run, looks: Looks, wall_s: float) -> Row:
    code = await asyncio.to_thread(run.watcher.wait, 30 if run.closed else 0.1)
    if run.closed and code != 0:
        run.violation(
            f"the watcher ended with {code}: {run.watcher.said()}", kind="hung" if code is None else ""
        )
    if code is None:
        run.watcher.kill()
    for problem in await run.fleet.stop():
        run.violation(f"worker {problem}", kind="hung")
    strangers = await run.fleet.left()
    if strangers:
        run.orphans += len(strangers) - 1
        run.violation(f"{len(strangers)} processes are left", kind="orphans")
    counts = await run.ledger.counts()
    told = read_logs([run.folder / "logs", run.folder / "state"])
    if not run.hung:
        looks.compare_records()
        check_end(run, counts, told)
        check_result(run, counts)
        await check_keys(run)
        for fault in unfelt(run, counts, told):
            run.violation(f"no effect: {fault}")
    run.notes += [f"log: {times} x {text}" for text, times in told.errors.most_common(20)]
    return Row(
        fault=run.scenario.fault,
        seed=run.scenario.seed,
        jobs=run.scenario.jobs,
        switch=run.scenario.switch,
        kills=run.tally.get("kills", 0),
        restarts=run.tally.get("restarts", 0),
        rollbacks=run.tally.get("rollbacks", 0),
        redeliveries=counts.redeliveries,
        adoptions=told.adoptions,
        refused=told.refused,
        settled=counts.succeeded + counts.failed,
        cut=scenario_cut(run, counts),
        lost=run.lost,
        twice=run.twice,
        hung=run.hung,
        orphans=run.orphans,
        wall_s=round(wall_s, 1),
        wrong=run.wrong,
    )


def scenario_cut(run: Run, counts: Counts) -> int:
    """Jobs that nobody named because storage ended those who would have."""
    return max(run.answer.admitted - counts.admitted, 0) if run.scenario.storage_faults else 0
