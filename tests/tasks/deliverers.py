"""Deliverers for the tests' worker processes: real coroutines that say what they did in files.

Each is named by its dotted factory; the folder to write to comes by the environment.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any


def note(folder: Path, name: str, line: str) -> None:
    """Append one line with one system call."""
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


class Recorder:
    """Notes start, end and cancellation of each delivery; the key says what it does."""

    def __init__(self, broker_url: str, concurrency: int) -> None:
        self._folder = Path(os.environ["QUARRY_TEST_FOLDER"])
        self._made_with = f"{broker_url} {concurrency}"
        self._children: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        note(self._folder, "environment", " ".join(f"{k}={v}" for k, v in os.environ.items()))
        note(self._folder, "life", f"start {os.getpid()} {self._made_with}")

    async def deliver(self, crawl: str, key: str) -> dict[str, Any]:
        note(self._folder, "started", key)
        try:
            await self._act(crawl, key)
        except asyncio.CancelledError:
            note(self._folder, "cancelled", key)
            raise
        note(self._folder, "done", key)
        return {"key": key, "outcome": "success"}

    async def _act(self, crawl: str, key: str) -> None:
        kind = key.partition("-")[0]
        if kind == "hold":  # until the test says so
            while not (self._folder / "release").exists():
                await asyncio.sleep(0.01)
        elif kind == "raise":
            raise LookupError(f"asked to raise by {key}")
        elif kind == "exit":
            sys.exit(3)
        elif kind == "childexit":
            self._children.append(asyncio.create_task(_exit_in_child()))
            await asyncio.sleep(0.05)
        elif kind == "unprintable":
            raise UnprintableError
        elif kind == "memory":
            raise MemoryError("asked for")
        elif kind == "slowend":  # takes its time to end
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                note(self._folder, "cancelled", key)
                while not (self._folder / "release").exists():
                    await asyncio.sleep(0.01)
                raise
        elif kind == "deaf":  # swallows its cancellation
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    note(self._folder, "cancelled", key)

    async def stop(self, grace_s: float) -> None:
        note(self._folder, "life", f"stop {os.getpid()}")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


async def _exit_in_child() -> None:
    sys.exit(4)


class NoOp:
    """Does nothing, as fast as the pool can have it done."""

    def __init__(self, broker_url: str, concurrency: int) -> None:
        self._done = 0

    async def start(self) -> None: ...

    async def deliver(self, crawl: str, key: str) -> dict[str, Any]:
        return {"outcome": "success"}

    async def stop(self, grace_s: float) -> None: ...


class BadStart(NoOp):
    async def start(self) -> None:
        raise ConnectionError("the deliverer cannot start")


class WithExecutor(Recorder):
    """Each delivery is a child process that the pool's loop starts, as executors are."""

    async def _act(self, crawl: str, key: str) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CHILD, stdin=asyncio.subprocess.PIPE, process_group=0
        )
        note(self._folder, "executor", str(child.pid))
        try:
            await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


_CHILD = "import sys; sys.stdin.read()"
