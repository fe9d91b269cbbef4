"""``index.parquet`` of a crawl: its records as one table, for engines and for finding a run quickly."""

from __future__ import annotations

import os
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from quarry.lode import layout
from quarry.lode.disk import remove_file
from quarry.lode.faults import store_error
from quarry.lode.parts import PartFile, timestamp_ms
from quarry.lode.schema import TEXT

if TYPE_CHECKING:
    from quarry.lode.catalog import Catalog
    from quarry.lode.disk import Disk
    from quarry.lode.layout import CrawlPath
    from quarry.lode.records import CommitRecord

_TIME = pa.timestamp("ms", tz="UTC")

INDEX_SCHEMA = pa.schema(
    [
        ("final", pa.bool_()),
        ("key", TEXT),
        ("run_id", TEXT),
        ("attempt", pa.int64()),
        ("token", TEXT),
        ("job_id", TEXT),
        ("parent_run_id", TEXT),
        ("parent_job", TEXT),
        ("root_run_id", TEXT),
        ("depth", pa.int64()),
        ("source", TEXT),
        ("category", TEXT),
        ("target", TEXT),
        ("job", TEXT),
        ("script_sha256", TEXT),
        ("outcome", TEXT),
        ("error_type", TEXT),
        ("reason", TEXT),
        ("message", TEXT),
        ("policy", TEXT),
        ("started_at", _TIME),
        ("ended_at", _TIME),
        ("duration_ms", pa.int64()),
        ("deliveries", pa.int64()),
        ("event_count", pa.int64()),
        ("enqueue_events", pa.int64()),
        ("bytes", pa.int64()),
        ("files", pa.list_(TEXT)),
    ]
)
"""Columns of the index; ``job`` is JSON text, ``final`` is false for attempts that another followed."""


def write_index(disk: Disk, catalog: Catalog, crawl: CrawlPath) -> None:
    """Write the index of a crawl, in bounded memory, durably; its folder is kept already.

    Raises:
        StoreError: It could not be written; an older one still stands.
    """
    target = layout.build_index(crawl)
    folder = target.rpartition("/")[0]
    temp = disk.path(f"{folder}/.index-{os.urandom(4).hex()}{layout.TEMP_SUFFIX}")
    rows = chain(
        ((record, True) for record in catalog.records(layout.RUNS, crawl)),
        ((record, False) for record in catalog.effective_attempts(crawl)),
    )
    try:
        part = PartFile(temp, INDEX_SCHEMA)
        try:
            while batch := list(islice(rows, 5_000)):
                for record, final in batch:
                    part.add(_values(record, final=final), 0)
                part.write_group()
            part.finish()
            part.sync()
        finally:
            part.close()
        try:
            os.rename(temp, disk.path(target))
        except OSError as error:
            raise store_error(error, action="name", path=disk.path(target)) from error
    finally:
        remove_file(temp)
    disk.sync_folder(folder)


def _values(record: CommitRecord, *, final: bool) -> tuple[Any, ...]:
    outcome = record.outcome
    return (
        final,
        record.key,
        record.run_id,
        record.attempt,
        record.token,
        record.job_id,
        record.parent_run_id,
        record.parent_job,
        record.root_run_id,
        record.depth,
        record.source,
        record.category,
        record.target,
        msgspec.json.encode(record.job).decode(),
        record.script_sha256,
        outcome.status.value,
        outcome.error_type,
        outcome.reason,
        outcome.message,
        record.policy,
        timestamp_ms(record.started_at),
        timestamp_ms(record.ended_at),
        record.duration_ms,
        record.deliveries,
        record.event_count,
        record.enqueue_events,
        sum(entry.bytes for entry in record.files) + sum(entry.bytes for entry in record.sidecars),
        [entry.path for entry in record.files],
    )
