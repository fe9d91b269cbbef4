"""The live segment: rows of a running delivery as NDJSON, durable with every append.

The first line describes the segment, each further line is one event envelope. Reading ends at the first
line that is not whole: what a crash tore off was never acknowledged.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from quarry.errors import StoreError
from quarry.lode.disk import sync_data, write_all
from quarry.lode.faults import store_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from quarry.lode.retry import Retrier
    from quarry.types import Event

_FLAGS = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0)
_encode_lines = msgspec.json.Encoder().encode_lines


class SegmentHeader(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a segment: whose rows these are.

    Attributes:
        crawl: Id of the crawl.
        day: Partition value.
        source: Partition value.
        category: Partition value.
        run_id: Run.
        attempt: From 1.
        token: TOKEN of the delivery.
        opened_ms: When the segment was opened, Unix milliseconds.
        segment_version: Of this file format.
    """

    crawl: str
    day: str
    source: str
    category: str
    run_id: str
    attempt: int
    token: str
    opened_ms: int
    segment_version: int = 1


class Row(msgspec.Struct, frozen=True):
    """One line of a segment; ``payload`` stays the JSON text that was written."""

    contract_version: str
    event_id: str
    run_id: str
    seq: int
    type: str
    ts: str
    payload: msgspec.Raw
    attempt: int
    job_id: str | None = None
    parent_run_id: str | None = None
    root_run_id: str | None = None
    depth: int | None = None


class Segment:
    """A segment that is being written. Not safe for several threads.

    Args:
        path: Where it lies; must not exist, its folder must.
        header: Its first line.
        retrier: How often a failed write is tried again.

    Raises:
        OSError: It can't be created.
    """

    def __init__(self, path: str, header: SegmentHeader, retrier: Retrier) -> None:
        self.path = path
        self._retrier = retrier
        self.types: Counter[str] = Counter()
        self._fd = os.open(path, _FLAGS, 0o666)
        self._size = 0
        self._broken: StoreError | None = None
        self._head = msgspec.json.encode(header) + b"\n"

    def append(self, events: Sequence[Event]) -> None:
        """Write rows and sync them: all of them, or none.

        Raises:
            StoreError: None of them is in the segment; after a failed sync no later append is taken either.
        """
        if self._broken:
            raise self._broken
        data = encode_rows(events)
        if not self._size:
            data = self._head + data
        try:
            self._retrier.call(lambda: self._write(data), action="append to", path=self.path)
        except StoreError as fault:
            if not fault.retryable:
                self._broken = fault
            raise
        self._size += len(data)
        self.types.update(event.type for event in events)

    def rows(self) -> Iterator[Row]:
        """Read back every row that was acknowledged, in order.

        Raises:
            StoreError: They are not what was written.
        """
        expected = sum(self.types.values())
        count = 0
        for row in read_rows(self.path, end=self._size):
            count += 1
            yield row
        if count != expected:
            raise StoreError(
                f"can't read {self.path} back: {expected} rows were written and {count} are there;"
                " did another process change it?"
            )

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._fd, data, self._size)
            sync_data(self._fd)
        except OSError:
            self._cut()
            raise

    def _cut(self) -> None:
        """Take back what a failed append left, so that a reader meets no torn row in the middle."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError as error:
            self._broken = store_error(error, action="truncate", path=self.path)


def encode_rows(events: Sequence[Event]) -> bytes:
    """Encode events as lines.

    Bytes in a payload become base64 text and NaN becomes null: only foreign executors can send either.

    Raises:
        StoreError: An event can't be written as JSON.
    """
    try:
        return _encode_lines(events)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise StoreError(
            f"can't store events {events[0].seq} to {events[-1].seq} of run {events[0].run_id} as JSON:"
            f" {error}"
        ) from error


def read_header(path: str) -> SegmentHeader | None:
    """Read the first line; None where the segment is empty, torn or gone.

    Raises:
        StoreError: It is there and can't be read.
    """
    try:
        with open(path, "rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise store_error(error, action="read", path=path) from error
    try:
        return _HEADER_DECODER.decode(line) if line.endswith(b"\n") else None
    except msgspec.MsgspecError:
        return None


def read_rows(path: str, *, end: int | None = None) -> Iterator[Row]:
    """Read the rows of a segment in order, up to the first line that is not whole.

    Args:
        path: The segment; one that is gone has no rows.
        end: Bytes to read; all where None.

    Raises:
        StoreError: It is there and can't be read.
    """
    decode = _ROW_DECODER.decode
    position = 0
    try:
        with open(path, "rb") as file:
            for line in file:
                position += len(line)
                if not line.endswith(b"\n") or (end is not None and position > end):
                    return
                if position == len(line):
                    continue
                try:
                    yield decode(line)
                except msgspec.MsgspecError:
                    return
    except FileNotFoundError:
        return
    except OSError as error:
        raise store_error(error, action="read", path=path) from error


# Made here, not at the first use: msgspec reads a type without a lock, and two threads that decode one
# for the first time at once end the process (a segmentation fault in 0.22.0).
_HEADER_DECODER = msgspec.json.Decoder(SegmentHeader)
_ROW_DECODER = msgspec.json.Decoder(Row)
