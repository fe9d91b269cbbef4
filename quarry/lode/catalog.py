"""Find and read the records of a dataset, by listing names. Changes nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from quarry.errors import StoreError
from quarry.lode import layout
from quarry.lode.faults import store_error
from quarry.lode.layout import CrawlPath, RecordPath
from quarry.lode.records import CommitRecord, decode_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from quarry.lode.disk import Disk


class Catalog:
    """The trees ``runs``, ``attempts`` and ``crawls`` of a dataset.

    Args:
        disk: Where.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def crawl_folders(self, tree: str, *, crawl: str | None = None) -> list[CrawlPath]:
        """List the crawls of a tree, by day and id; with ``crawl`` only that one's days."""
        found = []
        for day_name in self._names(tree):
            names = (
                self._names(f"{tree}/{day_name}")
                if crawl is None
                else [layout.build_crawl_folder(tree, CrawlPath("", crawl)).rpartition("/")[2]]
            )
            for name in names:
                parsed = layout.parse_crawl_folder(f"{tree}/{day_name}/{name}")
                if parsed is not None and (crawl is None or self.exists(f"{tree}/{day_name}/{name}")):
                    found.append(parsed[1])
        return sorted(found)

    def names(self, tree: str, crawl: CrawlPath) -> list[str]:
        """List the keys (RUNS) or run ids (ATTEMPTS) of a crawl's records, sorted."""
        folder = layout.build_crawl_folder(tree, crawl)
        parse = layout.parse_record if tree == layout.RUNS else layout.parse_attempt
        parsed = [parse(f"{folder}/{name}") for name in self._names(folder)]
        return sorted(record.name for record in parsed if record is not None)

    def records(self, tree: str, crawl: CrawlPath) -> Iterator[CommitRecord]:
        """Read a crawl's records, by name.

        Raises:
            StoreError: One of them can't be read.
        """
        for name in self.names(tree, crawl):
            record = self.load(tree, RecordPath(*crawl, name))
            if record is not None:
                yield record

    def effective_attempts(self, crawl: CrawlPath) -> Iterator[CommitRecord]:
        """Read a crawl's attempts, without those whose run id a final record has.

        Raises:
            StoreError: One of them can't be read.
        """
        for attempt in self.records(layout.ATTEMPTS, crawl):
            final = self.load(layout.RUNS, RecordPath(*crawl, attempt.key))
            if final is None or final.run_id != attempt.run_id:
                yield attempt

    def load(self, tree: str, place: RecordPath) -> CommitRecord | None:
        """Read one record; None where there is none.

        Raises:
            StoreError: It is there and can't be read or decoded.
        """
        path = layout.build_record(place) if tree == layout.RUNS else layout.build_attempt(place)
        data = self._disk.read(path)
        if data is None:
            return None
        try:
            return decode_record(data)
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"{self._disk.path(path)} is not a commit record ({error}); it was damaged or edited:"
                " restore it from a copy",
                context={"path": path},
            ) from error

    def summary(self, crawl: CrawlPath) -> dict[str, Any] | None:
        """Read a crawl's summary; None where it isn't closed.

        Raises:
            StoreError: It is there and can't be read or decoded.
        """
        path = layout.build_summary(crawl)
        data = self._disk.read(path)
        if data is None:
            return None
        try:
            return msgspec.json.decode(data, type=dict[str, object])
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"{self._disk.path(path)} is not a summary ({error}); it was damaged or edited:"
                " restore it from a copy",
                context={"path": path},
            ) from error

    def exists(self, rel: str) -> bool:
        """Say whether something lies at a path."""
        return os.path.lexists(self._disk.path(rel))

    def _names(self, rel: str) -> list[str]:
        path = self._disk.path(rel)
        try:
            return os.listdir(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise store_error(error, action="list", path=path) from error
