"""One run's frames on their way from an executor to storage.

Frames that arrived together are judged together, told to ``on_enqueue`` together, and stored in one hop to a
thread: a run of a few frames costs one hop. Nothing here knows how frames come or how a run is ended; the
owner of the executor asks ``failed`` and ends it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from quarry.errors import LeaseLostError, ProtocolError
from quarry.ipc import ArtifactChunk, FileWrite, Frame, ProxyFrame, RunResultFrame
from quarry.runtime.ingest import Ingest
from quarry.runtime.job_secrets import conceal
from quarry.runtime.outcome import Ending, decide
from quarry.runtime.proxy_used import GivenEndpoints
from quarry.runtime.redact import Redactor
from quarry.runtime.report import RunReport
from quarry.runtime.spec import wire_proxy
from quarry.runtime.stopping import CANCELLED
from quarry.runtime.storing import Storing, Work
from quarry.runtime.tail import Tail, last_line
from quarry.types import TERMINAL_TYPES, Event
from quarry.types.proxy import Endpoint

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from quarry.policy import Policy
    from quarry.runtime.spec import RunSpec
    from quarry.runtime.storing import FilePut

OnEnqueue = Callable[[Sequence[Event]], Awaitable[None]]
"""Told of enqueue events that passed the checks, in order, once each, before the policy sees them."""

OnRotate = Callable[[str | None], Awaitable[Endpoint]]
"""Told the reason of a ``rotate_proxy``; gives the run's next endpoint."""

ENQUEUE_BATCH = 500
"""Most events in one call of ``on_enqueue``."""

_TELLING = frozenset({"run_error", "log", "rotate_proxy"})
"""Events whose texts are often an exception's or a library's words."""

_R = TypeVar("_R")


