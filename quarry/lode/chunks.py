"""Bytes of artifacts before their run is sealed: one file an artifact under ``live``.

The file starts with a JSON line that names the artifact; then each chunk is four bytes, big endian (the top
bit says that it is the last, the rest is the length), and its data. No index is kept in memory: an artifact
may come in a thousand million chunks.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from quarry.errors import StoreError
from quarry.lode.disk import sync_data, write_all
from quarry.lode.faults import store_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.ipc.frames import ArtifactChunk
    from quarry.lode.retry import Retrier

_PREFIX_BYTES = 4
_LAST = 1 << 31
_FLAGS = os.O_CREAT | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)


class ChunkFile:
    """One artifact that is being received.

    Args:
        path: Its file; must not exist, its folder must.
        artifact_id: As the executor named it.
        retrier: How often a failed write is tried again.
    """

    def __init__(self, path: str, artifact_id: str, retrier: Retrier) -> None:
        self.path = path
        self.artifact_id = artifact_id
        self.chunks = 0
        self.bytes = 0
        self.complete = False
        self.committed = False
        self._retrier = retrier
        self._size = 0

    def append(self, chunk: ArtifactChunk) -> None:
        """Write the next chunk; the last one makes the whole file durable (its folder is the caller's).

        Raises:
            StoreError: It is not kept, or it is not the next chunk.
        """
        if self.complete or chunk.seq != self.chunks + 1:
            raise StoreError(
                f"artifact {self.artifact_id}: chunk {chunk.seq} came after chunk {self.chunks}"
                + (", which was the last" if self.complete else "")
            )
        mark = len(chunk.data) | (_LAST if chunk.is_last else 0)
        data = mark.to_bytes(_PREFIX_BYTES, "big") + chunk.data
        if not self._size:
            data = msgspec.json.encode({"artifact_id": self.artifact_id}) + b"\n" + data
        self._retrier.call(lambda: self._write(data, sync=chunk.is_last), action="append to", path=self.path)
        self._size += len(data)
        self.chunks += 1
        self.bytes += len(chunk.data)
        self.complete = chunk.is_last

    def read(self) -> Iterator[tuple[bytes, bool]]:
        """Read the chunks back in order, each with whether it is the last.

        Raises:
            StoreError: They are not what was written.
        """
        count = 0
        for item in read_chunks(self.path):
            count += 1
            yield item
        if count != self.chunks:
            raise StoreError(
                f"can't read {self.path} back: {self.chunks} chunks were written and {count} are there;"
                " did another process change it?"
            )

    def _write(self, data: bytes, *, sync: bool) -> None:
        # Opened for each chunk: a run may hold many artifacts open, and file descriptors are few.
        fd = os.open(self.path, _FLAGS, 0o666)
        try:
            write_all(fd, data, self._size)
            if sync:
                sync_data(fd)
        finally:
            os.close(fd)


def read_chunks(path: str) -> Iterator[tuple[bytes, bool]]:
    """Read the chunks of an artifact's file, up to its last or the first that is not whole.

    Raises:
        StoreError: The file can't be read.
    """
    try:
        with open(path, "rb") as file:
            file.readline()
            while len(prefix := file.read(_PREFIX_BYTES)) == _PREFIX_BYTES:
                mark = int.from_bytes(prefix, "big")
                data = file.read(mark & (_LAST - 1))
                if len(data) < mark & (_LAST - 1):
                    return
                yield data, bool(mark & _LAST)
                if mark & _LAST:
                    return
    except OSError as error:
        raise store_error(error, action="read", path=path) from error
