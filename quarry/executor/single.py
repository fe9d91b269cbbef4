"""Single-shot: one request on stdin, one run, one exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from quarry.errors import ConfigError
from quarry.executor.channel import RunChannel
from quarry.executor.inbox import Inbox
from quarry.executor.lifecycle import RunEnd
from quarry.executor.log import log_line
from quarry.executor.outbox import Outbox
from quarry.executor.process import ProcessServices, kill_descendants, run_loop
from quarry.executor.request import parse_request
from quarry.executor.run_task import RunTask
from quarry.executor.scope import CURRENT_RUN, RunScope
from quarry.ipc import FileWriteAck, ProxyFrame, RunResultFrame, encode_frame

if TYPE_CHECKING:
    from quarry.executor.stdio import Wire
    from quarry.ipc import Frame, RunRequest

EXIT_CODES = {"completed": 0, "error": 1, "crash": 2}
BAD_INPUT = 3
"""Exit code for wrong arguments or a wrong request."""

MAX_REQUEST_BYTES = 64 * 1024 * 1024
_READ_BYTES = 64 * 1024


def run_single(script: str, wire: Wire) -> int:
    """Execute the request on stdin.

    Args:
        script: Path of the script.
        wire: The private descriptors.

    Returns:
        0 completed, 1 script error, 2 crash, 3 the request is wrong.
    """
    try:
        line, rest = _read_line(wire.in_fd)
        request = parse_request(line)
    except ConfigError as error:
        for problem in error.problems:
            log_line(problem)
        end = RunEnd(status="crash", error_type="ConfigError", message=error.message)
        _write_blocking(wire.out_fd, encode_frame(RunResultFrame(outcome=end.outcome())))
        return BAD_INPUT
    return run_loop(_SingleRun(script, request, wire).execute(rest))


class _SingleRun:
    """The one run of the process."""

    def __init__(self, script: str, request: RunRequest, wire: Wire) -> None:
        self._script = script
        self._request = request
        self._wire = wire

    async def execute(self, rest: bytes) -> int:
        loop = asyncio.get_running_loop()
        services = ProcessServices(os.environ)
        outbox = Outbox(self._wire.out_fd, loop, coalesce=False, on_broken=_reader_gone)
        scope = RunScope()
        self._channel = RunChannel(self._request, outbox, services.clock, credit_bytes=None, tagged=False)
        self._run = RunTask(
            self._request,
            self._script,
            services=services,
            channel=self._channel,
            scope=scope,
            warn=log_line,
        )
        inbox = Inbox(
            self._wire.in_fd, loop, on_frame=self._on_frame, on_end=self._on_stdin_end, already_read=rest
        )
        inbox.start()
        CURRENT_RUN.set(scope)
        task = loop.create_task(self._run.execute())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._run.cancel, task, signal.Signals(number).name)
        end = await task
        CURRENT_RUN.set(None)
        outbox.write(encode_frame(self._run.result(end)))
        await outbox.drain()
        try:
            await services.close()
        except Exception as error:  # noqa: BLE001 - how the run ended is told, and stays so
            log_line(f"closing: {type(error).__name__}: {error}")
        return EXIT_CODES[end.status]

    def _on_frame(self, frame: Frame) -> None:
        if isinstance(frame, FileWriteAck):
            self._channel.on_ack(frame)
        elif isinstance(frame, ProxyFrame) and frame.run_id == self._request.run_id:
            self._run.on_proxy(frame.proxy)

    def _on_stdin_end(self) -> None:
        self._channel.fail_answers("the runtime has closed stdin, no answer can come")


def _reader_gone() -> None:
    """Nobody reads our events any more: the runtime has died, or has ended us."""
    log_line("nobody reads stdout any more")
    kill_descendants()
    os._exit(EXIT_CODES["crash"])


def _read_line(fd: int) -> tuple[bytes, bytes]:
    """Read up to the first line break.

    Returns:
        The line, and what came after it.

    Raises:
        ConfigError: stdin is empty, or the line is longer than MAX_REQUEST_BYTES.
    """
    os.set_blocking(fd, True)
    data = bytearray()
    while b"\n" not in data:
        piece = os.read(fd, _READ_BYTES)
        if not piece:
            break
        data += piece
        if len(data) > MAX_REQUEST_BYTES:
            raise ConfigError(f"the request on stdin is longer than {MAX_REQUEST_BYTES} bytes")
    os.set_blocking(fd, False)
    line, _, rest = data.partition(b"\n")
    if not line.strip():
        raise ConfigError("stdin holds no request; one line of JSON is due")
    return bytes(line), bytes(rest)


def _write_blocking(fd: int, data: bytes) -> None:
    os.set_blocking(fd, True)
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        pass  # the exit code still says it