class RunSession:
    """State of one run between its request and its report.

    Args:
        spec: The run.
        policy: Takes its events; blocking, called in threads.
        put_file: Takes its files; likewise.
        on_enqueue: Told of its enqueue events first.
        on_rotate: Asked for another endpoint, once for each ``rotate_proxy``; None where the run has no pool.
        threads: Where blocking calls run.
        logger: A structlog logger.

    Attributes:
        stopped: ``timeout`` or ``cancelled`` once the owner decided to end the run.
        stderr: Last bytes of what the run printed.
        redactor: Knows the run's secrets.
    """

    def __init__(
        self,
        spec: RunSpec,
        *,
        policy: Policy,
        put_file: FilePut,
        on_enqueue: OnEnqueue | None,
        on_rotate: OnRotate | None = None,
        threads: Executor,
        logger: Any,
    ) -> None:
        self.stopped: str | None = None
        self.stderr = Tail()
        self.spec = spec
        self._on_enqueue = on_enqueue
        self._on_rotate = on_rotate
        self.redactor = Redactor(spec.secrets.values())
        self._endpoints = GivenEndpoints(self.redactor, spec.proxy)
        self._threads = threads
        self._log = logger.bind(run_id=spec.identity.run_id, attempt=spec.identity.attempt)
        self._ingest = Ingest(spec.identity)
        self._storing = Storing(
            policy, put_file, self._ingest.files, redactor=self.redactor, logger=self._log
        )
        self._protocol_fault: ProtocolError | None = None
        self._escaping: Exception | None = None
        self._started_at = time.time()
        self._started = time.monotonic()

    @property
    def failed(self) -> bool:
        """Whether the run's fate is sealed by a fault, and its executor should be ended."""
        return (
            self._protocol_fault is not None
            or self._storing.failed
            or self._escaping is not None
            or self.stopped == CANCELLED
        )

    @property
    def result(self) -> RunResultFrame | None:
        """The run's ``run_result``, once it was processed."""
        return self._ingest.result

    def fault(self, error: ProtocolError) -> None:
        """Take a fault of the stream: it ends the run like one of its frames' faults."""
        if not self.failed:
            self._protocol_fault = error

    async def process(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Judge and store frames that arrived together, in order.

        What came before a fault is stored; what comes after it is dropped.

        Returns:
            Acks and endpoints for the executor, each kind in the order of what it answers.
        """
        if self.failed:
            self._note_results(frames)
            return []
        work, enqueues = self._judge(frames)
        if not await self._tell(enqueues) or not work:
            return []
        answers: list[Frame] = []
        if self._on_rotate is not None and not await self._rotate(work, answers):
            return []
        return [*answers, *await self._in_thread(partial(self._storing.store, work))]

    async def finish(self) -> None:
        """Flush the policy for the last time, where something came since the terminal's flush."""
        if self._escaping is None and self._storing.unflushed:
            await self._in_thread(self._storing.flush)

    def report(
        self,
        *,
        exit_code: int | None,
        pid: int | None,
        process_stderr: Tail | None = None,
        peak_rss_bytes: int | None = None,
        could_not_start: Exception | None = None,
        lost_process: str | None = None,
    ) -> RunReport:
        """Decide the outcome and sum up.

        Args:
            exit_code: Of the executor process; None where it lives on.
            pid: Of the process.
            process_stderr: What the process itself wrote, where the run's own stderr is empty.
            peak_rss_bytes: Largest resident size of the process, where it was the run's alone.
            could_not_start: Why there was no process.
            lost_process: Why the process that served this run among others is gone.

        Raises:
            BaseException: What ``on_enqueue`` raised, but for LeaseLostError.
        """
        if self._escaping is not None:
            raise self._escaping
        stderr = self.stderr
        if process_stderr is not None and not stderr.last_line():
            stderr = process_stderr
        redactor, result = self.redactor, self._ingest.result
        said = redactor.text(stderr.text(), cut=stderr.dropped > 0)
        if result is not None:  # before its message is cut and put on one line, which hides a secret
            result = msgspec.structs.replace(result, outcome=redactor.words(result.outcome))
        outcome = decide(
            Ending(
                ingestion_fault=self._storing.ingest_fault or self._protocol_fault,
                flush_fault=self._storing.flush_fault,
                terminal=self._ingest.terminal,
                result=result,
                exit_code=exit_code,
                stopped=self.stopped,
                timeout_ms=self.spec.timeout_ms,
                stderr_line=last_line(said),
                could_not_start=could_not_start,
                lost_process=lost_process,
                redact=redactor.text,
            )
        )
        if self._ingest.after_terminal:
            self._log.warning("run.events_after_terminal", count=self._ingest.after_terminal)
        return RunReport(
            run_id=self.spec.identity.run_id,
            attempt=self.spec.identity.attempt,
            outcome=redactor.outcome(outcome),
            exit_code=exit_code,
            events_after_terminal=self._ingest.after_terminal,
            counters=dict(self._ingest.received),
            artifacts=self._ingest.artifacts.stats(),
            files=self._ingest.files.stats(),
            stderr_tail=said,
            started_at=self._started_at,
            ended_at=time.time(),
            duration_ms=round((time.monotonic() - self._started) * 1000),
            pid=pid,
            peak_rss_bytes=peak_rss_bytes,
            proxy_used=None if result is None else self._endpoints.used(result.proxy_used),
            proxy_use=[] if result is None else self._endpoints.uses(result.proxy_use or []),
        )

    def _judge(self, frames: Sequence[Frame]) -> tuple[Work, list[Event]]:
        """Turn frames into work for the thread, and the enqueue events among them."""
        work: Work = []
        enqueues: list[Event] = []
        try:
            for frame in frames:
                self._judge_one(frame, work, enqueues)
        except ProtocolError as error:
            self._protocol_fault = error
        return work, enqueues

    def _judge_one(self, frame: Frame, work: Work, enqueues: list[Event]) -> None:
        if isinstance(frame, Event):
            event = self._ingest.event(frame)
            if event is None:
                return
            event = self._guarded(event)
            if work and isinstance(work[-1], list):
                work[-1].append(event)
            else:
                work.append([event])
            if event.type == "enqueue":
                enqueues.append(event)
            elif event.type in TERMINAL_TYPES:
                work.append(None)
        elif isinstance(frame, ArtifactChunk):
            if self._ingest.chunk(frame):
                work.append(frame)
        elif isinstance(frame, FileWrite):
            terminated = self._ingest.terminal is not None
            work.append((frame, self._ingest.files.refusal(frame, terminated=terminated)))
        elif isinstance(frame, RunResultFrame):
            self._ingest.run_result(frame)
        else:
            raise ProtocolError(f"an executor does not send frames of type {type(frame).__name__}")

    def _guarded(self, event: Event) -> Event:
        """Give the event without the run's secrets where a script is likely to pass them on unawares."""
        secrets, payload = self.spec.secrets, event.payload
        if event.type == "enqueue" and secrets:
            changed = {**payload, "params": conceal(payload["params"], secrets)}
        elif event.type in _TELLING and (secrets or self.spec.proxy is not None):
            changed = self.redactor.words(payload)
        else:
            return event
        return msgspec.structs.replace(event, payload=changed)

    def _note_results(self, frames: Sequence[Frame]) -> None:
        """Look only for the run's end: nothing else of a failed run is taken."""
        for frame in frames:
            if isinstance(frame, RunResultFrame):
                self._ingest.run_result(frame)

    async def _tell(self, enqueues: list[Event]) -> bool:
        """Call ``on_enqueue``; say whether the events may be stored."""
        if self._on_enqueue is None:
            return True
        try:
            for start in range(0, len(enqueues), ENQUEUE_BATCH):
                await self._on_enqueue(enqueues[start : start + ENQUEUE_BATCH])
        except LeaseLostError:
            self.stopped = CANCELLED
            return False
        except Exception as error:  # noqa: BLE001  raised by report(), once the executor has ended
            self._escaping = error
            return False
        return True

    async def _rotate(self, work: Work, answers: list[Frame]) -> bool:
        """Answer the ``rotate_proxy`` events among the work; say whether the events may be stored."""
        assert self._on_rotate is not None  # noqa: S101 -- the caller looked
        events = [event for part in work if isinstance(part, list) for event in part]
        for event in events:
            if event.type != "rotate_proxy":
                continue
            try:
                endpoint = await self._on_rotate(event.payload.get("reason"))
            except Exception as error:  # noqa: BLE001  raised by report(), once the executor has ended
                self._escaping = error
                return False
            self._endpoints.add(endpoint)
            answers.append(ProxyFrame(run_id=event.run_id, proxy=wire_proxy(endpoint)))
        return True

    async def _in_thread(self, call: Callable[[], _R]) -> _R:
        """Call in a thread; a cancelled task still waits for it: nothing writes on behind its back."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})
            raise
