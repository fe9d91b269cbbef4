"""One run's way out: events, chunks and files onto the wire, in order and within its credit."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from quarry.errors import StoragePutError
from quarry.executor.rotations import Rotations
from quarry.ipc import ArtifactChunk, FileWrite, encode_frame
from quarry.ipc.limits import MAX_WRITE_ID
from quarry.sdk.json_value import copy_json
from quarry.types import Event
from quarry.version import CONTRACT_VERSION

if TYPE_CHECKING:
    from quarry.executor.clock import EventClock
    from quarry.executor.outbox import Outbox
    from quarry.ipc import FileWriteAck, Frame, RunRequest

_YIELD_EVERY = 64
"""A script that only emits lets its neighbours run after this many frames."""


class RunChannel:
    """Implements the SDK's ``Channel`` over the wire.

    A sender that need not wait is served on the spot. Others queue in the order of their calls; what they
    send was copied at the call, and a sender that is cancelled while it waits has sent nothing and used no
    ``seq``.

    Args:
        request: The run.
        outbox: The wire's writer, shared by all runs of the process.
        clock: Timestamps.
        credit_bytes: Most bytes that may be unacknowledged, or None: no credit (single-shot).
        tagged: Chunks and files carry the run id (serving).
    """

    def __init__(
        self,
        request: RunRequest,
        outbox: Outbox,
        clock: EventClock,
        *,
        credit_bytes: int | None,
        tagged: bool,
    ) -> None:
        self._request = request
        self._outbox = outbox
        self._clock = clock
        self._credit_bytes = credit_bytes
        self._tag = request.run_id if tagged else None
        self._id_prefix = _random_id_prefix()
        self._seq = 0
        self._outstanding = 0
        self._since_yield = 0
        self._queued = 0
        self._turn = asyncio.Lock()
        self._credit_came: asyncio.Future[None] | None = None
        self._write_id = 0
        self._puts: dict[int, asyncio.Future[FileWriteAck]] = {}
        self._unanswerable: str | None = None
        self._rotations = Rotations(due=request.proxy is not None)

    @property
    def outstanding(self) -> int:
        """Bytes sent and not yet acknowledged; always 0 without credit."""
        return self._outstanding

    async def send_event(self, event_type: str, payload: dict[str, Any]) -> None:
        """Send one event with the next ``seq``."""
        if not self._queued and self._since_yield < _YIELD_EVERY:
            frame = self._event(event_type, payload)
            if self._has_room(len(frame)):
                self._seq += 1
                self._write(frame)
                return
        payload = copy_json(payload)
        self._queued += 1
        try:
            async with self._turn:
                if self._since_yield >= _YIELD_EVERY:
                    # Before the event is sent, never after: a verb that is cancelled here has sent nothing.
                    await asyncio.sleep(0)
                    self._since_yield = 0
                frame = self._event(event_type, payload)
                await self._wait_room(len(frame))
                self._seq += 1
                self._write(frame)
        finally:
            self._queued -= 1

    async def rotate_proxy(self, payload: dict[str, Any]) -> None:
        """Send a ``rotate_proxy`` event and wait for its answer."""
        await self.send_event("rotate_proxy", payload)
        await self._rotations.wait()

    async def send_chunk(self, artifact_id: str, *, seq: int, is_last: bool, data: bytes) -> None:
        """Send one chunk of an artifact."""
        await self._send(
            ArtifactChunk(artifact_id=artifact_id, seq=seq, is_last=is_last, data=data, run_id=self._tag)
        )

    async def put_file(self, filename: str, *, content_type: str, data: bytes) -> str:
        """Send a file and wait for its ack."""
        if self._unanswerable is not None:
            raise StoragePutError(f"storage.put of {filename!r} failed: {self._unanswerable}")
        self._write_id = self._write_id % MAX_WRITE_ID + 1
        write_id = self._write_id
        answer: asyncio.Future[FileWriteAck] = asyncio.get_running_loop().create_future()
        self._puts[write_id] = answer
        try:
            await self._send(
                FileWrite(
                    write_id=write_id,
                    filename=filename,
                    content_type=content_type,
                    data=data,
                    run_id=self._tag,
                )
            )
            ack = await answer
        finally:
            del self._puts[write_id]
        if not ack.ok or ack.key is None:
            raise StoragePutError(
                f"storage.put of {filename!r} was refused: {ack.error or 'no reason given'}"
            )
        return ack.key

    def on_credit(self, size: int) -> None:
        """Take back credit: the runtime has dealt with these bytes."""
        self._outstanding = max(0, self._outstanding - size)
        if self._credit_came is not None and not self._credit_came.done():
            self._credit_came.set_result(None)

    def on_ack(self, ack: FileWriteAck) -> None:
        """Answer a put; an ack that nobody waits for is ignored."""
        answer = self._puts.get(ack.write_id)
        if answer is not None and not answer.done():
            answer.set_result(ack)

    def on_proxy(self, problem: str | None = None) -> None:
        """Answer a ``rotate_proxy``, once what came with it is in use; see `Rotations.answer`."""
        self._rotations.answer(problem)

    def fail_answers(self, reason: str) -> None:
        """Fail every put and rotation under way, and every later one: no answer can come any more."""
        self._unanswerable = reason
        self._rotations.fail(reason)
        for answer in self._puts.values():
            if not answer.done():
                answer.set_exception(StoragePutError(f"storage.put failed: {reason}"))

    async def _send(self, frame: Frame) -> None:
        data = encode_frame(frame)
        self._queued += 1
        try:
            async with self._turn:
                await self._wait_room(len(data))
                self._write(data)
        finally:
            self._queued -= 1

    def _event(self, event_type: str, payload: dict[str, Any]) -> bytes:
        seq = self._seq + 1
        request = self._request
        return encode_frame(
            Event(
                contract_version=CONTRACT_VERSION,
                event_id=f"{self._id_prefix}{seq:012x}",
                run_id=request.run_id,
                seq=seq,
                type=event_type,
                ts=self._clock.timestamp(),
                payload=payload,
                attempt=request.attempt,
                job_id=request.job_id,
                parent_run_id=request.parent_run_id,
                root_run_id=request.root_run_id,
                depth=request.depth,
            )
        )

    def _write(self, frame: bytes) -> None:
        if self._credit_bytes is not None:
            self._outstanding += len(frame)
        self._since_yield += 1
        self._outbox.write(frame)

    def _has_credit(self, size: int) -> bool:
        limit = self._credit_bytes
        # A frame larger than the whole credit goes alone.
        return limit is None or not self._outstanding or self._outstanding + size <= limit

    def _has_room(self, size: int) -> bool:
        return self._outbox.has_room and self._has_credit(size)

    async def _wait_room(self, size: int) -> None:
        while not self._has_room(size):
            if self._has_credit(size):
                await self._outbox.wait_room()
            else:
                self._credit_came = asyncio.get_running_loop().create_future()
                await self._credit_came


def _random_id_prefix() -> str:
    """Begin a UUIDv8 whose last 48 bits are the event's ``seq``: unique over deliveries, and cheap."""
    text = os.urandom(10).hex()
    return f"{text[:8]}-{text[8:12]}-8{text[12:15]}-{'89ab'[int(text[15], 16) % 4]}{text[16:19]}-"
