"""What runs print while they share a process: to each its own ``stderr`` frames."""

from __future__ import annotations

import io
from collections import deque
from typing import TYPE_CHECKING, TextIO

from quarry.executor.scope import CURRENT_RUN
from quarry.ipc import StderrFrame, encode_frame

if TYPE_CHECKING:
    import asyncio

    from quarry.executor.outbox import Outbox

KEPT_CHARS = 64 * 1024
"""Text of a run that may wait to be sent; older text is dropped: only the end is reported anyway."""

_RETRY_S = 0.05


class RunOutput:
    """Collects one run's text and sends it in frames; callable from any thread.

    Args:
        run_id: The run.
        outbox: The wire's writer.
        loop: Its loop.
    """

    def __init__(self, run_id: str, outbox: Outbox, loop: asyncio.AbstractEventLoop) -> None:
        self._run_id = run_id
        self._outbox = outbox
        self._loop = loop
        self._parts: deque[str] = deque()
        self._chars = 0
        self._dropped = 0
        self._scheduled = False

    def write(self, text: str) -> None:
        """Take some text."""
        if not text:
            return
        self._parts.append(text[-KEPT_CHARS:])
        self._chars += len(self._parts[-1])
        self._dropped += len(text) - len(self._parts[-1])
        while self._chars > KEPT_CHARS:
            oldest = self._parts.popleft()
            self._chars -= len(oldest)
            self._dropped += len(oldest)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._send_if_room)

    def send(self) -> None:
        """Send what is there now."""
        self._scheduled = False
        if not self._parts:
            return
        note = f"[{self._dropped} characters dropped]\n" if self._dropped else ""
        text = note + "".join(self._parts)
        self._parts.clear()
        self._chars = self._dropped = 0
        text = text.encode(errors="backslashreplace").decode()
        self._outbox.write(encode_frame(StderrFrame(run_id=self._run_id, text=text)))

    def _send_if_room(self) -> None:
        if self._outbox.has_room:
            self.send()
        else:
            self._loop.call_later(_RETRY_S, self._send_if_room)


class RunStream(io.TextIOBase):
    """Stands for ``sys.stdout`` and ``sys.stderr``: text goes to the run that printed it, else to the log.

    Args:
        log: The process's stderr.
    """

    def __init__(self, log: TextIO) -> None:
        self._log = log

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As of the process's stderr."""
        return self._log.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """As of the process's stderr."""
        return self._log.errors

    @property
    def buffer(self) -> io.BufferedIOBase:
        """Bytes can't be attributed: they go to the process's stderr."""
        return self._log.buffer  # type: ignore[return-value]

    def fileno(self) -> int:
        """Give the process's stderr."""
        return self._log.fileno()

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Write to the run in whose context this is called."""
        scope = CURRENT_RUN.get()
        if scope is None or scope.output is None:
            return self._log.write(text)
        scope.output.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the process's stderr."""
        self._log.flush()
