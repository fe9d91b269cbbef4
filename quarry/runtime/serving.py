"""One executor process in serving mode: its handshake, its reader, its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.errors import ProtocolError, VersionMismatchError
from quarry.ipc import FrameDecoder, Hello, StderrFrame, encode_frame
from quarry.runtime.outcome import signal_name
from quarry.runtime.process import GRACE_S, ExecutorProcess, ExecutorStartError, own_executor
from quarry.runtime.redact import Redactor
from quarry.version import CONTRACT_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quarry.ipc import Frame
    from quarry.runtime.served_run import ServedRun

_READ_BYTES = 256 * 1024
_HELLO_S = 60.0
_EXIT_S = 2.0
_RSS_INTERVAL_S = 1.0
_PAGE_BYTES = 4096


class ServingProcess:
    """An executor that serves many runs at once. Made by ``start``.

    Attributes:
        runs: Runs in it, by run id.
        served: Runs that it was ever given.
        retiring: Why it gets no new runs; None while it does.
        lost: Once it has ended: why, in a sentence that stands in outcomes.
        exit_code: Once it has ended; below zero for a signal.
    """

    def __init__(self, process: ExecutorProcess, logger: Any) -> None:
        self.runs: dict[str, ServedRun] = {}
        self.served = 0
        self.retiring: str | None = None
        self.lost: str | None = None
        self.exit_code: int | None = None
        self._process = process
        self._log = logger.bind(executor_pid=process.pid)
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._fault: ProtocolError | None = None
        self._blame: str | None = None
        self._redactor = Redactor()
        self._next_rss_at = time.monotonic() + _RSS_INTERVAL_S
        self._idle = asyncio.Event()
        self._idle.set()
        self._reader = asyncio.create_task(self._read())
        self._kill: asyncio.Task[int] | None = None

    @classmethod
    async def start(
        cls,
        *,
        capacity: int,
        env: Mapping[str, str] | None,
        logger: Any,
        argv: Sequence[str] | None = None,
    ) -> ServingProcess:
        """Start a process and wait until it has announced itself.

        Args:
            capacity: Runs at once that it may be given.
            env: Its whole environment; None inherits.
            logger: A structlog logger.
            argv: Another program than Quarry's own executor, for tests.

        Raises:
            ExecutorStartError: It could not be started, or did not announce itself.
            VersionMismatchError: It speaks another contract version.
        """
        command = [*(argv or own_executor("--serve")), "--capacity", str(capacity)]
        self = cls(await ExecutorProcess.start(command, env=env), logger)
        try:
            hello = await asyncio.wait_for(asyncio.shield(self._hello), _HELLO_S)
            _check_hello(hello)
        except TimeoutError as error:
            await self.kill("it did not announce itself")
            raise ExecutorStartError(f"the executor did not announce itself in {_HELLO_S:g} s") from error
        except BaseException:
            await self.kill("it could not be used")
            raise
        self._log.info("executor.started", capacity=capacity)
        return self

    @property
    def pid(self) -> int:
        """Process id of the executor."""
        return self._process.pid

    @property
    def process(self) -> ExecutorProcess:
        """The process behind this."""
        return self._process

    def attach(self, run: ServedRun) -> None:
        """Let a run's frames find it."""
        self.runs[run.run_id] = run
        self.served += 1
        self._idle.clear()

    def detach(self, run: ServedRun) -> None:
        """The run has ended; a late frame of it belongs to nobody."""
        del self.runs[run.run_id]
        self._redactor.learn_all(run.redactor)
        if not self.runs:
            self._idle.set()

    def send(self, *frames: Frame) -> None:
        """Write frames to the executor without waiting; a process that has ended takes none."""
        if self.lost is None:
            self._process.stdin.write(b"".join(map(encode_frame, frames)))

    def over_memory(self, max_rss_bytes: int) -> bool:
        """Say whether its resident size is above the limit; looks once a second at most."""
        now = time.monotonic()
        if now < self._next_rss_at:
            return False
        self._next_rss_at = now + _RSS_INTERVAL_S
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
            return int(pages) * _PAGE_BYTES > max_rss_bytes
        return False

    async def retire(self) -> None:
        """End the process once its last run has ended."""
        await self._idle.wait()
        if self.lost is None:
            self._process.stdin.close()
            await asyncio.wait({self._reader}, timeout=GRACE_S)
            await self._process.end()
        await asyncio.gather(self._reader, return_exceptions=True)
        self._log.info("executor.retired", reason=self.retiring, served=self.served)

    async def kill(self, why: str) -> None:
        """End the process group now; every run in it is lost.

        Args:
            why: Completes "the executor process was ended because …".
        """
        self.kill_nowait(why)
        await asyncio.gather(self._reader, return_exceptions=True)

    def kill_nowait(self, why: str) -> None:
        """Begin what ``kill`` does, and don't wait for it."""
        self._blame = self._blame or why
        self.retiring = self.retiring or "killed"
        if self._kill is None:
            self._kill = asyncio.create_task(self._process.end(grace_s=0))

    async def _read(self) -> None:
        """Hand frames to their runs until stdout ends; never waits for a run."""
        decoder = FrameDecoder()
        torn = False
        try:
            while data := await self._process.stdout.read(_READ_BYTES):
                for frame, size in decoder.feed(data):
                    self._dispatch(frame, size)
                if decoder.fault is not None:
                    break
            torn = decoder.fault is None
            decoder.close()
        except ProtocolError as error:
            self._fault = error
        await self._finish(torn=torn)

    async def _finish(self, *, torn: bool) -> None:
        """See the process to its end; whatever happens there, its runs are told."""
        self.retiring = self.retiring or "ended"
        try:
            if self._fault is None or torn:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait_ended(), _EXIT_S)
            self.exit_code = await self._process.end(grace_s=0)
        finally:
            self.lost = f"the executor process {self._how_it_ended(torn=torn)}"
            self._tell_all(self.lost)

    def _how_it_ended(self, *, torn: bool) -> str:
        code = self.exit_code
        killed = code is not None and code < 0
        if self._blame is not None:
            return f"was ended because {self._blame}"
        if self._fault is not None and not (torn and killed):
            return f"broke the wire contract: {self._fault}"
        if code is None:
            return "could not be ended"
        return f"was killed by {signal_name(-code)}" if killed else f"ended with exit code {code}"

    def _tell_all(self, lost: str) -> None:
        if self.runs:
            self._log.warning("executor.lost", reason=lost, runs=len(self.runs))
        said = self._process.stderr.text()
        if said:
            # What runs print comes in frames of theirs; this is what could not be attributed to one.
            for run in self.runs.values():
                self._redactor.learn_all(run.redactor)
            cut = self._process.stderr.dropped > 0
            self._log.info("executor.output", text=self._redactor.text(said, cut=cut))
        if not self._hello.done():
            words = self._process.stderr.last_line()
            self._hello.set_exception(
                ExecutorStartError(f"{lost} before it announced itself{f': {words}' if words else ''}")
            )
            self._hello.exception()  # whoever waits gets it; nobody has to
        for run in list(self.runs.values()):
            run.process_ended()

    def _dispatch(self, frame: Frame, size: int) -> None:
        if isinstance(frame, Hello):
            if not self._hello.done():
                self._hello.set_result(frame)
            return
        if not self._hello.done():
            raise ProtocolError("an executor in serving mode begins with a hello frame")
        run_id = getattr(frame, "run_id", None)
        if run_id is None:
            raise ProtocolError(f"a frame of type {type(frame).__name__} names no run")
        run = self.runs.get(run_id)
        if run is not None:
            run.deliver(frame, size)
        elif not isinstance(frame, StderrFrame):
            self._log.warning("executor.stray_frame", frame=type(frame).__name__, run_id=run_id[:200])


def _check_hello(hello: Hello) -> None:
    if hello.contract_version != CONTRACT_VERSION:
        raise VersionMismatchError(
            f"the executor speaks contract version {hello.contract_version[:80]!r},"
            f" this runtime {CONTRACT_VERSION!r}"
        )
