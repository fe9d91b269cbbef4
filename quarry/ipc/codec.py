"""Bytes in, frames out, and back; no I/O.

The hot path is one typed decode by msgspec a frame: an event is tried first, because nearly every frame is
one. The wire's payload type is spelled out to a few levels, so that NaN, bin, timestamps and keys that are no
text are refused at C speed; a deeper payload, or a frame that an executor wrote differently, takes the
tolerant pass. Rejected: walking each payload in Python (twice the decode's own cost).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from quarry.errors import FrameTooLargeError, ProtocolError
from quarry.ipc import tolerant
from quarry.ipc.frames import (
    ArtifactChunk,
    Cancel,
    Credit,
    FileWrite,
    FileWriteAck,
    Frame,
    Hello,
    ProxyFrame,
    RunRequest,
    RunResultFrame,
    StderrFrame,
    UnknownFrame,
)
from quarry.ipc.limits import FRAME_PREFIX_BYTES, MAX_FRAME_BYTES, MAX_WRITE_ID
from quarry.ipc.proxy_use import sensible_use
from quarry.types import Event

_LARGEST_FLOAT = 1.7976931348623157e308
_TYPED_LEVELS = 6
_RESULT_TEXTS = ("status", "message", "error_type", "stack")


def _json_type(levels: int) -> Any:
    """Spell out JSON to some levels; msgspec has no recursive aliases."""
    # NaN and the infinities lie in no range.
    finite = Annotated[float, msgspec.Meta(ge=-_LARGEST_FLOAT, le=_LARGEST_FLOAT)]
    scalar: Any = None | bool | int | finite | str
    value = scalar
    for _ in range(levels):
        value = scalar | list[value] | dict[str, value]  # type: ignore[valid-type]
    return value


class _WireEvent(Event, frozen=True, kw_only=True):
    """An event whose payload is JSON to a few levels; never leaves this module."""

    if not TYPE_CHECKING:
        payload: dict[str, _json_type(_TYPED_LEVELS)]


_SINGLE_SHOT: dict[str, Any] = {
    "artifact_chunk": ArtifactChunk,
    "file_write": FileWrite,
    "file_write_ack": FileWriteAck,
    "run_result": RunResultFrame,
    "proxy": ProxyFrame,
}
_SERVING: dict[str, Any] = {
    **_SINGLE_SHOT,
    "hello": Hello,
    "stderr": StderrFrame,
    "run_request": RunRequest,
    "cancel": Cancel,
    "credit": Credit,
}
_INBOUND: dict[str, Any] = {
    "run_request": RunRequest,
    "cancel": Cancel,
    "credit": Credit,
    "file_write_ack": FileWriteAck,
    "proxy": ProxyFrame,
}

_ENCODER = msgspec.msgpack.Encoder()
_EVENT_DECODER = msgspec.msgpack.Decoder(_WireEvent)
_TAGGED_DECODER: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(
    ArtifactChunk | FileWrite | FileWriteAck | RunResultFrame | ProxyFrame | Hello | StderrFrame
    | RunRequest | Cancel | Credit
)  # fmt: skip


def encode_frame(frame: Frame) -> bytes:
    """Encode one frame: 4 bytes big-endian length, then a msgpack map.

    Optional fields at their default are left out.

    Raises:
        FrameTooLargeError: More than MAX_FRAME_BYTES without the prefix.
        ProtocolError: A value has no msgpack form (an integer beyond 64 bits, a lone surrogate, an object).
    """
    value: Any = {**frame.fields, "type": frame.type} if isinstance(frame, UnknownFrame) else frame
    try:
        body = _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ProtocolError(f"a frame can't be encoded: {error}") from error
    if len(body) > MAX_FRAME_BYTES:
        raise FrameTooLargeError(
            f"a frame of {len(body)} bytes exceeds the limit of {MAX_FRAME_BYTES}; send less at once,"
            " or send it as an artifact"
        )
    return len(body).to_bytes(FRAME_PREFIX_BYTES, "big") + body


class FrameDecoder:
    """Decode a byte stream that may be split anywhere.

    Args:
        max_frame_bytes: Largest declared length that is accepted.
        inbound: Decode the executor's side: requests, cancels, credits, acks, proxies; anything else is an
            UnknownFrame, to be ignored.
        serving: Know the frames of the serving mode. A single-shot executor has no such frames: there, for
            instance, ``cancel`` is an event type like any other.

    Attributes:
        fault: Set as soon as a fault was met; nothing is decoded after it.
    """

    def __init__(
        self, max_frame_bytes: int = MAX_FRAME_BYTES, *, inbound: bool = False, serving: bool = True
    ) -> None:
        self.fault: ProtocolError | None = None
        self._max_frame_bytes = max_frame_bytes
        self._decode = _decode_inbound if inbound else (_decode_serving if serving else _decode_single_shot)
        self._buffer = bytearray()
        self._needed = FRAME_PREFIX_BYTES

    @property
    def buffered(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[Frame, int]]:
        """Decode every frame completed by these bytes.

        Args:
            data: Next pipe bytes; any length, may split a frame.

        Returns:
            Frames with their size in bytes (prefix included), in emit order; empty until one completes. Those
            completed before a fault are returned; ``fault`` is set at once and raised by the next call.

        Raises:
            FrameTooLargeError: Declared size exceeds the limit.
            ProtocolError: Not a frame; nothing after it is decoded.
        """
        if self.fault is not None:
            raise self.fault
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            with memoryview(self._buffer) as view:
                frames, used = self._split(view)
            if self.fault is None:
                del self._buffer[:used]
        else:
            with memoryview(data) as view:
                frames, used = self._split(view)
                self._buffer += view[used:]
        if self.fault is not None:
            self._buffer = bytearray()  # the fault's traceback still looks into the old one
            if not frames:
                raise self.fault
        return frames

    def close(self) -> None:
        """Say that the stream has ended.

        Raises:
            ProtocolError: A fault was met before, or bytes of a torn frame are left.
        """
        if self.fault is None and self._buffer:
            self.fault = ProtocolError(
                f"the stream ended inside a frame: {len(self._buffer)} of at least {self._needed} bytes came"
            )
            self._buffer.clear()
        if self.fault is not None:
            raise self.fault

    def _split(self, view: memoryview) -> tuple[list[tuple[Frame, int]], int]:
        frames: list[tuple[Frame, int]] = []
        start, end = 0, len(view)
        self._needed = FRAME_PREFIX_BYTES
        while end - start >= FRAME_PREFIX_BYTES:
            length = int.from_bytes(view[start : start + FRAME_PREFIX_BYTES], "big")
            if length > self._max_frame_bytes:
                self.fault = FrameTooLargeError(
                    f"a frame declares {length} bytes; the limit is {self._max_frame_bytes}"
                )
                break
            stop = start + FRAME_PREFIX_BYTES + length
            if stop > end:
                self._needed = FRAME_PREFIX_BYTES + length
                break
            try:
                frames.append((self._decode(view[start + FRAME_PREFIX_BYTES : stop]), stop - start))
            except ProtocolError as error:
                self.fault = error
                break
            start = stop
        return frames, start


def _decode_serving(body: memoryview) -> Frame:
    return _decode_outbound(body, _SERVING)


def _decode_single_shot(body: memoryview) -> Frame:
    return _decode_outbound(body, _SINGLE_SHOT)


def _decode_outbound(body: memoryview, known: dict[str, Any]) -> Frame:
    """Decode a frame that an executor sent."""
    try:
        event = _EVENT_DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    else:
        if event.type not in known:
            return _plain(event)
    try:
        frame = _TAGGED_DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _tolerant(body, known)
    return _checked(frame) if _tag(frame) in known else _tolerant(body, known)


def _decode_inbound(body: memoryview) -> Frame:
    """Decode a frame that the runtime sent."""
    try:
        frame = _TAGGED_DECODER.decode(body)
        if _tag(frame) in _INBOUND:
            return _checked(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    fields = tolerant.unpack_map(body)
    kind = tolerant.frame_type(fields)
    if kind not in _INBOUND:
        return UnknownFrame(type=kind, fields={name: fields[name] for name in fields if name != "type"})
    return _checked(tolerant.build(_INBOUND[kind], fields, label=f"frame {kind}"))


def _tolerant(body: memoryview, known: dict[str, Any]) -> Frame:
    fields = tolerant.unpack_map(body)
    kind = tolerant.frame_type(fields)
    if kind in known:
        return _checked(tolerant.build(known[kind], fields, label=f"frame {kind}"))
    return tolerant.build(Event, fields, label=f"event {kind[:80]!r}")


def _tag(frame: msgspec.Struct) -> Any:
    return type(frame).__struct_config__.tag


def _plain(wire: _WireEvent) -> Event:
    """Give the event as the type that everybody else knows."""
    return Event(
        contract_version=wire.contract_version,
        event_id=wire.event_id,
        run_id=wire.run_id,
        seq=wire.seq,
        type=wire.type,
        ts=wire.ts,
        payload=wire.payload,
        attempt=wire.attempt,
        job_id=wire.job_id,
        parent_run_id=wire.parent_run_id,
        root_run_id=wire.root_run_id,
        depth=wire.depth,
    )


def _checked(frame: Any) -> Frame:
    """Check what a type alone does not say.

    Raises:
        ProtocolError: A ``write_id`` is no uint32, or a ``run_result`` has no outcome status.
    """
    if isinstance(frame, (FileWrite, FileWriteAck)) and not 0 <= frame.write_id <= MAX_WRITE_ID:
        raise ProtocolError(f"write_id {frame.write_id} is not a uint32")
    if isinstance(frame, RunResultFrame):
        return _checked_result(frame)
    result: Frame = frame
    return result


def _checked_result(frame: RunResultFrame) -> RunResultFrame:
    """Give a run result whose outcome texts are texts."""
    outcome = tolerant.as_json(frame.outcome, "frame run_result: outcome")
    proxy = tolerant.as_json(frame.proxy_used, "frame run_result: proxy_used")
    if not isinstance(outcome.get("status"), str):
        raise ProtocolError("frame run_result: outcome.status is missing")
    for name in _RESULT_TEXTS:
        if not isinstance(outcome.get(name), str | None):
            raise ProtocolError(f"frame run_result: outcome.{name} must be text")
    return RunResultFrame(
        outcome=outcome,
        proxy_used=proxy,
        run_id=frame.run_id,
        proxy_use=sensible_use(frame.proxy_use),
    )
