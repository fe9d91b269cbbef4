"""What one delivery writes, from its first event to its commit or its end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from quarry.errors import StoreError
from quarry.lode import kinds, layout
from quarry.lode.chunks import ChunkFile
from quarry.lode.disk import remove_empty, remove_tree
from quarry.lode.layout import LivePath
from quarry.lode.records import Sealed
from quarry.lode.removal import remove_delivery
from quarry.lode.segment import Segment, SegmentHeader
from quarry.lode.sidecars import Sidecars
from quarry.version import CONTRACT_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from quarry.ipc.frames import ArtifactChunk
    from quarry.lode.disk import Disk
    from quarry.lode.layout import RunFolder
    from quarry.lode.retry import Retrier
    from quarry.types import Event, RunIdentity


class RunWriter:
    """An ``EventSink`` and file store for one delivery; every path that it writes contains its TOKEN.

    Safe to use from several threads. Nothing is on disk before the first append, chunk or put.

    Args:
        disk: The dataset.
        folder: The run's folder.
        crawl: Id of the crawl.
        identity: The run.
        token: TOKEN of the delivery.
        retrier: How often a failed write is tried again.
        clock: Unix seconds.
    """

    def __init__(
        self,
        disk: Disk,
        folder: RunFolder,
        *,
        crawl: str,
        identity: RunIdentity,
        token: str,
        retrier: Retrier,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._crawl = crawl
        self._identity = identity
        self._token = token
        self._retrier = retrier
        self._clock = clock
        self._live = layout.build_live(LivePath(folder.run_id, token))
        self._live_ready = False
        self._live_linked = False
        self._live_dirty = False
        self._segment: Segment | None = None
        self._artifacts: dict[str, ChunkFile] = {}
        self._sidecars = Sidecars(disk, folder, token=token)
        self._lock = threading.RLock()
        layout.check_names(crawl=crawl, folder=folder)

    def append(self, events: Sequence[Event]) -> None:
        """Make events durable, in order, with one write.

        Raises:
            StoreError: None of them is kept.
        """
        if not events:
            return
        with self._lock:
            committed = [self._check(event) for event in events]
            if self._segment is None:
                self._segment = self._open_segment()
            # Names first: once the rows are synced nothing may fail, or they would count as not kept.
            self._sync_live()
            self._segment.append(events)
            for artifact in committed:
                if artifact is not None:
                    artifact.committed = True

    def append_chunk(self, chunk: ArtifactChunk) -> None:
        """Write a chunk; an artifact is durable when its last chunk's call returns.

        Raises:
            StoreError: It is not kept.
        """
        with self._lock:
            artifact = self._artifacts.get(chunk.artifact_id)
            if artifact is None:
                self._prepare_live()
                path = layout.build_live_artifact(
                    LivePath(self._folder.run_id, self._token), len(self._artifacts) + 1
                )
                artifact = ChunkFile(self._disk.path(path), chunk.artifact_id, self._retrier)
                self._artifacts[chunk.artifact_id] = artifact
                self._live_dirty = True
            artifact.append(chunk)
            if chunk.is_last:
                self._sync_live()

    def put_file(self, filename: str, content_type: str, data: bytes) -> str:
        """Store a file of ``storage.put``, durable when this returns.

        Returns:
            Its key.

        Raises:
            StoreConflictError: This run has a file of that name.
            StoreError: Refused or not stored; the run may go on.
        """
        with self._lock:
            self._keep_day()
            return self._sidecars.put(filename, content_type, data)

    def seal(self, metrics: Mapping[str, Any]) -> Sealed:
        """Turn what was appended into Parquet, durable with all names when this returns.

        The live segment stays until ``drop_live``: until the commit it is what a reader of live data sees.
        May be called again after a failure.

        Args:
            metrics: Becomes the one row at ``event_type=metrics``.

        Returns:
            What the commit record names.

        Raises:
            StoreError: Nothing is sealed.
        """
        from quarry.lode.seal import MetricsRow, Sealer

        with self._lock:
            types = self._segment.types if self._segment else {}
            kept = [artifact for artifact in self._artifacts.values() if artifact.committed]
            orphans = [artifact for artifact in self._artifacts.values() if not artifact.committed]
            self._keep_day()
            row = MetricsRow(CONTRACT_VERSION, int(self._clock() * 1000), metrics)
            sealer = Sealer(self._disk, self._folder, token=self._token, identity=self._identity)
            files = sealer.seal(self._segment, kept, row)
            return Sealed(
                files=files,
                sidecars=self._sidecars.entries,
                rows={entry.event_type: entry.rows for entry in files},
                event_count=sum(types.values()),
                enqueue_events=types.get("enqueue", 0),
                orphans={"artifacts": len(orphans), "bytes": sum(artifact.bytes for artifact in orphans)},
                artifacts={"count": len(kept), "bytes": sum(artifact.bytes for artifact in kept)},
            )

    def drop_live(self) -> None:
        """Remove the live folder; called after the commit. What can't be removed stays an orphan."""
        with self._lock:
            self.close()
            if self._live_ready:
                folder = self._disk.path(self._live)
                remove_tree(folder)
                remove_empty([folder.rpartition("/")[0]])

    def discard(self) -> None:
        """Remove everything whose path has this delivery's TOKEN: another one's record stands."""
        with self._lock:
            self.close()
            remove_delivery(self._disk, self._folder, self._token)

    def close(self) -> None:
        """Close open files; nothing is removed."""
        with self._lock:
            if self._segment is not None:
                self._segment.close()

    def _check(self, event: Event) -> ChunkFile | None:
        """Refuse an event that could not be sealed; give the artifact that an artifact event commits."""
        if event.type == kinds.ARTIFACT_CHUNK:
            raise StoreError(f"event {event.seq}: type {event.type} is kept for the bytes of artifacts")
        if self._segment is None or event.type not in self._segment.types:
            layout.build_event_folder(self._folder, event.type)
        if event.type != "artifact":
            return None
        artifact = self._artifacts.get(str(event.payload.get("artifact_id")))
        if artifact is None or not artifact.complete:
            name = event.payload.get("artifact_id")
            raise StoreError(f"event {event.seq}: artifact {name!r} has no complete bytes before its event")
        return artifact

    def _keep_day(self) -> None:
        folder = self._folder
        self._disk.keep_folder(
            layout.build_day_folder(source=folder.source, category=folder.category, day=folder.day)
        )

    def _prepare_live(self) -> None:
        if not self._live_ready:
            self._disk.keep_folder(layout.LIVE)
            self._disk.make_folder(self._live)
            self._live_ready = self._live_dirty = True

    def _open_segment(self) -> Segment:
        self._prepare_live()
        self._live_dirty = True
        path = self._disk.path(f"{self._live}/{layout.EVENTS_NAME}")
        header = SegmentHeader(
            crawl=self._crawl,
            day=self._folder.day,
            source=self._folder.source,
            category=self._folder.category,
            run_id=self._identity.run_id,
            attempt=self._identity.attempt,
            token=self._token,
            opened_ms=int(self._clock() * 1000),
        )
        return self._retrier.call(
            lambda: Segment(path, header, self._retrier), action="make the segment", path=path
        )

    def _sync_live(self) -> None:
        """Make new names under the live folder durable, once for all files that came since the last time."""
        if not self._live_dirty:
            return
        self._disk.sync_folder(self._live)
        if not self._live_linked:
            self._disk.sync_folder(self._live.rpartition("/")[0])
            self._disk.sync_folder(layout.LIVE)
            self._live_linked = True
        self._live_dirty = False
