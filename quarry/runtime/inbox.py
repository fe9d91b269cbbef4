"""Frames of one run that have arrived and wait to be stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarry.ipc import Frame

CREDIT_BYTES = 4 * 1024 * 1024
"""Most bytes of a run that may wait; also a run's credit in serving mode."""


class Inbox:
    """A queue between the reader of an executor's stdout and one run.

    Args:
        max_bytes: Bound of what waits; one larger frame fits when nothing else waits.
    """

    def __init__(self, max_bytes: int = CREDIT_BYTES) -> None:
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._frames: list[Frame] = []
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        """Whether the reader should wait."""
        return self.held_bytes >= self._max_bytes

    def fits(self, size: int) -> bool:
        """Whether a sender that keeps to its credit may have sent a frame of this size."""
        return self.held_bytes == 0 or self.held_bytes + size <= self._max_bytes

    def put(self, frame: Frame, size: int) -> None:
        """Append a frame of this size in bytes (0: counts against nothing)."""
        self._frames.append(frame)
        self._waiting_bytes += size
        self.held_bytes += size
        if self.full:
            self._room.clear()
        self._wake.set()

    def take(self) -> tuple[list[Frame], int]:
        """Take everything that waits, and its size; its bytes are held until ``release``."""
        frames, size = self._frames, self._waiting_bytes
        self._frames, self._waiting_bytes = [], 0
        return frames, size

    def release(self, size: int) -> None:
        """Say that frames of this size have been dealt with."""
        self.held_bytes -= size
        if not self.full:
            self._room.set()

    def wake(self) -> None:
        """Let ``wait`` return although nothing may have come."""
        self._wake.set()

    async def wait(self) -> None:
        """Wait until something came, or somebody woke this."""
        await self._wake.wait()
        self._wake.clear()

    async def wait_room(self) -> None:
        """Wait until there is room."""
        await self._room.wait()
