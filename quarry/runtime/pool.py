"""Many runs in few processes of Quarry's own executor."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from quarry.errors import QuarryError
from quarry.runtime.inbox import CREDIT_BYTES
from quarry.runtime.process import ExecutorStartError
from quarry.runtime.served_run import ServedRun
from quarry.runtime.serving import ServingProcess
from quarry.runtime.session import OnEnqueue, OnRotate, RunSession
from quarry.runtime.single import executor_env
from quarry.runtime.stopping import CANCELLED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quarry.policy import Policy
    from quarry.runtime.report import RunReport
    from quarry.runtime.spec import RunSpec
    from quarry.runtime.storing import FilePut

MAX_RSS_BYTES = 1024 * 1024 * 1024
"""Resident size above which an executor process gets no new runs."""

_CLOSE_S = 60.0


class ExecutorPool:
    """Execute runs in executor processes that serve many at once.

    A process is recycled after a number of runs, above a memory limit, after a crash, and after a run that
    had to be cancelled: it gets no new runs, is replaced at once, and ends when its last run has.

    Args:
        capacity: Runs at once, over all processes; further ones wait.
        processes: Executor processes; a run goes to the one with the fewest.
        resolve_from: Folder for scripts' own imports.
        max_runs_per_process: Runs after which a process is recycled.
        max_rss_bytes: Resident size above which it is.
        env: Environment of executors; None inherits.
        credit_bytes: Bytes of one run that may be on their way to storage.
        argv: Another program than Quarry's own executor, for tests.
        on_start: Called when a process has started.
        logger: A structlog logger.
    """

    def __init__(
        self,
        *,
        capacity: int,
        processes: int = 1,
        resolve_from: str | None = None,
        max_runs_per_process: int = 1000,
        max_rss_bytes: int = MAX_RSS_BYTES,
        env: dict[str, str] | None = None,
        credit_bytes: int = CREDIT_BYTES,
        argv: Sequence[str] | None = None,
        on_start: Callable[[], None] | None = None,
        logger: Any = None,
    ) -> None:
        self._capacity = capacity
        self._wanted = processes
        self._max_runs = max_runs_per_process
        self._max_rss_bytes = max_rss_bytes
        self._env = executor_env(env, resolve_from)
        self._credit_bytes = credit_bytes
        self._argv = argv
        self._on_start = on_start
        self._log = logger if logger is not None else structlog.get_logger("quarry.runtime")
        self._servers: list[ServingProcess] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._retiring: dict[ServingProcess, asyncio.Task[None]] = {}
        self._winding_down: set[asyncio.Task[None]] = set()
        self._active: dict[str, asyncio.Event] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._slots = asyncio.Semaphore(capacity)
        self._threads = ThreadPoolExecutor(max_workers=capacity, thread_name_prefix="quarry-run")
        self._closing = False

    @property
    def pids(self) -> list[int]:
        """Process ids of the executors that take runs."""
        return [server.pid for server in self._servers]

    async def start(self) -> None:
        """Start all processes and wait until each has announced itself.

        Raises:
            ExecutorStartError: One could not be started; none is left running.
            VersionMismatchError: One speaks another contract version; likewise.
        """
        self._replenish()
        results: list[BaseException | None] = await asyncio.gather(*self._starting, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                await self.close(0)
                raise result

    async def execute(
        self,
        spec: RunSpec,
        *,
        policy: Policy,
        put_file: FilePut,
        on_enqueue: OnEnqueue | None = None,
        on_rotate: OnRotate | None = None,
        cancel: asyncio.Event | None = None,
    ) -> RunReport:
        """Execute one run to its outcome; it has ended in its process when this returns.

        Args:
            spec: The run. Its deadline counts from the moment at which it has a slot and a process.
            policy: Takes its events; blocking, called in a thread.
            put_file: Takes its files; likewise.
            on_enqueue: Awaited with enqueue events before the policy sees them. LeaseLostError ends the run
                as cancelled; any other exception passes through once the run has ended.
            on_rotate: Awaited for another endpoint at each ``rotate_proxy``; what it raises likewise.
            cancel: Set to end the run, before it started or while it runs.
        """
        run_id = spec.identity.run_id
        async with self._slots:
            while run_id in self._active:  # an earlier delivery of it that is just being ended
                await self._active[run_id].wait()
            self._active[run_id] = asyncio.Event()
            self._idle.clear()
            session = RunSession(
                spec,
                policy=policy,
                put_file=put_file,
                on_enqueue=on_enqueue,
                on_rotate=on_rotate,
                threads=self._threads,
                logger=self._log,
            )
            try:
                return await self._execute(session, cancel)
            finally:
                if not any(run_id in server.runs for server in self._all()):
                    self._forget(run_id)

    async def close(self, grace_s: float) -> None:
        """Let runs end for a while, then end every process.

        Args:
            grace_s: How long; what still runs then ends as cancelled.
        """
        self._closing = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), max(grace_s, 0.001))
        starting = list(self._starting)
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        for server in self._all():
            for run in server.runs.values():
                run.abandon()
            if server.runs:
                server.kill_nowait("the pool was closed")
            self._retire(server, "the pool was closed")
        await asyncio.gather(*self._retiring.values(), *self._winding_down, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), _CLOSE_S)
        self._threads.shutdown(wait=False)

    async def _execute(self, session: RunSession, cancel: asyncio.Event | None) -> RunReport:
        if self._closing or (cancel is not None and cancel.is_set()):
            session.stopped = CANCELLED
            return session.report(exit_code=None, pid=None)
        try:
            server = await self._choose()
        except QuarryError as error:
            return session.report(exit_code=None, pid=None, could_not_start=error)
        run = ServedRun(session, server, credit_bytes=self._credit_bytes)
        try:
            await run.to_end(cancel)
        except asyncio.CancelledError:
            task = asyncio.create_task(self._wind_down(run, server))
            self._winding_down.add(task)
            task.add_done_callback(self._winding_down.discard)
            raise
        self._review(server)
        await session.finish()
        lost = server.lost if session.result is None else None
        return session.report(
            exit_code=server.exit_code if lost else None,
            pid=server.pid,
            process_stderr=server.process.stderr if lost else None,
            lost_process=lost,
        )

    async def _wind_down(self, run: ServedRun, server: ServingProcess) -> None:
        """See a run to its end whose caller has gone."""
        try:
            await run.wind_down()
        finally:
            self._forget(run.run_id)
            self._review(server)

    def _forget(self, run_id: str) -> None:
        """The run is in no process any more; its id may be executed again."""
        self._active.pop(run_id).set()
        if not self._active:
            self._idle.set()

    def _all(self) -> list[ServingProcess]:
        return [*self._servers, *self._retiring]

    async def _choose(self) -> ServingProcess:
        """Give the process with the fewest runs; waits for a start where there is none.

        Raises:
            QuarryError: None could be started.
        """
        while True:
            for server in list(self._servers):
                self._review(server)
            self._replenish()
            if self._servers:
                return min(self._servers, key=lambda server: len(server.runs))
            if self._closing:
                raise ExecutorStartError("the executor pool was closed")
            done, _ = await asyncio.wait(self._starting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    def _replenish(self) -> None:
        """Start what is missing; does not wait."""
        while not self._closing and len(self._servers) + len(self._starting) < self._wanted:
            task = asyncio.create_task(self._start_one())
            self._starting.add(task)
            task.add_done_callback(self._started)

    async def _start_one(self) -> None:
        self._servers.append(
            await ServingProcess.start(
                capacity=self._capacity, env=self._env, logger=self._log, argv=self._argv
            )
        )
        if self._on_start is not None:
            self._on_start()

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("executor.start_failed", error=str(error))

    def _review(self, server: ServingProcess) -> None:
        """Recycle a process whose time has come, and start its successor."""
        if server not in self._servers:
            return
        if server.retiring is None and server.served >= self._max_runs:
            server.retiring = "it has had its number of runs"
        if server.retiring is None and server.over_memory(self._max_rss_bytes):
            server.retiring = "it is above its memory limit"
        if server.retiring is not None:
            self._retire(server, server.retiring)
            self._replenish()

    def _retire(self, server: ServingProcess, reason: str) -> None:
        server.retiring = server.retiring or reason
        if server in self._servers:
            self._servers.remove(server)
        if server not in self._retiring:
            task = asyncio.create_task(server.retire())
            self._retiring[server] = task
            task.add_done_callback(lambda _: self._retiring.pop(server, None))
