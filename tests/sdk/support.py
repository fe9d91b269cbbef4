"""A channel that remembers what it was given."""

from __future__ import annotations

import asyncio

from quarry.errors import FrameTooLargeError, StoragePutError
from quarry.sdk import Emit, Storage, TerminalGuard


class MemoryChannel:
    """Keeps everything; refuses what it is told to; can be made to wait."""

    def __init__(self, *, max_event_chars=None, refused=()):
        self.events = []
        self.chunks = []
        self.files = []
        self.log = []
        self.under_way = 0
        self.most_under_way = 0
        self.open = asyncio.Event()
        self.open.set()
        self._max_event_chars = max_event_chars
        self._refused = refused

    async def send_event(self, event_type, payload):
        if self._max_event_chars is not None and len(str(payload)) > self._max_event_chars:
            raise FrameTooLargeError("a frame of too many bytes")
        await self.open.wait()
        self.events.append((event_type, payload))
        self.log.append(event_type)

    async def rotate_proxy(self, payload):
        await self.send_event("rotate_proxy", payload)

    async def send_chunk(self, artifact_id, *, seq, is_last, data):
        self.chunks.append((artifact_id, seq, is_last, data))
        self.log.append("chunk")

    async def put_file(self, filename, *, content_type, data):
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        await self.open.wait()
        self.under_way -= 1
        if filename in self._refused:
            raise StoragePutError(f"storage.put of {filename!r} was refused: no")
        self.files.append((filename, content_type, data))
        return f"files/{filename}"


class Run:
    """A script's view of one run over a MemoryChannel."""

    def __init__(self, **channel):
        self.channel = MemoryChannel(**channel)
        self.guard = TerminalGuard()
        self.emit = Emit(self.channel, self.guard)
        self.storage = Storage(self.channel, self.guard)
