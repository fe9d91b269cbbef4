"""The values that make a dataset: commit records, the files they name, what a sealed run holds."""

from __future__ import annotations

from typing import Any

import msgspec

from quarry.errors import StoreError
from quarry.policy import PolicyCounters  # noqa: TC001 - msgspec reads the annotation at run time
from quarry.types import Outcome  # noqa: TC001 - as above


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file that a commit record names.

    Attributes:
        path: Relative to the dataset's root, with ``/``.
        event_type: Partition value of its rows.
        rows: Number of rows.
        bytes: Size of the file.
        sha256: Of the file's bytes, hex.
    """

    path: str
    event_type: str
    rows: int
    bytes: int
    sha256: str


class SidecarEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One ``storage.put`` file that a commit record names; ``path`` as in FileEntry."""

    path: str
    filename: str
    content_type: str
    bytes: int
    sha256: str


class CommitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one job (under ``runs``) or of one attempt that another followed (under ``attempts``).

    Attributes:
        key: Key of the job, 32 hex digits.
        crawl: Id of the crawl.
        day: UTC day on which the crawl began, ``YYYY-MM-DD``.
        token: TOKEN of the delivery that wrote it; every file of it has the token in its path.
        run_id: Run that this record is of.
        attempt: From 1.
        source: Partition value.
        category: Partition value.
        target: Script as the job names it.
        job: The job's params.
        script: Script that was executed, as a path.
        outcome: How the run ended.
        policy: Name of the ingestion policy.
        started_at: ISO 8601 UTC, ms.
        ended_at: ISO 8601 UTC, ms.
        duration_ms: Wall time of the run.
        deliveries: How often the run was delivered.
        job_id: The user's id of the job, where given.
        parent_run_id: As in the envelope.
        parent_job: Key of the job whose run emitted this one; None for a root.
        root_run_id: As in the envelope.
        depth: A root has 0.
        script_sha256: Of the script's file, where it could be read.
        counters: The policy's counters; None where no policy ran.
        proxy: Proxy used, without password.
        files: Parquet files, by event type.
        sidecars: ``storage.put`` files, in put order.
        rows: Rows by event type, metrics and artifact chunks included.
        enqueue_events: Enqueue events that the policy received, persisted or dropped.
        event_count: Rows that are events (neither chunks nor metrics).
        contract_version: Of the emit contract.
        quarry_version: Of the writer.
        record_version: Of this structure; changes are additive.
        orphans: Artifacts whose event never came: ``{"artifacts": n, "bytes": n}``.
        artifacts: Artifacts kept: ``{"count": n, "bytes": n}``.
        executor: ``quarry``, or the path of a foreign one.
    """

    key: str
    crawl: str
    day: str
    token: str
    run_id: str
    attempt: int
    source: str
    category: str
    target: str
    job: Any
    script: str
    outcome: Outcome
    policy: str
    started_at: str
    ended_at: str
    duration_ms: int
    deliveries: int
    contract_version: str
    quarry_version: str
    job_id: str | None = None
    parent_run_id: str | None = None
    parent_job: str | None = None
    root_run_id: str | None = None
    depth: int = 0
    script_sha256: str | None = None
    counters: PolicyCounters | None = None
    proxy: dict[str, Any] | None = None
    files: list[FileEntry] = []
    sidecars: list[SidecarEntry] = []
    rows: dict[str, int] = {}
    enqueue_events: int = 0
    event_count: int = 0
    record_version: int = 1
    orphans: dict[str, int] = {}
    artifacts: dict[str, int] = {}
    executor: str = "quarry"


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What one delivery leaves for its commit record; the fields mean what they mean there.

    ``Sealed()`` is a delivery that leaves nothing (it never ran, or its storage failed).
    """

    files: list[FileEntry] = []
    sidecars: list[SidecarEntry] = []
    rows: dict[str, int] = {}
    event_count: int = 0
    enqueue_events: int = 0
    orphans: dict[str, int] = msgspec.field(default_factory=lambda: {"artifacts": 0, "bytes": 0})
    artifacts: dict[str, int] = msgspec.field(default_factory=lambda: {"count": 0, "bytes": 0})


def encode_record(record: CommitRecord) -> bytes:
    """Encode a record as the JSON text that lies on disk.

    Raises:
        StoreError: A value of it (the job's params, most likely) can't be written as JSON.
    """
    try:
        return msgspec.json.encode(record) + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"can't store the record of run {record.run_id} as JSON: {error}") from error


def decode_record(data: bytes) -> CommitRecord:
    """Decode a record; fields of a later version are ignored.

    Raises:
        msgspec.MsgspecError: It isn't one.
    """
    return _DECODER.decode(data)


# Made here, not at the first use: msgspec reads a type without a lock, and two threads that decode one
# for the first time at once end the process (a segmentation fault in 0.22.0).
_DECODER = msgspec.json.Decoder(CommitRecord)
