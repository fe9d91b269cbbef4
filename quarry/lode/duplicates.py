"""Find event ids that two visible rows share."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from quarry.errors import StoreError
from quarry.lode import layout
from quarry.lode.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.lode.catalog import Catalog
    from quarry.lode.disk import Disk
    from quarry.lode.records import CommitRecord

_IDS_A_PASS = 2_000_000


def find_duplicates(disk: Disk, catalog: Catalog, events: int) -> list[Problem]:
    """Find the event ids that stand in more than one row of final records' files.

    The ids are read in as many passes as it takes to hold at most about two million at a time.

    Args:
        disk: Where.
        catalog: Of the same dataset.
        events: About how many ids there are.
    """
    passes = events // _IDS_A_PASS + 1
    found = []
    for number in range(passes):
        seen: set[bytes] = set()
        for path, event_id in _event_ids(disk, catalog):
            digest = hashlib.blake2b(event_id.encode(), digest_size=16).digest()
            if digest[0] % passes != number:
                continue
            if digest in seen:
                found.append(Problem("event_twice", path, f"event {event_id} stands in an earlier row too"))
            seen.add(digest)
    return found


def _event_ids(disk: Disk, catalog: Catalog) -> Iterator[tuple[str, str]]:
    from quarry.lode.tables import read_batches

    for path in _paths(catalog):
        try:
            for batch in read_batches(disk.path(path), ["event_id"]):
                for event_id in batch.column(0).to_pylist():
                    if event_id is not None:
                        yield path, event_id
        except StoreError:
            continue  # named by the check of its record


def _paths(catalog: Catalog) -> Iterator[str]:
    for place in catalog.crawl_folders(layout.RUNS):
        for name in catalog.names(layout.RUNS, place):
            record = _load(catalog, layout.RecordPath(*place, name))
            if record is not None:
                yield from (e.path for e in record.files if e.event_type != "artifact_chunk")


def _load(catalog: Catalog, place: layout.RecordPath) -> CommitRecord | None:
    try:
        return catalog.load(layout.RUNS, place)
    except StoreError:
        return None  # named by the check of records
