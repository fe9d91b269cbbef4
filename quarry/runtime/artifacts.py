"""Artifacts of one run: their chunks, their bounds, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from quarry.errors import ProtocolError
from quarry.ipc import MAX_ARTIFACT_BYTES, MAX_CHUNK_BYTES

if TYPE_CHECKING:
    from quarry.ipc import ArtifactChunk
    from quarry.types import Event


class ArtifactStats(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run's artifacts.

    Attributes:
        count: Artifacts whose event came.
        bytes: Their bytes.
        orphans: Artifacts of which bytes came, but no event; never visible.
        orphan_bytes: Their bytes.
    """

    count: int = 0
    bytes: int = 0
    orphans: int = 0
    orphan_bytes: int = 0


@dataclass(slots=True)
class _Artifact:
    chunks: int = 0
    size: int = 0
    complete: bool = False
    committed: bool = False


class Artifacts:
    """Check chunks and artifact events of one run, in the order in which they came."""

    def __init__(self, *, max_artifact_bytes: int = MAX_ARTIFACT_BYTES) -> None:
        self._max_artifact_bytes = max_artifact_bytes
        self._known: dict[str, _Artifact] = {}

    def chunk(self, chunk: ArtifactChunk) -> None:
        """Accept a chunk.

        Raises:
            ProtocolError: Out of order, after the last one, or too large.
        """
        name = f"artifact {chunk.artifact_id[:80]!r}"
        artifact = self._known.setdefault(chunk.artifact_id, _Artifact())
        if artifact.complete:
            raise ProtocolError(f"{name}: a chunk came after its last one")
        if chunk.seq != artifact.chunks + 1:
            raise ProtocolError(f"{name}: chunk {artifact.chunks + 1} was due, {chunk.seq} came")
        if len(chunk.data) > MAX_CHUNK_BYTES:
            raise ProtocolError(f"{name}: a chunk of {len(chunk.data)} bytes; the limit is {MAX_CHUNK_BYTES}")
        artifact.size += len(chunk.data)
        if artifact.size > self._max_artifact_bytes:
            raise ProtocolError(f"{name}: more than {self._max_artifact_bytes} bytes")
        artifact.chunks = chunk.seq
        artifact.complete = chunk.is_last

    def event(self, event: Event) -> None:
        """Accept an artifact's event: the commit record of bytes that came before it.

        Raises:
            ProtocolError: Its bytes did not all come before it, their number differs, or it came before.
        """
        name = f"artifact {event.payload['artifact_id'][:80]!r}"
        artifact = self._known.get(event.payload["artifact_id"])
        if artifact is None or not artifact.complete:
            raise ProtocolError(f"{name}: its event came without its bytes, or before them")
        if artifact.committed:
            raise ProtocolError(f"{name}: its event came twice")
        if event.payload["size_bytes"] != artifact.size:
            raise ProtocolError(
                f"{name}: size_bytes says {event.payload['size_bytes']}, {artifact.size} bytes came"
            )
        artifact.committed = True

    def stats(self) -> ArtifactStats:
        """Sum up; what has no event by now is an orphan."""
        committed = [a for a in self._known.values() if a.committed]
        orphans = [a for a in self._known.values() if not a.committed]
        return ArtifactStats(
            count=len(committed),
            bytes=sum(a.size for a in committed),
            orphans=len(orphans),
            orphan_bytes=sum(a.size for a in orphans),
        )
