"""Read Parquet files that records name, and segments, as Arrow tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from quarry.errors import ConfigError, StoreError
from quarry.lode import kinds, schema
from quarry.lode.faults import store_error
from quarry.lode.parts import event_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from quarry.lode.disk import Disk
    from quarry.lode.records import CommitRecord
    from quarry.lode.segment import Row, SegmentHeader


def read_payloads(path: str) -> list[Any]:
    """Read the payloads of a file, in row order.

    Raises:
        StoreError: The file can't be read.
    """
    column = _open(path).read(columns=["payload"]).column(0).to_pylist()
    return [msgspec.json.decode(text) for text in column]


def read_chunks_of(path: str, artifact_id: str) -> Iterator[bytes]:
    """Read the chunks of one artifact from a file, in order; row groups without it are skipped.

    Raises:
        StoreError: The file can't be read.
    """
    file = _open(path)
    column = file.schema_arrow.names.index("artifact_id")
    for number in range(file.metadata.num_row_groups):
        limits = file.metadata.row_group(number).column(column).statistics
        if limits is not None and limits.has_min_max and not limits.min <= artifact_id <= limits.max:
            continue
        group = file.read_row_group(number, columns=["artifact_id", "chunk"])
        for name, chunk in zip(group.column(0), group.column(1), strict=True):
            if name.as_py() == artifact_id:
                yield chunk.as_py()


def read_batches(path: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read a file batch by batch, in row order.

    Raises:
        StoreError: The file can't be read.
    """
    file = _open(path)
    try:
        yield from file.iter_batches(columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise _fault(error, path) from error
    finally:
        file.close()


def table_of(
    disk: Disk, records: Iterable[CommitRecord], event_types: set[str] | None, columns: Sequence[str] | None
) -> pa.Table:
    """Read the rows of records' files, in the order of the records.

    Args:
        disk: Where.
        records: Whose files.
        event_types: Partition values to read; None for all but the bytes of artifacts.
        columns: Columns wanted; None for all.

    Raises:
        ConfigError: There is no such column.
        StoreError: A file that a record names can't be read.
    """
    chunks = event_types == {kinds.ARTIFACT_CHUNK}
    full = schema.reader_schema(kinds.ARTIFACT_CHUNK if chunks else "")
    wanted = _check_columns(columns, full)
    form = ds.ParquetFileFormat()
    local = pafs.LocalFileSystem()
    fragments = []
    for record in records:
        place = (
            (ds.field("source") == record.source)
            & (ds.field("category") == record.category)
            & (ds.field("day") == record.day)
            & (ds.field("crawl") == record.crawl)
        )
        for entry in record.files:
            if entry.event_type in event_types if event_types else entry.event_type != kinds.ARTIFACT_CHUNK:
                path = disk.path(entry.path)
                fragments.append(form.make_fragment(path, filesystem=local, partition_expression=place))
    try:
        return ds.FileSystemDataset(fragments, full, form, local).to_table(columns=wanted)
    except (OSError, pa.ArrowException) as error:
        raise _fault(error, disk.path("partitions")) from error


def table_of_rows(rows: Iterable[Row], header: SegmentHeader) -> pa.Table:
    """Make the table of a live segment, with the columns that a committed run has."""
    place = (header.source, header.category, header.day, header.crawl)
    columns: list[list[Any]] = [[] for _ in schema.reader_schema("")]
    for row in rows:
        for column, value in zip(columns, (*event_values(row), *place), strict=True):
            column.append(value)
    full = schema.reader_schema("")
    return pa.table([pa.array(c, type=f.type) for c, f in zip(columns, full, strict=True)], schema=full)


def _check_columns(columns: Sequence[str] | None, full: pa.Schema) -> list[str]:
    if columns is None:
        return list(full.names)
    unknown = [name for name in columns if name not in full.names]
    if unknown:
        raise ConfigError(f"columns: there is no {', '.join(unknown)}; there are {', '.join(full.names)}")
    return list(columns)


def _open(path: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise _fault(error, path) from error


def _fault(error: Exception, path: str) -> StoreError:
    if isinstance(error, OSError) and error.errno:
        return store_error(error, action="read", path=path)
    return StoreError(f"can't read {path}: {error}")
