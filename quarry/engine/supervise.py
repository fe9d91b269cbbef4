"""Keeps the private server and the embedded worker alive while a crawl needs them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from quarry.engine.budget import RestartBudget
from quarry.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.engine.server import PrivateServer
    from quarry.engine.worker import EmbeddedWorker

_WATCH_S = 0.05


class Restartable(Protocol):
    """A process that is started in two steps: without waiting, then waiting on the event loop."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""

    def spawn(self) -> None:
        """Start the process, on the calling thread."""

    async def wait_ready(self) -> None:
        """Wait until it serves."""


@dataclass(frozen=True, kw_only=True)
class Restart:
    """One restart, told to whoever started the engine.

    Attributes:
        name: ``server`` or ``worker``.
        problem: Why it was needed, for the log.
        count: Restarts of that process so far.
    """

    name: str
    problem: str
    count: int


class Supervised:
    """Watches both processes and starts either again where it died, on the same socket, file and settings.

    Args:
        server: Started.
        worker: Started.
        on_restart: Called on the event loop before each restart.
        limit: Restarts of each process allowed in `window_s`.
        window_s: Seconds of the sliding window.
        clock: A monotonic clock in seconds.
    """

    def __init__(
        self,
        server: PrivateServer,
        worker: EmbeddedWorker,
        *,
        on_restart: Callable[[Restart], None],
        limit: int = 5,
        window_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._worker = worker
        self._on_restart = on_restart
        self._clock = clock
        self._budgets = {name: RestartBudget(limit=limit, window_s=window_s) for name in ("server", "worker")}
        self._counts = {"server": 0, "worker": 0}

    async def run(self) -> None:
        """Watch until cancelled; call it on the main thread's event loop (children follow that thread).

        Cancelling stops the watching, not the processes.

        Raises:
            EngineError: A process died more often than its budget allows.
        """
        watchers = [
            asyncio.create_task(self._watch("server", self._server)),
            asyncio.create_task(self._watch("worker", self._worker)),
        ]
        try:
            # Not a TaskGroup: callers catch the EngineError itself, not a group of one.
            done, _ = await asyncio.wait(watchers, return_when=asyncio.FIRST_EXCEPTION)
            for watcher in done:
                watcher.result()
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)

    def stop(self, *, warm: bool = True, grace_s: float | None = None) -> None:
        """End the worker, then the server; blocks; safe to repeat. Cancel `run` first."""
        try:
            self._worker.stop(warm=warm, grace_s=grace_s)
        finally:
            self._server.stop()

    async def _watch(self, name: str, process: Restartable) -> None:
        while True:
            while process.pid is not None:  # noqa: ASYNC110 -- a process has no event
                await asyncio.sleep(_WATCH_S)
            problem = "it died"
            while problem:
                problem = await self._restart(name, process, problem)

    async def _restart(self, name: str, process: Restartable, problem: str) -> str:
        """Start a process again.

        Returns:
            Why it did not come up; empty where it did.
        """
        budget = self._budgets[name]
        if not budget.spend(self._clock()):
            raise EngineError(
                f"the {'private server' if name == 'server' else 'embedded worker'} died more than"
                f" {budget.limit} times in {budget.window_s:g} s: {problem}"
            )
        self._counts[name] += 1
        self._on_restart(Restart(name=name, problem=problem, count=self._counts[name]))
        try:
            process.spawn()
            await process.wait_ready()
        except EngineError as error:
            return error.message
        return ""
