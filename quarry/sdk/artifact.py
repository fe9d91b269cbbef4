"""Send an artifact's bytes ahead of its event, whatever they come from."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any

from quarry.errors import EmitError
from quarry.sdk.callsite import located

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from quarry.sdk.channel import Channel
    from quarry.sdk.terminal import TerminalGuard

CHUNK_BYTES = 1024 * 1024
"""Size of a chunk; the wire allows more, but a quarter of the usual credit keeps the pipe busy."""

_VERB = "emit.artifact"


async def send_artifact(channel: Channel, guard: TerminalGuard, artifact_id: str, data: Any) -> int:
    """Send all chunks of an artifact; the last one says so, an empty artifact is one empty last chunk.

    Args:
        channel: Where chunks go.
        guard: Asked before each chunk: the run may end meanwhile.
        artifact_id: Joins chunks and event.
        data: Bytes, a path, or an async iterable of bytes.

    Returns:
        Size in bytes.

    Raises:
        EmitError: Not such data, a file that can't be read, or more than 1 GiB.
        TerminalEventError: The run had its terminal event meanwhile.
    """
    from quarry.ipc.limits import MAX_ARTIFACT_BYTES  # here: importing the package must stay cheap

    chunks = _rechunk(_pieces(data))
    seq, size = 0, 0
    ahead = await anext(chunks, b"")
    while True:
        chunk, ahead = ahead, await anext(chunks, b"")
        seq += 1
        size += len(chunk)
        if size > MAX_ARTIFACT_BYTES:
            raise EmitError(located(f"{_VERB}: the data exceed {MAX_ARTIFACT_BYTES} bytes"))
        guard.check(_VERB)
        await channel.send_chunk(artifact_id, seq=seq, is_last=not ahead, data=chunk)
        if not ahead:
            return size


def _pieces(data: Any) -> AsyncIterator[bytes]:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(data))
    if isinstance(data, (str, os.PathLike)):
        return _of_file(os.fspath(data))
    if isinstance(data, AsyncIterable):
        return _of_iterable(data)
    raise EmitError(
        located(
            f"{_VERB}: data must be bytes, a path or an async iterator of bytes, not {type(data).__name__}"
        )
    )


async def _of_bytes(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


async def _of_file(path: str) -> AsyncIterator[bytes]:
    import asyncio
    from pathlib import Path

    try:
        file = await asyncio.to_thread(Path(path).open, "rb")
    except OSError as error:
        hint = "; a str is a path, encode text to send it" if isinstance(error, FileNotFoundError) else ""
        raise EmitError(located(f"{_VERB}: can't read {path!r}: {error.strerror}{hint}")) from error
    try:
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield piece
    except OSError as error:
        raise EmitError(located(f"{_VERB}: can't read {path!r}: {error.strerror}")) from error
    finally:
        file.close()


async def _of_iterable(data: AsyncIterable[Any]) -> AsyncIterator[bytes]:
    async for piece in data:
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            raise EmitError(located(f"{_VERB}: the iterator gave {type(piece).__name__}; it must give bytes"))
        yield bytes(piece)


async def _rechunk(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut or join pieces to chunks of CHUNK_BYTES; only the last is shorter, none is empty."""
    held = bytearray()
    async for piece in pieces:
        if not held and len(piece) == CHUNK_BYTES:
            yield piece
            continue
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)
