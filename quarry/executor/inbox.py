"""The single reader of the wire."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quarry.errors import ProtocolError
from quarry.executor.log import log_line
from quarry.ipc import FrameDecoder

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from quarry.ipc import Frame

_READ_BYTES = 256 * 1024


class Inbox:
    """Reads frames as they come, on the event loop.

    Args:
        fd: Where they come from.
        loop: The running loop.
        on_frame: Called with each frame, in order.
        on_end: Called once, at end-of-file, or after a fault, which goes to stderr.
        already_read: Bytes that were read before, after the request line.
    """

    def __init__(
        self,
        fd: int,
        loop: asyncio.AbstractEventLoop,
        *,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[], None],
        already_read: bytes = b"",
    ) -> None:
        self._fd = fd
        self._loop = loop
        self._on_frame = on_frame
        self._on_end = on_end
        self._decoder = FrameDecoder(inbound=True)
        self._watching = False
        self._ended = False
        if already_read:
            self._feed(already_read)

    def start(self) -> None:
        """Begin to read."""
        try:
            self._loop.add_reader(self._fd, self._read)
        except PermissionError:  # a regular file or /dev/null: never blocks, can't be watched
            self._loop.call_soon(self._read_on)
        else:
            self._watching = True

    def _read_on(self) -> None:
        self._read()
        if not self._ended:
            self._loop.call_soon(self._read_on)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._feed(data)
        else:
            self._end()

    def _feed(self, data: bytes) -> None:
        try:
            for frame, _ in self._decoder.feed(data):
                self._on_frame(frame)
            if self._decoder.fault is not None:
                raise self._decoder.fault
        except ProtocolError as error:
            log_line(f"stdin: {error.message}")
            self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._watching:
            self._loop.remove_reader(self._fd)
        self._on_end()
