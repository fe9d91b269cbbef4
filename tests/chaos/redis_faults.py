"""What is done to Redis: its process, its file, its connections, its list of messages."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from tests.chaos.processes import send

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.chaos.run import Run

QUEUE = "quarry"
_WINDOW_S = 1.0


async def kill_redis(run: Run, rng: random.Random) -> None:
    """kill -9 of Redis; it comes back on its file."""
    async with run.redis_lock:
        await _kill(run)
        await asyncio.sleep(rng.uniform(0, 1.0))
        await _start(run)


async def roll_back(run: Run, rng: random.Random) -> None:
    """Redis falls back to a copy of its append-only file from a second before."""
    async with run.redis_lock:
        live = run.fleet.server.folder / "appendonlydir"
        copy = run.folder / "aof-copy"
        shutil.rmtree(copy, ignore_errors=True)
        _copy(live, copy)
        before = run.done
        copied = time.monotonic()
        age = rng.uniform(0.6, 1.1)
        while time.monotonic() - copied < age and not run.closed:
            await asyncio.sleep(0.01)
        if run.closed:
            return
        await _kill(run)
        if _announced_since(live, copy):
            # The close is on disk before it is announced: no host crash takes it back.
            run.note("no rollback: the crawl was closed within the second")
        else:
            lost = run.done - before
            shutil.rmtree(live)
            copy.rename(live)
            run.count("rollbacks")
            run.count("rolled-back-jobs", max(lost, 0))
            run.note(f"rolled back by {time.monotonic() - copied:.2f} s; {lost} settled jobs forgotten")
        await _start(run)


async def kill_clients(run: Run, rng: random.Random) -> None:
    """CLIENT KILL of all connections."""
    del rng
    async with run.redis_lock:
        with suppress(RedisError):
            killed = await run.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            run.count("clients-killed", int(killed))
            run.note(f"CLIENT KILL of {killed} connections")


async def empty_broker(run: Run, rng: random.Random) -> None:
    """The broker's list is deleted while messages wait in it."""
    del rng
    async with run.redis_lock:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and not run.closed:
            # One step: no worker pops in between what is counted as lost.
            waiting, _ = await run.client.pipeline(transaction=True).llen(QUEUE).delete(QUEUE).execute()
            if waiting:
                run.count("messages-lost", int(waiting))
                run.note(f"DEL of the broker's list with {waiting} messages")
                return
            await asyncio.sleep(0.01)


async def repeat_messages(run: Run, rng: random.Random) -> None:
    """Every message that is pushed within a second is pushed once more."""
    until = time.monotonic() + _WINDOW_S * rng.uniform(0.7, 1.3)
    async with run.redis_lock:
        with suppress(RedisError, TimeoutError):
            async with run.client.monitor() as monitor:
                # A look at the clock after each command: a cancelled read may be taken for an idle one.
                while (left_s := until - time.monotonic()) > 0:
                    command = await asyncio.wait_for(monitor.next_command(), left_s)
                    text = command["command"]
                    if command["client_type"] == "lua" and text.startswith(f"LPUSH {QUEUE} "):
                        body = text.removeprefix(f"LPUSH {QUEUE} ").replace("\\\\", "\\")
                        await run.client.lpush(QUEUE, body)
                        run.count("messages-repeated")
        run.note(f"messages delivered twice so far: {run.tally.get('messages-repeated', 0)}")


async def _kill(run: Run) -> None:
    pid = run.fleet.server.pid
    assert pid is not None
    send([pid], signal.SIGKILL)
    while run.fleet.server.pid is not None:
        await asyncio.sleep(0.005)
    run.count("kills")
    run.note("kill -9 of Redis")


async def _start(run: Run) -> None:
    run.fleet.server.spawn()
    await run.fleet.server.wait_ready(30)
    run.count("restarts")
    run.note("Redis answers again")


def _copy(live: Path, copy: Path) -> None:
    """Copy the append-only files so that they fit together: again, where Redis rewrote them meanwhile."""
    while True:
        manifest = (live / "appendonly.aof.manifest").read_bytes()
        with suppress(FileNotFoundError):
            shutil.copytree(live, copy)
            if (live / "appendonly.aof.manifest").read_bytes() == manifest:
                return
        shutil.rmtree(copy, ignore_errors=True)


def _announced_since(live: Path, copy: Path) -> bool:
    for path in live.glob("*.incr.aof"):
        known = (copy / path.name).stat().st_size if (copy / path.name).exists() else 0
        with path.open("rb") as file:
            file.seek(max(known - 64, 0))
            if b"closed_ms" in file.read():
                return True
    return False
