"""Read a dataset: runs, rows, artifacts, files. Changes nothing; works on a dataset in use.

Only files that a commit record names are read, by their exact names: what a lost delivery or a running one
left in the partitions is never seen. Nothing is globbed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from quarry.errors import StoreError
from quarry.lode import layout
from quarry.lode.catalog import Catalog
from quarry.lode.filters import CrawlInfo, wanted_states
from quarry.lode.lookup import find_record
from quarry.lode.segment import read_header, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    import pyarrow as pa

    from quarry.lode.disk import Disk
    from quarry.lode.layout import CrawlPath
    from quarry.lode.orphans import Orphan
    from quarry.lode.problems import Problem
    from quarry.lode.records import CommitRecord
    from quarry.lode.segment import SegmentHeader


class Reader:
    """A dataset to read from, made by ``quarry.lode.open``.

    Every call blocks and sees the state of its moment.

    Args:
        disk: Where.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._catalog = Catalog(disk)

    @property
    def root(self) -> Path:
        """Absolute path of the dataset."""
        return self._disk.root

    def crawls(self) -> list[CrawlInfo]:
        """List the crawls, by day and id."""
        places = {
            place
            for tree in (layout.RUNS, layout.ATTEMPTS, layout.CRAWLS)
            for place in self._catalog.crawl_folders(tree)
        }
        return [
            CrawlInfo(
                crawl=place.crawl,
                day=place.day,
                records=len(self._catalog.names(layout.RUNS, place)),
                attempts=len(self._catalog.names(layout.ATTEMPTS, place)),
                closed=self._catalog.exists(layout.build_summary(place)),
            )
            for place in sorted(places)
        ]

    def runs(
        self,
        day: str | None = None,
        source: str | None = None,
        state: str | None = None,
        crawl: str | None = None,
    ) -> list[CommitRecord]:
        """Give the final records, by start and run id.

        Args:
            day: Only crawls that began on this UTC day.
            source: Only this partition value.
            state: ``success``, ``failed`` (all but success), or one of the five outcomes.
            crawl: Only this crawl.

        Raises:
            ConfigError: There is no such state.
            StoreError: A record can't be read.
        """
        wanted = wanted_states(state)
        found = [
            record
            for record in self._finals(day=day, crawl=crawl)
            if (source is None or record.source == source) and record.outcome.status in wanted
        ]
        return sorted(found, key=lambda record: (record.started_at, record.run_id))

    def attempts(
        self, day: str | None = None, source: str | None = None, crawl: str | None = None
    ) -> list[CommitRecord]:
        """Give the records of failed attempts that another attempt followed, by start and run id.

        One whose run id a final record has is left out: that record decides.

        Raises:
            StoreError: A record can't be read.
        """
        found = [
            record
            for place in self._places(layout.ATTEMPTS, day=day, crawl=crawl)
            for record in self._catalog.effective_attempts(place)
            if source is None or record.source == source
        ]
        return sorted(found, key=lambda record: (record.started_at, record.run_id))

    def run(self, run_id: str, crawl: str | None = None) -> CommitRecord:
        """Give the record of a run: final, else of an attempt.

        Raises:
            StoreError: kind ``not_found``: it has none.
        """
        record = find_record(self._disk, self._catalog, run_id, crawl=crawl)
        if record is None:
            raise StoreError(
                f"run {run_id} has no commit record in {self.root}: it is running, was lost, or never was;"
                f" read({run_id!r}, live=True) shows what a running one has made durable",
                kind="not_found",
            )
        return record

    def read(
        self,
        run_id: str,
        live: bool = False,  # noqa: FBT001, FBT002 - reads best as read(run_id, live=True)
        crawl: str | None = None,
    ) -> pa.Table:
        """Read the rows of a run: its events in ``seq`` order, then its metrics.

        Args:
            run_id: The run, whatever its outcome.
            live: Where the run has no record, read what its newest delivery has made durable so far.
            crawl: Look in this crawl only.

        Returns:
            The columns of EVENT_SCHEMA, then source, category, day and crawl. The bytes of artifacts are not
            among the rows (see ``artifact``), and a run that is not sealed has no metrics yet.

        Raises:
            StoreError: kind ``not_found``: it has no record (nor live rows, where they were asked for).
        """
        from quarry.lode import tables

        record = find_record(self._disk, self._catalog, run_id, crawl=crawl)
        if record is None and live:
            header = self._newest_segment(run_id)
            if header is not None:
                path = self._segment_path(run_id, header.token)
                rows = tables.table_of_rows(read_rows(path), header)
                if os.path.exists(path):
                    return rows
            # Gone meanwhile: its run was committed between the two looks.
        record = record or self.run(run_id, crawl)
        table: pa.Table = tables.table_of(self._disk, [record], None, None)
        return table.sort_by("seq")

    def scan(  # noqa: PLR0917 - each is named by whoever uses it
        self,
        event_type: str = "item",
        source: str | None = None,
        category: str | None = None,
        day: str | None = None,
        crawl: str | None = None,
        columns: Sequence[str] | None = None,
        state: str | None = None,
    ) -> pa.Table:
        """Read the rows of an event type over all jobs' final records.

        Args:
            event_type: ``item``, ``enqueue``, …, ``metrics``, or ``artifact_chunk`` (then with its columns).
            source: Only this partition value.
            category: Only this partition value.
            day: Only crawls that began on this UTC day.
            crawl: Only this crawl.
            columns: Columns to read; all where None.
            state: As for ``runs``; None reads failed runs too: they keep what they emitted.

        Returns:
            Rows of runs by day, crawl and key, each run's rows in ``seq`` order; the columns of the schema,
            then source, category, day and crawl.

        Raises:
            ConfigError: There is no such column or state.
            StoreError: A record or a file that it names can't be read.
        """
        from quarry.lode.tables import table_of

        wanted = wanted_states(state)
        records = (
            record
            for record in self._finals(day=day, crawl=crawl)
            if (source is None or record.source == source)
            and (category is None or record.category == category)
            and record.outcome.status in wanted
        )
        return table_of(self._disk, records, {event_type}, columns)

    def summary(self, crawl: str) -> dict[str, Any] | None:
        """Give a crawl's summary; None where it isn't closed.

        Raises:
            StoreError: It can't be read.
        """
        for place in self._catalog.crawl_folders(layout.CRAWLS, crawl=crawl):
            summary = self._catalog.summary(place)
            if summary is not None:
                return summary
        return None

    def artifact(self, run_id: str, artifact_id: str) -> bytes:
        """Give the bytes of an artifact of a committed run, all in memory (up to 1 GiB).

        Raises:
            StoreError: kind ``not_found``: no record of that run, or no artifact of that id in it.
        """
        from quarry.lode.tables import read_chunks_of

        record = self.run(run_id)
        chunks = [
            chunk
            for entry in record.files
            if entry.event_type == "artifact_chunk"
            for chunk in read_chunks_of(self._disk.path(entry.path), artifact_id)
        ]
        if not chunks:
            raise StoreError(f"run {run_id} has no artifact {artifact_id!r}", kind="not_found")
        return b"".join(chunks)

    def file(self, run_id: str, filename: str) -> bytes:
        """Give the bytes of a ``storage.put`` file of a committed run.

        Raises:
            StoreError: kind ``not_found``: no record of that run, or no file of that name in it.
        """
        for entry in self.run(run_id).sidecars:
            if entry.filename == filename:
                data = self._disk.read(entry.path)
                if data is None:
                    raise StoreError(f"{entry.path} is named by a record and missing", kind="not_found")
                return data
        raise StoreError(f"run {run_id} has put no file {filename!r}", kind="not_found")

    def verify(self) -> list[Problem]:
        """Check records, files and counts against each other; reads every byte that a record names.

        Returns:
            What is wrong, by path; empty where all is well.
        """
        from quarry.lode.verify import verify

        return verify(self._disk, self._catalog)

    def orphans(self) -> list[Orphan]:
        """List the files that no commit record names, by path, running deliveries' among them."""
        from quarry.lode.orphans import find_orphans

        return find_orphans(self._disk, self._catalog)

    def _finals(self, *, day: str | None, crawl: str | None) -> Iterator[CommitRecord]:
        for place in self._places(layout.RUNS, day=day, crawl=crawl):
            yield from self._catalog.records(layout.RUNS, place)

    def _places(self, tree: str, *, day: str | None, crawl: str | None) -> list[CrawlPath]:
        return [
            place
            for place in self._catalog.crawl_folders(tree, crawl=crawl)
            if day is None or place.day == day
        ]

    def _newest_segment(self, run_id: str) -> SegmentHeader | None:
        """Find the segment that was opened last: an older one is a delivery that lost its lease."""
        folder = self._disk.path(layout.build_live(layout.LivePath(run_id, "x"))).rpartition("/")[0]
        try:
            names = os.listdir(folder)
        except OSError:
            return None
        headers = [read_header(f"{folder}/{name}/{layout.EVENTS_NAME}") for name in names]
        known = [header for header in headers if header is not None]
        return max(known, key=lambda header: (header.opened_ms, header.token), default=None)

    def _segment_path(self, run_id: str, token: str) -> str:
        live = layout.build_live(layout.LivePath(run_id, token))
        return self._disk.path(f"{live}/{layout.EVENTS_NAME}")
