"""Serving: many runs at once in one process, for Quarry's own worker."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
from typing import TYPE_CHECKING

from quarry.errors import ConfigError
from quarry.executor.channel import RunChannel
from quarry.executor.inbox import Inbox
from quarry.executor.lifecycle import RunEnd
from quarry.executor.log import log_line
from quarry.executor.outbox import Outbox
from quarry.executor.output import RunOutput, RunStream
from quarry.executor.process import ProcessServices, run_loop
from quarry.executor.request import check_request
from quarry.executor.run_task import RunTask
from quarry.executor.scope import CURRENT_RUN, RunScope
from quarry.ipc import (
    Cancel,
    Credit,
    FileWriteAck,
    Hello,
    ProxyFrame,
    RunRequest,
    RunResultFrame,
    encode_frame,
)
from quarry.version import CONTRACT_VERSION

if TYPE_CHECKING:
    from quarry.executor.stdio import Wire
    from quarry.ipc import Frame

DEFAULT_CAPACITY = 64
DEFAULT_CREDIT_BYTES = 4 * 1024 * 1024
_LAST_RUNS_S = 3.0
_CANCEL_AGAIN_S = 1.0


def run_serving(capacity: int, wire: Wire) -> int:
    """Serve until stdin ends, stdout breaks or SIGTERM comes.

    Args:
        capacity: Runs at once.
        wire: The private descriptors.

    Returns:
        0.
    """
    sys.stdout = sys.stderr = RunStream(sys.stderr)
    return run_loop(Server(capacity, wire).serve())


class _Active:
    """A run that is under way."""

    __slots__ = ("run", "task")

    def __init__(self, run: RunTask) -> None:
        self.run = run
        self.task: asyncio.Task[None]


class Server:
    """Takes requests, executes each as a task of its own, and routes frames to them.

    Args:
        capacity: Runs at once; a request beyond it is refused as a crash.
        wire: The private descriptors.
    """

    def __init__(self, capacity: int, wire: Wire) -> None:
        self._capacity = capacity
        self._wire = wire
        self._active: dict[str, _Active] = {}

    async def serve(self) -> int:
        """Serve; returns when everything has ended."""
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._services = ProcessServices(os.environ)
        self._outbox = Outbox(self._wire.out_fd, self._loop, coalesce=True, on_broken=self._ending.set)
        inbox = Inbox(self._wire.in_fd, self._loop, on_frame=self._on_frame, on_end=self._on_stdin_end)
        self._loop.add_signal_handler(signal.SIGTERM, self._ending.set)
        self._outbox.write(
            encode_frame(Hello(contract_version=CONTRACT_VERSION, pid=os.getpid(), capacity=self._capacity))
        )
        inbox.start()
        await self._ending.wait()
        await self._end_runs()
        return 0

    def _on_frame(self, frame: Frame) -> None:
        if isinstance(frame, RunRequest):
            self._start(frame)
            return
        if not isinstance(frame, Credit | FileWriteAck | Cancel | ProxyFrame) or frame.run_id is None:
            return  # unknown frames are ignored
        active = self._active.get(frame.run_id)
        if active is None:
            return  # it crossed the run's end
        if isinstance(frame, Credit):
            active.run.channel.on_credit(frame.bytes)
        elif isinstance(frame, FileWriteAck):
            active.run.channel.on_ack(frame)
        elif isinstance(frame, Cancel):
            self._cancel(frame.run_id, active, "the runtime ended it")
        else:
            active.run.on_proxy(frame.proxy)

    def _on_stdin_end(self) -> None:
        for active in self._active.values():
            active.run.channel.fail_answers("the runtime has closed stdin, no answer can come")
        self._ending.set()

    def _start(self, request: RunRequest) -> None:
        if request.run_id in self._active:
            # An answer would be taken for the end of the run that is under way.
            log_line(f"run {request.run_id} is under way already; ignored")
            return
        try:
            check_request(request)
            if not request.script:
                raise ConfigError("the request names no script")  # noqa: TRY301 - one place tells both
            if len(self._active) >= self._capacity:
                raise ConfigError(f"{self._capacity} runs are under way already")  # noqa: TRY301
        except ConfigError as error:
            end = RunEnd(status="crash", error_type="ConfigError", message=error.message)
            self._outbox.write(encode_frame(RunResultFrame(outcome=end.outcome(), run_id=request.run_id)))
            return
        output = RunOutput(request.run_id, self._outbox, self._loop)
        scope = RunScope(output)
        channel = RunChannel(
            request,
            self._outbox,
            self._services.clock,
            credit_bytes=request.credit_bytes or DEFAULT_CREDIT_BYTES,
            tagged=True,
        )
        run = RunTask(
            request,
            request.script,
            services=self._services,
            channel=channel,
            scope=scope,
            warn=lambda text: output.write(f"quarry.executor: {text}\n"),
        )
        active = self._active[request.run_id] = _Active(run)
        context = contextvars.Context()
        context.run(CURRENT_RUN.set, scope)
        active.task = self._loop.create_task(self._execute(request.run_id, run, output), context=context)

    async def _execute(self, run_id: str, run: RunTask, output: RunOutput) -> None:
        try:
            end = await run.execute()
        except asyncio.CancelledError:
            end = RunEnd(status="crash", error_type="cancelled", message="the run was cancelled")
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this run, not its neighbours
            end = RunEnd(status="crash", error_type=type(error).__name__, message=f"in the executor: {error}")
        output.send()
        del self._active[run_id]
        self._outbox.write(encode_frame(run.result(end, run_id=run_id)))

    def _cancel(self, run_id: str, active: _Active, reason: str) -> None:
        """Cancel a run, and again each second while it swallows that (its cleanup is left its time)."""
        if self._active.get(run_id) is not active:
            return
        active.run.cancel(active.task, reason)
        self._loop.call_later(_CANCEL_AGAIN_S, self._cancel, run_id, active, reason)

    async def _end_runs(self) -> None:
        for run_id, active in list(self._active.items()):
            self._cancel(run_id, active, "the executor is ending")
        tasks = [active.task for active in self._active.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_RUNS_S)
        try:
            async with asyncio.timeout(_LAST_RUNS_S):
                await self._outbox.drain()
                await self._services.close()
        except TimeoutError:
            pass  # what is left is killed with the process
