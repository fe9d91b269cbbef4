"""The single writer of the wire."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

HIGH_WATER_BYTES = 1024 * 1024
"""Above this much unwritten output, senders wait."""

_FLUSH_BYTES = 64 * 1024
"""Coalesced output is written at once from here on; a pipe holds no more."""

_MAX_PARTS = 256
"""Frames in one system call; the kernel takes 1,024."""


class Outbox:
    """Writes frames in order without ever blocking the event loop.

    Args:
        fd: Where they go; non-blocking if it is a pipe or a socket.
        loop: The running loop.
        coalesce: Write what one turn of the loop produced in one call (serving). Without it every frame is
            handed to the kernel at once, so that it survives whatever the script does next (single-shot).
        on_broken: Called once when nobody reads any more; everything is dropped from then on.
    """

    def __init__(
        self,
        fd: int,
        loop: asyncio.AbstractEventLoop,
        *,
        coalesce: bool,
        on_broken: Callable[[], None],
    ) -> None:
        self._fd = fd
        self._loop = loop
        self._coalesce = coalesce
        self._on_broken = on_broken
        self._parts: deque[bytes | memoryview] = deque()
        self._size = 0
        self._scheduled = False
        self._blocked = False
        self._broken = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def has_room(self) -> bool:
        """Whether a sender may write without waiting."""
        return self._size < HIGH_WATER_BYTES

    @property
    def size(self) -> int:
        """Bytes not yet taken by the kernel."""
        return self._size

    def write(self, frame: bytes) -> None:
        """Queue one frame; never waits. Senders that produce much ask ``has_room`` first."""
        if self._broken:
            return
        self._parts.append(frame)
        self._size += len(frame)
        if self._blocked:
            return
        if not self._coalesce or self._size >= _FLUSH_BYTES:
            self._flush()
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    async def wait_room(self) -> None:
        """Wait until a sender may write."""
        while not self.has_room and not self._broken:
            await self._wait()

    async def drain(self) -> None:
        """Wait until the kernel has everything."""
        if not self._blocked:
            self._flush()
        while self._size and not self._broken:
            await self._wait()

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _flush(self) -> None:
        self._scheduled = False
        try:
            while self._parts:
                written = os.writev(
                    self._fd, [self._parts[i] for i in range(min(len(self._parts), _MAX_PARTS))]
                )
                self._forget(written)
        except BlockingIOError:
            if not self._blocked:
                self._blocked = True
                self._loop.add_writer(self._fd, self._flush)
        except OSError:
            self._break()
        else:
            self._unblock()
        if self.has_room and self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _forget(self, written: int) -> None:
        self._size -= written
        while written:
            part = self._parts[0]
            if written < len(part):
                self._parts[0] = memoryview(part)[written:]
                return
            written -= len(part)
            self._parts.popleft()

    def _unblock(self) -> None:
        if self._blocked:
            self._blocked = False
            self._loop.remove_writer(self._fd)

    def _break(self) -> None:
        self._unblock()
        self._broken = True
        self._parts.clear()
        self._size = 0
        self._on_broken()
