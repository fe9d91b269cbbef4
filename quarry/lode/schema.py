"""The columns of every Parquet file of a dataset (LODE contract).

One superset for all event types: readers that take the first file's schema for all would lose columns that
only some files have.
"""

from __future__ import annotations

import pyarrow as pa

from quarry.lode.kinds import ARTIFACT_CHUNK

TEXT = pa.string()

EVENT_SCHEMA = pa.schema(
    [
        ("record_kind", TEXT),
        ("contract_version", TEXT),
        ("event_id", TEXT),
        ("run_id", TEXT),
        ("seq", pa.int64()),
        ("type", TEXT),
        ("ts", pa.timestamp("ms", tz="UTC")),
        ("attempt", pa.int64()),
        ("job_id", TEXT),
        ("parent_run_id", TEXT),
        ("root_run_id", TEXT),
        ("depth", pa.int64()),
        ("payload", TEXT),
        ("item_type", TEXT),
        ("data", TEXT),
    ]
)
"""Columns of every file; ``payload`` and ``data`` are JSON text, the last two null but for items."""

CHUNK_SCHEMA = pa.schema(
    [
        *EVENT_SCHEMA,
        ("artifact_id", TEXT),
        ("chunk_seq", pa.int64()),
        ("is_last", pa.bool_()),
        ("chunk", pa.binary()),
    ]
)
"""Columns of the files at ``event_type=artifact_chunk``."""

PLACE_FIELDS = [("source", TEXT), ("category", TEXT), ("day", TEXT), ("crawl", TEXT)]
"""Columns that readers add from the commit record; they stand in no file."""

REPETITIVE = [
    "record_kind",
    "contract_version",
    "run_id",
    "type",
    "job_id",
    "parent_run_id",
    "root_run_id",
    "item_type",
    "artifact_id",
]
"""Columns worth a dictionary: few values, each many times."""


def reader_schema(event_type: str) -> pa.Schema:
    """Give the schema of what ``Reader.scan`` returns for an event type."""
    base = CHUNK_SCHEMA if event_type == ARTIFACT_CHUNK else EVENT_SCHEMA
    return pa.schema([*base, *PLACE_FIELDS])


BULKY = ["payload", "data", "chunk"]
"""Columns that hold most of the bytes."""
