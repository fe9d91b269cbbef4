"""One asyncio event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")


class LoopThread:
    """A background event loop that survives whatever its tasks raise.

    The thread lives from `start` to `stop`; a child process whose parent-death signal follows the thread that
    made it therefore lives as long as the loop.
    """

    def __init__(self, name: str) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._stopping = False
        # A daemon: a task that blocks the loop for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._log = structlog.get_logger("quarry.tasks")

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Have `function` called on the loop; from any thread, without waiting.

        Raises:
            RuntimeError: The loop is closed.
        """
        self._loop.call_soon_threadsafe(function, *args)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the loop; from any thread, without waiting."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def create_task(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task; on the loop's thread only."""
        return self._loop.create_task(coroutine)

    def stop(self, timeout_s: float) -> bool:
        """Cancel what still runs, close the loop and wait for the thread.

        Polls instead of joining, so that a signal handler in the waiting thread meets no held lock.

        Returns:
            Whether the thread ended in time.
        """
        self._stopping = True
        if self._thread.is_alive():
            self.call(self._loop.stop)
        deadline = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._stopping:
            try:
                self._loop.run_forever()
            except BaseException:  # noqa: BLE001 -- asyncio lets SystemExit of any task out of run_forever
                self._log.exception("loop.interrupted")
        try:
            self._finish()
        finally:
            self._loop.close()

    def _finish(self) -> None:
        """Cancel all tasks and let each take its last step."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
