"""What is done to workers and executors, to the broker's messages, and to storage. Each strikes once a call."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

from tests.chaos.processes import executors, send, tree
from tests.chaos.run import LEASE_MS

if TYPE_CHECKING:
    import random

    from tests.chaos.run import Run


async def kill_worker(run: Run, rng: random.Random) -> None:
    """kill -9 of a worker, started again soon after."""
    worker = run.fleet.choose(rng)
    if worker is None or worker.pid is None:
        return
    run.killed_pids.add(worker.pid)
    run.note(f"kill -9 of worker {worker.name} ({worker.pid})")
    worker.kill()
    run.count("kills")
    await asyncio.sleep(rng.uniform(0, 0.5))
    if worker.pid is None:
        worker.start()
        run.count("restarts")


async def kill_executor(run: Run, rng: random.Random) -> None:
    """kill -9 of an executor process that serves runs."""
    for _ in range(200):
        worker = run.fleet.choose(rng)
        found = executors(worker.pid) if worker is not None and worker.pid is not None else []
        if found:
            victim = rng.choice(found)
            run.note(f"kill -9 of executor {victim} of {worker.name if worker else ''}")
            send([victim], signal.SIGKILL)
            run.count("kills")
            return
        await asyncio.sleep(0.02)


async def pause_worker(run: Run, rng: random.Random) -> None:
    """SIGSTOP of a worker and all below it for longer than its lease, then SIGCONT."""
    worker = run.fleet.choose(rng)
    if worker is None or worker.pid is None:
        return
    pids = [worker.pid, *tree(worker.pid)]
    run.note(f"SIGSTOP of {worker.name} and {len(pids) - 1} below it")
    send(pids, signal.SIGSTOP)
    try:
        # By the ledger's own time the leases must have lapsed and been given to others.
        await asyncio.sleep(LEASE_MS / 1000 + rng.uniform(0.3, 1.5))
    finally:
        send(pids, signal.SIGCONT)
    run.note(f"SIGCONT of {worker.name}")
    run.count("pauses")


async def make_half_open(run: Run, rng: random.Random) -> None:
    """All connections of one worker to Redis become half open."""
    worker = rng.choice(run.fleet.workers)
    before = run.counts.redeliveries if run.counts else 0
    deadline = time.monotonic() + 2 * LEASE_MS / 1000
    dropped = 0
    # What the worker opens anew goes the same way until others have taken its work; it gives a silent
    # connection up after its socket timeout (10 s).
    while time.monotonic() < deadline and not run.closed:
        dropped += await run.proxies.drop(worker.env["QUARRY_BROKER"])
        await asyncio.sleep(0.3)
        if run.counts and run.counts.redeliveries > before:
            break
    run.note(f"{dropped} times a connection of {worker.name} was half open")
    run.count("half-open", dropped)


async def _disturb_storage(run: Run, what: str, seconds: float) -> None:
    flag = run.fleet.storage_flags / what
    run.note(f"storage: {what} for {seconds:.1f} s")
    flag.touch()
    try:
        await asyncio.sleep(seconds)
    finally:
        flag.unlink()
    run.note(f"storage: no longer {what}")


async def fail_storage(run: Run, rng: random.Random) -> None:
    """Every storage call of every worker fails for a while."""
    await _disturb_storage(run, "fail", rng.uniform(0.3, 1.0))


async def hang_storage(run: Run, rng: random.Random) -> None:
    """Every storage call of every worker hangs for a while, longer than a lease at times."""
    await _disturb_storage(run, "hang", rng.uniform(1.0, LEASE_MS / 1000 + 1.5))


async def fill_disk(run: Run, rng: random.Random) -> None:
    """No space is left for a while: the run's own file system is filled, where one could be mounted."""
    seconds = rng.uniform(0.3, 1.0)
    if not run.disk.mounted:
        await _disturb_storage(run, "full", seconds)
        return
    run.note(f"the disk is full for {seconds:.1f} s")
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            # Deliveries that fail remove their files: what they free is taken too.
            run.disk.fill()
            await asyncio.sleep(0.01)
    finally:
        run.disk.free()
    run.note("the disk has space again")


async def kill_watcher(run: Run, rng: random.Random) -> None:
    """kill -9 of the command that watches; another one attaches."""
    run.watcher_down = True
    run.watcher.kill()
    run.count("kills")
    run.count("watcher-kills")
    run.note("kill -9 of the watcher")
    await asyncio.sleep(rng.uniform(0, 1.0))
    run.watcher.attach()
    run.watcher_down = False
    run.count("restarts")
