"""Find the files that no commit record names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from quarry.lode import layout
from quarry.lode.encoding import decode_name, decode_value
from quarry.lode.filenames import META_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.lode.catalog import Catalog
    from quarry.lode.disk import Disk
    from quarry.lode.records import CommitRecord


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """A file that no commit record names.

    Attributes:
        path: Relative to the dataset's root.
        bytes: Its size.
        run_id: Run that it belongs to, where its path says.
        live: True where that run has no record yet: a delivery may still be running, and the file may
            become data. False where a record stands and names others: it never will.
    """

    path: str
    bytes: int
    run_id: str | None = None
    live: bool = False


def find_orphans(disk: Disk, catalog: Catalog) -> list[Orphan]:
    """List them, by path. Files that vanish meanwhile are left out.

    The files are listed before the records are read: what is committed in between is named by a record then.

    Raises:
        StoreError: A record can't be read.
    """
    found = [item for tree in (layout.PARTITIONS, layout.SEGMENTS, layout.LIVE) for item in _walk(disk, tree)]
    temporary = [
        item
        for tree in (layout.RUNS, layout.ATTEMPTS, layout.CRAWLS)
        for item in _walk(disk, tree)
        if item[0].endswith(layout.TEMP_SUFFIX)
    ]
    named: set[str] = set()
    decided: set[str] = set()
    for record in _all_records(catalog):
        decided.add(record.run_id)
        named.update(entry.path for entry in record.files)
        for sidecar in record.sidecars:
            named.update((sidecar.path, sidecar.path + META_SUFFIX))
    orphans = [Orphan(path=path, bytes=size) for path, size in temporary]
    for path, size in found:
        if path not in named:
            run_id = _run_of(path)
            live = run_id is not None and run_id not in decided
            orphans.append(Orphan(path=path, bytes=size, run_id=run_id, live=live))
    orphans = [orphan for orphan in orphans if catalog.exists(orphan.path)]
    return sorted(orphans, key=lambda orphan: orphan.path)


def _all_records(catalog: Catalog) -> Iterator[CommitRecord]:
    for place in catalog.crawl_folders(layout.RUNS):
        yield from catalog.records(layout.RUNS, place)
    for place in catalog.crawl_folders(layout.ATTEMPTS):
        yield from catalog.effective_attempts(place)


def _walk(disk: Disk, tree: str) -> Iterator[tuple[str, int]]:
    root = disk.path("")
    for folder, _, names in os.walk(disk.path(tree)):
        for name in names:
            path = f"{folder}/{name}"
            try:
                yield path[len(root) + 1 :], os.lstat(path).st_size
            except OSError:
                continue


def _run_of(path: str) -> str | None:
    parts = path.split("/")
    if parts[0] == layout.LIVE and len(parts) > 1:
        return decode_name(parts[1])
    for part in parts:
        if part.startswith("run_id="):
            return decode_value(part.removeprefix("run_id="))
    return None
