"""Check that the files of a record are there and hold what it says."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from quarry.errors import StoreError
from quarry.lode import kinds, layout
from quarry.lode.faults import store_error
from quarry.lode.filenames import META_SUFFIX
from quarry.lode.problems import Problem

if TYPE_CHECKING:
    from quarry.lode.disk import Disk
    from quarry.lode.records import CommitRecord, FileEntry, SidecarEntry

_BLOCK_BYTES = 1024 * 1024


def check_files(disk: Disk, record: CommitRecord, where: str) -> list[Problem]:
    """Check every file of a record: there, its size and hash, its rows and their order, artifacts whole.

    Args:
        disk: Where.
        record: The record.
        where: Its path, for problems of the record as a whole.
    """
    found: list[Problem] = []
    events = 0
    sizes: dict[str, int] = {}
    stored: Counter[str] = Counter()
    for entry in record.files:
        fault = _check_bytes(disk, entry) or _check_place(entry, record)
        if fault is not None:
            found.append(fault)
            continue
        try:
            if entry.event_type == kinds.ARTIFACT_CHUNK:
                found += _check_chunks(disk, entry, stored)
            else:
                count, problems = _check_rows(disk, entry, record, sizes)
                events += count
                found += problems
        except StoreError as error:
            found.append(Problem("file_unreadable", entry.path, error.message))
    for sidecar in record.sidecars:
        fault = _check_bytes(disk, sidecar) or _check_meta(disk, sidecar)
        if fault is not None:
            found.append(fault)
    if not found:
        if events != record.event_count:
            found.append(
                Problem("record_rows", where, f"event_count {record.event_count}, its files hold {events}")
            )
        if sizes != dict(stored):
            text = f"artifact events say {sizes} bytes, the chunks hold {dict(stored)}"
            found.append(Problem("artifact_bytes", where, text))
    return found


def _check_bytes(disk: Disk, entry: FileEntry | SidecarEntry) -> Problem | None:
    if entry.path.startswith("/") or ".." in entry.path.split("/"):
        return Problem("file_place", entry.path, "the path leads out of the dataset")
    digest = hashlib.sha256()
    size = 0
    try:
        with open(disk.path(entry.path), "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
    except FileNotFoundError:
        return Problem("file_missing", entry.path, "a commit record names it and it is not there")
    except OSError as error:
        fault = store_error(error, action="read", path=disk.path(entry.path))
        return Problem("file_unreadable", entry.path, fault.message)
    if size != entry.bytes:
        return Problem("file_bytes", entry.path, f"it has {size} bytes, its record says {entry.bytes}")
    if digest.hexdigest() != entry.sha256:
        return Problem("file_sha256", entry.path, "its bytes are not those that were committed")
    return None


def _check_place(entry: FileEntry, record: CommitRecord) -> Problem | None:
    part = layout.parse_part(entry.path)
    folder = layout.RunFolder(record.source, record.category, record.day, record.run_id)
    if part is None or part.folder != folder or part.event_type != entry.event_type:
        return Problem("file_place", entry.path, f"the path is not one of run {record.run_id}")
    if part.token != record.token:
        return Problem("file_place", entry.path, f"the path has not its record's token {record.token}")
    return None


def _check_meta(disk: Disk, entry: SidecarEntry) -> Problem | None:
    path = entry.path + META_SUFFIX
    data = disk.read(path)
    if data is None:
        return Problem("file_missing", path, "the description of a put file is not there")
    try:
        meta = msgspec.json.decode(data, type=type(entry))
    except msgspec.MsgspecError as error:
        return Problem("file_unreadable", path, f"it is no description of a put file: {error}")
    if meta != entry:
        return Problem("sidecar_meta", path, "it says something else than the commit record")
    return None


def _check_rows(
    disk: Disk, entry: FileEntry, record: CommitRecord, sizes: dict[str, int]
) -> tuple[int, list[Problem]]:
    """Check a file of events; collects what artifact events say of their sizes."""
    from quarry.lode.tables import read_batches

    found: list[Problem] = []
    rows = events = last = 0
    columns = ["record_kind", "run_id", "seq", *(["payload"] if entry.event_type == "artifact" else [])]
    for batch in read_batches(disk.path(entry.path), columns):
        rows += batch.num_rows
        for kind, run_id, seq, *payload in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            if run_id != record.run_id:
                found.append(Problem("row_run", entry.path, f"a row is of run {run_id}"))
            if kind == kinds.METRICS:
                continue
            events += 1
            if seq <= last:
                found.append(Problem("row_order", entry.path, f"seq {seq} comes after {last}"))
            last = seq
            if payload:
                artifact = msgspec.json.decode(payload[0])
                sizes[str(artifact.get("artifact_id"))] = artifact.get("size_bytes")
    if rows != entry.rows:
        found.append(Problem("file_rows", entry.path, f"it has {rows} rows, its record says {entry.rows}"))
    return events, found


def _check_chunks(disk: Disk, entry: FileEntry, stored: Counter[str]) -> list[Problem]:
    from quarry.lode.tables import read_batches

    found: list[Problem] = []
    rows = 0
    position: dict[str, int] = {}
    columns = ["artifact_id", "chunk_seq", "chunk"]
    for batch in read_batches(disk.path(entry.path), columns):
        rows += batch.num_rows
        for name, seq, chunk in zip(*batch.columns, strict=True):
            artifact, number = name.as_py(), seq.as_py()
            if number != position.get(artifact, 0) + 1:
                found.append(
                    Problem("row_order", entry.path, f"artifact {artifact}: chunk {number} is out of line")
                )
            position[artifact] = number
            stored[artifact] += chunk.as_buffer().size
    if rows != entry.rows:
        found.append(Problem("file_rows", entry.path, f"it has {rows} rows, its record says {entry.rows}"))
    return found
