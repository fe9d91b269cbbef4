"""Find the record of a run by its id.

Final records lie under the key of their job, which an id doesn't tell. Tried in turn: the crawl of that
name (the usual case of a single run), each closed crawl's index, and only then the records of the crawls
without one, whose text is searched before it is decoded.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quarry.lode import layout
from quarry.lode.layout import CrawlPath, RecordPath

if TYPE_CHECKING:
    from quarry.lode.catalog import Catalog
    from quarry.lode.disk import Disk
    from quarry.lode.records import CommitRecord


def find_record(
    disk: Disk, catalog: Catalog, run_id: str, *, crawl: str | None = None
) -> CommitRecord | None:
    """Find the final record of a run, else its attempt's; None where it has neither.

    Args:
        disk: Where.
        catalog: Of the same dataset.
        run_id: The run.
        crawl: Look in this crawl only.

    Raises:
        StoreError: A record can't be read.
    """
    places = catalog.crawl_folders(layout.RUNS, crawl=crawl)
    places.sort(key=lambda place: place.crawl != run_id)
    unread = []
    for place in places:
        record = _by_index(disk, catalog, place, run_id)
        if record is not None:
            return record
        unread.append(place)
    # An index names what stood when its crawl closed; a record put later is found by reading.
    for place in unread:
        record = _by_reading(disk, catalog, place, run_id)
        if record is not None:
            return record
    for place in catalog.crawl_folders(layout.ATTEMPTS, crawl=crawl):
        record = catalog.load(layout.ATTEMPTS, RecordPath(*place, run_id))
        if record is not None:
            return record
    return None


def _by_index(disk: Disk, catalog: Catalog, place: CrawlPath, run_id: str) -> CommitRecord | None:
    path = disk.path(layout.build_index(place))
    if not os.path.exists(path):
        return None
    from quarry.lode.tables import read_batches

    for batch in read_batches(path, ["run_id", "key", "final"]):
        names = batch.column(0).to_pylist()
        for number, name in enumerate(names):
            if name == run_id and batch.column(2)[number].as_py():
                record = catalog.load(layout.RUNS, RecordPath(*place, batch.column(1)[number].as_py()))
                if record is not None and record.run_id == run_id:
                    return record
    return None


def _by_reading(disk: Disk, catalog: Catalog, place: CrawlPath, run_id: str) -> CommitRecord | None:
    needle = run_id.encode(errors="surrogatepass")
    for name in catalog.names(layout.RUNS, place):
        where = RecordPath(*place, name)
        data = disk.read(layout.build_record(where))
        if data is None or needle not in data:
            continue
        record = catalog.load(layout.RUNS, where)
        if record is not None and record.run_id == run_id:
            return record
    return None
