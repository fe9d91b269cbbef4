"""Turn a delivery's live segment and artifacts into Parquet files, in bounded memory, durably.

All files are written under temporary names first, then synced, then renamed, then their folders are synced,
in four rounds: the first sync of a round makes the file system commit its journal once for all of them, and
the others find little left to do.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from quarry.errors import StoreError
from quarry.lode import kinds, layout, schema
from quarry.lode.disk import remove_file
from quarry.lode.faults import store_error
from quarry.lode.layout import PartPath
from quarry.lode.parts import PartFile, event_values
from quarry.lode.records import FileEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from quarry.lode.chunks import ChunkFile
    from quarry.lode.disk import Disk
    from quarry.lode.layout import RunFolder
    from quarry.lode.segment import Segment
    from quarry.types import RunIdentity

_TYPES_AT_ONCE = 32
_OPEN_TRIES = 20
_PENDING_BYTES = 8 * 1024 * 1024


class MetricsRow(NamedTuple):
    """The metrics row of a delivery."""

    contract_version: str
    ts_ms: int
    metrics: Mapping[str, Any]


class Sealer:
    """Writes the files of one delivery.

    Args:
        disk: Where.
        folder: The run's folder.
        token: TOKEN of the delivery.
        identity: Lineage that metrics and chunk rows carry.
    """

    def __init__(self, disk: Disk, folder: RunFolder, *, token: str, identity: RunIdentity) -> None:
        self._disk = disk
        self._folder = folder
        self._token = token
        self._identity = identity

    def seal(
        self, segment: Segment | None, artifacts: Sequence[ChunkFile], metrics: MetricsRow
    ) -> list[FileEntry]:
        """Write every file; durable with their names when this returns.

        Args:
            segment: The rows; None where the delivery wrote none.
            artifacts: Those whose event is among the rows.
            metrics: The one row of ``event_type=metrics``.

        Returns:
            The files, by event type.

        Raises:
            StoreError: Nothing is sealed; the files that this wrote are gone.
        """
        types = sorted({*(segment.types if segment else ()), kinds.METRICS})
        with ExitStack() as stack:
            parts: dict[str, PartFile] = {}
            for start in range(0, len(types), _TYPES_AT_ONCE):
                group = types[start : start + _TYPES_AT_ONCE]
                opened = {name: self._open(name, schema.EVENT_SCHEMA, stack) for name in group}
                _fill(opened, segment)
                if kinds.METRICS in opened:
                    values = self._metrics_values(metrics)
                    opened[kinds.METRICS].add(values, len(values[12]))
                self._finish(opened.values(), keep_open=len(types) <= _TYPES_AT_ONCE)
                parts.update(opened)
            if artifacts:
                part = self._open(kinds.ARTIFACT_CHUNK, schema.CHUNK_SCHEMA, stack)
                self._fill_chunks(part, artifacts, metrics.contract_version)
                self._finish([part], keep_open=True)
                parts[kinds.ARTIFACT_CHUNK] = part
            return self._publish(parts, stack)

    def _open(self, event_type: str, columns: Any, stack: ExitStack) -> PartFile:
        folder = layout.build_event_folder(self._folder, event_type)
        path = self._disk.path(self._temp(event_type))
        stack.callback(remove_file, path)
        for left in reversed(range(_OPEN_TRIES)):
            self._disk.make_folder(folder)
            try:
                part = PartFile(path, columns)
            except StoreError as fault:
                # A rival delivery that lost may just have removed the folder, empty as it was.
                if fault.kind != "not_found" or not left:
                    raise
            else:
                stack.callback(part.close)
                return part
        raise AssertionError  # the last turn returned or raised

    def _finish(self, parts: Iterable[PartFile], *, keep_open: bool) -> None:
        for part in parts:
            part.finish()
            if not keep_open:
                part.sync()

    def _publish(self, parts: Mapping[str, PartFile], stack: ExitStack) -> list[FileEntry]:
        for part in parts.values():
            part.sync()
        entries = [
            FileEntry(
                path=layout.build_part(PartPath(self._folder, event_type, self._token, 1)),
                event_type=event_type,
                rows=part.rows,
                bytes=part.bytes,
                sha256=part.sha256,
            )
            for event_type, part in parts.items()
        ]
        for entry in entries:
            # Named before it is certain that all will be: what fails half-way takes its names back.
            stack.callback(remove_file, self._disk.path(entry.path))
            source, target = self._disk.path(self._temp(entry.event_type)), self._disk.path(entry.path)
            try:
                os.rename(source, target)
            except OSError as error:
                raise store_error(error, action="name", path=target) from error
        for entry in entries:
            self._disk.sync_folder(entry.path.rpartition("/")[0])
        run_folder = layout.build_run_folder(self._folder)
        self._disk.sync_folder(run_folder)
        self._disk.sync_folder(run_folder.rpartition("/")[0])
        stack.pop_all()
        return sorted(entries, key=lambda entry: entry.event_type)

    def _temp(self, event_type: str) -> str:
        part = layout.build_part(PartPath(self._folder, event_type, self._token, 1))
        head, _, name = part.rpartition("/")
        return f"{head}/.{name.removesuffix('.parquet')}{layout.TEMP_SUFFIX}"

    def _fill_chunks(self, part: PartFile, artifacts: Sequence[ChunkFile], version: str) -> None:
        who = self._identity
        for artifact in artifacts:
            for number, (data, is_last) in enumerate(artifact.read(), 1):
                row = (kinds.ARTIFACT_CHUNK, version, None, who.run_id, None, kinds.ARTIFACT_CHUNK, None)
                lineage = (who.attempt, who.job_id, who.parent_run_id, who.root_run_id, who.depth)
                place = (None, None, None, artifact.artifact_id, number, is_last, data)
                part.add(row + lineage + place, len(data) + 100)
                if part.pending_bytes >= _PENDING_BYTES:
                    part.write_group()

    def _metrics_values(self, metrics: MetricsRow) -> tuple[Any, ...]:
        who = self._identity
        try:
            payload = msgspec.json.encode(metrics.metrics).decode()
        except (TypeError, ValueError) as error:
            raise StoreError(f"can't store the metrics of run {who.run_id} as JSON: {error}") from error
        head = (kinds.METRICS, metrics.contract_version, None, who.run_id, None, kinds.METRICS)
        lineage = (who.attempt, who.job_id, who.parent_run_id, who.root_run_id, who.depth)
        return (*head, metrics.ts_ms, *lineage, payload, None, None)


def _fill(parts: Mapping[str, PartFile], segment: Segment | None) -> None:
    """Copy the rows of these types, in order; what waits in memory is bounded over all of them."""
    if segment is None:
        return
    pending = 0
    for row in segment.rows():
        part = parts.get(row.type)
        if part is None:
            continue
        values = event_values(row)
        size = len(values[12]) + len(values[14] or "") + 200
        part.add(values, size)
        pending += size
        if pending >= _PENDING_BYTES:
            for other in parts.values():
                other.write_group()
            pending = 0
