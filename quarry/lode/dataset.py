"""A dataset as its writers see it: deliveries' writers, records that are created once, summaries."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from quarry.errors import StoreConflictError, StoreError
from quarry.lode import layout
from quarry.lode.catalog import Catalog
from quarry.lode.disk import Disk, remove_file
from quarry.lode.layout import CrawlPath, RecordPath, RunFolder
from quarry.lode.records import CommitRecord, encode_record
from quarry.lode.removal import remove_delivery, remove_live
from quarry.lode.retry import Retrier
from quarry.lode.writer import RunWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from quarry.types import RunIdentity

T = TypeVar("T")

_PROBE_BYTES = 256 * 1024


class Dataset:
    """One dataset on a file system. Every call blocks; safe to use from several threads and processes.

    Made by ``create`` for writing and by ``at`` for reading.

    Args:
        disk: Where.
        retrier: How often a failed call is tried again.
        writable: Whether writing calls are allowed.
    """

    def __init__(self, disk: Disk, retrier: Retrier, *, writable: bool) -> None:
        self._disk = disk
        self._retrier = retrier
        self._writable = writable
        self._catalog = Catalog(disk)

    @classmethod
    def create(cls, root: Path | str, dataset: str = "quarry", *, retrier: Retrier | None = None) -> Self:
        """Open a dataset for writing; its folders are made where they are missing.

        Args:
            root: The storage path.
            dataset: Id of the dataset.
            retrier: How often a failed call is tried again; the default is five times, 60 s at most.

        Raises:
            ConfigError: The id makes no file name.
            StoreError: The folders can't be made or written to; nothing else was tried.
        """
        retrier = retrier or Retrier()
        disk = Disk(place_of(root, dataset), retrier)
        disk.prepare_root()
        for tree in (layout.PARTITIONS, layout.LIVE, layout.RUNS):
            disk.keep_folder(tree)
        return cls(disk, retrier, writable=True)

    @classmethod
    def at(cls, root: Path | str, dataset: str = "quarry", *, retrier: Retrier | None = None) -> Self:
        """Open a dataset for reading: nothing is made, and it need not be there."""
        retrier = retrier or Retrier()
        return cls(Disk(place_of(root, dataset), retrier), retrier, writable=False)

    @property
    def root(self) -> Path:
        """Absolute path of the dataset."""
        return self._disk.root

    def probe(self) -> None:
        """Write, sync and remove a small file, as a commit would.

        Raises:
            StoreError: The storage can't keep anything now.
        """
        self._check_writable("write a probe")
        name = f".probe-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            self._disk.write_whole(name, bytes(_PROBE_BYTES), temp=f"{name}{layout.TEMP_SUFFIX}")
        finally:
            for left in (name, f"{name}{layout.TEMP_SUFFIX}"):
                remove_file(str(self._disk.path(left)))

    def crawl_exists(self, crawl: str) -> bool:
        """Say whether any record, attempt or summary lies under a crawl's id, on any day."""
        if any(self._catalog.names(layout.RUNS, place) for place in self._places(layout.RUNS, crawl)):
            return True
        if any(self._catalog.names(layout.ATTEMPTS, place) for place in self._places(layout.ATTEMPTS, crawl)):
            return True
        return any(
            self._catalog.exists(layout.build_summary(place)) for place in self._places(layout.CRAWLS, crawl)
        )

    def writer(
        self, *, crawl: str, day: str, source: str, category: str, identity: RunIdentity, token: str
    ) -> RunWriter:
        """Make the writer of one delivery; nothing is on disk before it is first used.

        Args:
            crawl: Id of the crawl.
            day: UTC day on which the crawl began.
            source: Partition value.
            category: Partition value.
            identity: The run.
            token: TOKEN of the delivery; new for each.

        Raises:
            ConfigError: A name is too long to be stored.
            StoreError: The dataset is open for reading only.
        """
        self._check_writable("write a run")
        folder = RunFolder(source, category, day, identity.run_id)
        return RunWriter(
            self._disk, folder, crawl=crawl, identity=identity, token=token, retrier=self._retrier
        )

    def put_record(self, record: CommitRecord) -> CommitRecord:
        """Put the final record of a job, unless one stands.

        Args:
            record: Every file that it names is durable already.

        Returns:
            The record that stands, durable: this one, or the one that was there before. Compare ``token``.

        Raises:
            StoreError: Nothing was put, or its fate is unknown (``context["fate"] == "unknown"``): put again
                before concluding anything.
        """
        return self._put(layout.RUNS, RecordPath(record.day, record.crawl, record.key), record)

    def put_attempt(self, record: CommitRecord) -> CommitRecord:
        """Put the record of an attempt that another may follow, unless one stands; as ``put_record``."""
        return self._put(layout.ATTEMPTS, RecordPath(record.day, record.crawl, record.run_id), record)

    def get_record(self, day: str, crawl: str, key: str) -> CommitRecord | None:
        """Read a job's final record; None where there is none.

        Of a dataset open for writing it is made durable before it is returned: the caller may settle by it.

        Raises:
            StoreError: It can't be read.
        """
        return self._get(layout.RUNS, RecordPath(day, crawl, key))

    def get_attempt(self, day: str, crawl: str, run_id: str) -> CommitRecord | None:
        """Read an attempt's record; as ``get_record``."""
        return self._get(layout.ATTEMPTS, RecordPath(day, crawl, run_id))

    def record_keys(self, day: str, crawl: str) -> list[str]:
        """List the keys of a crawl's final records, sorted, by their names alone."""
        return self._catalog.names(layout.RUNS, self._settleable(layout.RUNS, day, crawl))

    def records(self, day: str, crawl: str) -> Iterator[CommitRecord]:
        """Read a crawl's final records, by key.

        Raises:
            StoreError: One can't be read.
        """
        yield from self._catalog.records(layout.RUNS, self._settleable(layout.RUNS, day, crawl))

    def attempts(self, day: str, crawl: str) -> Iterator[CommitRecord]:
        """Read a crawl's attempts, by run id, without those whose run id a final record has.

        Raises:
            StoreError: One can't be read.
        """
        yield from self._catalog.effective_attempts(self._settleable(layout.ATTEMPTS, day, crawl))

    def enqueue_payloads(self, record: CommitRecord) -> list[dict[str, Any]]:
        """Read the payloads of a run's enqueue events from its files, in ``seq`` order.

        Raises:
            StoreError: A file that the record names can't be read.
        """
        from quarry.lode.tables import read_payloads

        return [
            payload
            for entry in record.files
            if entry.event_type == "enqueue"
            for payload in read_payloads(self._disk.path(entry.path))
        ]

    def put_summary(self, day: str, crawl: str, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Put a crawl's summary, unless one stands.

        Returns:
            The summary that stands, durable.

        Raises:
            StoreError: As ``put_record``.
        """
        self._check_writable("put a summary")
        place = CrawlPath(day, crawl)
        self._create(layout.build_summary(place), msgspec.json.encode(summary) + b"\n", token="summary")  # noqa: S106
        standing = self._catalog.summary(place)
        if standing is None:
            raise StoreError(f"the summary of crawl {crawl} was put and is gone; was the dataset removed?")
        return standing

    def get_summary(self, day: str, crawl: str) -> dict[str, Any] | None:
        """Read a crawl's summary; None where it isn't closed."""
        return self._catalog.summary(CrawlPath(day, crawl))

    def put_marker(self, day: str, crawl: str) -> None:
        """Mark the storage as the one of a crawl over many machines; again is no error.

        Raises:
            StoreError: As ``put_record``.
        """
        self._check_writable("mark a crawl's storage")
        text = msgspec.json.encode({"crawl": crawl, "day": day}) + b"\n"
        self._create(layout.build_marker(CrawlPath(day, crawl)), text, token="begun")  # noqa: S106

    def has_marker(self, day: str, crawl: str) -> bool:
        """Say whether this is the storage in which a crawl was begun, and not another machine's folder."""
        return self._catalog.exists(layout.build_marker(CrawlPath(day, crawl)))

    def put_index(self, day: str, crawl: str) -> None:
        """Write ``index.parquet``: all records of a crawl in one file, replacing an older one.

        Raises:
            StoreError: It could not be written; an older one still stands.
        """
        from quarry.lode.index import write_index

        self._check_writable("write an index")
        place = CrawlPath(day, crawl)
        self._disk.keep_folder(layout.build_crawl_folder(layout.CRAWLS, place))
        write_index(self._disk, self._catalog, place)

    def drop_live(self, record: CommitRecord) -> None:
        """Remove the live folder of a delivery whose record stands; its writer died before it could."""
        self._check_writable("remove files")
        remove_live(self._disk, record.run_id, record.token)

    def drop_files(self, record: CommitRecord) -> None:
        """Remove all that a record's delivery wrote: the record itself was not put, another one stands.

        Raises:
            StoreConflictError: The record stands; its files are data.
        """
        self._check_writable("remove files")
        for standing in (
            self._get(layout.RUNS, RecordPath(record.day, record.crawl, record.key)),
            self._get(layout.ATTEMPTS, RecordPath(record.day, record.crawl, record.run_id)),
        ):
            if standing is not None and standing.token == record.token:
                raise StoreConflictError(
                    f"run {record.run_id}: the record of delivery {record.token} stands; its files are kept"
                )
        folder = RunFolder(record.source, record.category, record.day, record.run_id)
        remove_delivery(self._disk, folder, record.token)

    def _put(self, tree: str, place: RecordPath, record: CommitRecord) -> CommitRecord:
        self._check_writable("put a record")
        path = layout.build_record(place) if tree == layout.RUNS else layout.build_attempt(place)
        if self._create(path, encode_record(record), token=record.token):
            return record
        standing = self._catalog.load(tree, place)
        if standing is None:
            raise StoreError(f"{self._disk.path(path)} was there and is gone; was the dataset removed?")
        return standing

    def _create(self, path: str, data: bytes, *, token: str) -> bool:
        folder = path.rpartition("/")[0]
        temp = f"{folder}/.{token}-{os.urandom(4).hex()}{layout.TEMP_SUFFIX}"
        self._disk.keep_folder(folder)
        try:
            return self._disk.create_only(path, data, temp=temp)
        except StoreError as fault:
            if fault.kind != "not_found":
                raise
            self._disk.forget_folders()
            self._disk.keep_folder(folder)
            return self._disk.create_only(path, data, temp=temp)

    def _get(self, tree: str, place: RecordPath) -> CommitRecord | None:
        record = self._catalog.load(tree, place)
        if record is not None:
            self._settleable(tree, place.day, place.crawl)
        return record

    def _settleable(self, tree: str, day: str, crawl: str) -> CrawlPath:
        """Make what a crawl's folder holds durable, once: its writers may have died before they synced it."""
        place = CrawlPath(day, crawl)
        folder = layout.build_crawl_folder(tree, place)
        if self._writable and self._catalog.exists(folder):
            self._disk.keep_folder(folder)
            self._disk.sync_folder(folder)
        return place

    def _places(self, tree: str, crawl: str) -> list[CrawlPath]:
        return self._catalog.crawl_folders(tree, crawl=crawl)

    def _check_writable(self, action: str) -> None:
        if not self._writable:
            raise StoreError(
                f"can't {action} in {self._disk.root}: it is open for reading only", kind="denied"
            )


def place_of(root: Path | str, dataset: str) -> Path:
    """Give the absolute path of a dataset below a storage path."""
    return Path(os.path.abspath(root)) / layout.build_dataset(dataset)
