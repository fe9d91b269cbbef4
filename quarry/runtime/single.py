"""One process, one run: the public contract for executors in any language."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from quarry.errors import ProtocolError
from quarry.ipc import FrameDecoder, encode_frame
from quarry.runtime.inbox import Inbox
from quarry.runtime.process import ExecutorProcess, ExecutorStartError, check_executor, own_executor
from quarry.runtime.session import OnEnqueue, OnRotate, RunSession
from quarry.runtime.spec import RunSpec, request_line
from quarry.runtime.stopping import CANCELLED, stopping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarry.ipc import Frame
    from quarry.policy import Policy
    from quarry.runtime.report import RunReport
    from quarry.runtime.storing import FilePut

_READ_BYTES = 256 * 1024
_MAX_UNREAD_ACK_BYTES = 4 * 1024 * 1024


class SingleShot:
    """Execute runs, each in a process of its own.

    Args:
        executor: Path of a foreign executor; None for Quarry's own.
        env: Environment of executors; None inherits.
        logger: A structlog logger.
    """

    def __init__(
        self, *, executor: str | None = None, env: dict[str, str] | None = None, logger: Any = None
    ) -> None:
        self._executor = executor
        self._env = env
        self._log = logger if logger is not None else structlog.get_logger("quarry.runtime")

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
        """Execute one run to its outcome; nothing below its process is left when this returns.

        Args:
            spec: The run.
            policy: Takes its events; blocking, called in a thread.
            put_file: Takes its files; likewise.
            on_enqueue: Awaited with enqueue events before the policy sees them. LeaseLostError ends the run
                as cancelled; any other exception passes through once the executor has ended.
            on_rotate: Awaited for another endpoint at each ``rotate_proxy``; what it raises likewise.
            cancel: Set to end the run.

        Raises:
            ConfigError: The foreign executor is not there or not executable.
        """
        argv = self._argv(spec)
        threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="quarry-run")
        session = RunSession(
            spec,
            policy=policy,
            put_file=put_file,
            on_enqueue=on_enqueue,
            on_rotate=on_rotate,
            threads=threads,
            logger=self._log,
        )
        try:
            if cancel is not None and cancel.is_set():
                session.stopped = CANCELLED
                return session.report(exit_code=None, pid=None)
            try:
                process = await ExecutorProcess.start(argv, env=executor_env(self._env, spec.resolve_from))
            except ExecutorStartError as error:
                return session.report(exit_code=None, pid=None, could_not_start=error)
            run = _Run(session, process)
            try:
                await run.to_end(cancel)
            finally:
                await process.end(grace_s=0)
            await session.finish()
            return session.report(
                exit_code=process.returncode,
                pid=process.pid,
                process_stderr=process.stderr,
                peak_rss_bytes=await process.peak_rss_bytes(),
            )
        finally:
            threads.shutdown(wait=False)

    def _argv(self, spec: RunSpec) -> list[str]:
        if self._executor is None:
            return own_executor(spec.script)
        return [check_executor(self._executor), spec.script]


class _Run:
    """The life of one single-shot process."""

    def __init__(self, session: RunSession, process: ExecutorProcess) -> None:
        self._session = session
        self._process = process
        self._inbox = Inbox()
        self._end_of_stdout = False
        self._fault: ProtocolError | None = None
        self._torn = False
        self._ending: asyncio.Task[int] | None = None

    async def to_end(self, cancel: asyncio.Event | None) -> None:
        """Read and store until stdout has ended, then until the process has."""
        reader = asyncio.create_task(self._read())
        self._process.stdin.write(request_line(self._session.spec))
        try:
            with stopping(self._session.spec.timeout_ms, cancel, self._stop):
                await self._store_all()
                await self._wait_exit()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            if self._ending is not None:
                await self._process.end(grace_s=0)
                await self._ending

    def _stop(self, reason: str) -> None:
        if self._session.stopped is None:
            self._session.stopped = reason
        self._end_process()

    def _end_process(self) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self._process.end())

    async def _store_all(self) -> None:
        session, inbox = self._session, self._inbox
        while True:
            frames, size = inbox.take()
            if frames:
                acks = await session.process(frames)
                inbox.release(size)
                if session.failed:
                    self._end_process()
                self._acknowledge(acks)
            elif self._end_of_stdout:
                return
            else:
                await inbox.wait()

    def _acknowledge(self, acks: Sequence[Frame]) -> None:
        """Write acks without waiting: an executor that does not read must not hold up its own events."""
        if acks:
            self._process.stdin.write(b"".join(map(encode_frame, acks)))
        if self._process.stdin.transport.get_write_buffer_size() > _MAX_UNREAD_ACK_BYTES:
            self._session.fault(ProtocolError("the executor does not read the acks of its file writes"))
            self._end_process()

    async def _wait_exit(self) -> None:
        """Close stdin, as stdout has ended, and wait for the exit; the deadline bounds it."""
        self._process.stdin.close()
        code = await self._process.wait_ended()
        # A frame torn by a kill says nothing that the signal or the deadline doesn't say better.
        if self._fault is not None and not (self._torn and (code < 0 or self._session.stopped)):
            self._session.fault(self._fault)

    async def _read(self) -> None:
        """Turn stdout into frames; waits while too many of them wait."""
        decoder = FrameDecoder(serving=False)
        inbox = self._inbox
        try:
            while data := await self._process.stdout.read(_READ_BYTES):
                for frame, size in decoder.feed(data):
                    inbox.put(frame, size)
                if decoder.fault is not None:
                    break
                await inbox.wait_room()
            self._torn = decoder.fault is None
            decoder.close()
        except ProtocolError as error:
            # Told to the session later: what came before it is stored first.
            self._fault = error
            if not self._torn:
                self._end_process()
        finally:
            self._end_of_stdout = True
            inbox.wake()


def executor_env(env: dict[str, str] | None, resolve_from: str | None) -> dict[str, str] | None:
    """Give the environment of an executor; None where it just inherits.

    Args:
        env: What to start from; None for this process's.
        resolve_from: Folder for a script's own imports.
    """
    if resolve_from is None:
        return env
    return {**(os.environ if env is None else env), "QUARRY_RESOLVE_FROM": resolve_from}
