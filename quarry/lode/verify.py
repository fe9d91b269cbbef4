"""Check a dataset against itself: records, the files that they name, and the counts of closed crawls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.errors import StoreError
from quarry.lode import layout
from quarry.lode.closing import check_closed
from quarry.lode.contents import check_files
from quarry.lode.duplicates import find_duplicates
from quarry.lode.layout import CrawlPath, RecordPath
from quarry.lode.problems import Problem
from quarry.types import OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.lode.catalog import Catalog
    from quarry.lode.disk import Disk
    from quarry.lode.records import CommitRecord

__all__ = ["Problem", "verify"]


def verify(disk: Disk, catalog: Catalog) -> list[Problem]:
    """Find what is wrong with a dataset; reads every byte that a record names.

    Memory grows with the number of runs of one crawl, not with their rows. A crawl that is not closed is
    checked as far as its records go.

    Returns:
        Problems by path.
    """
    problems: list[Problem] = []
    events = 0
    for place in catalog.crawl_folders(layout.RUNS):
        seen: dict[str, str] = {}
        for name, record in _load(catalog, layout.RUNS, place, problems):
            where = layout.build_record(RecordPath(*place, name))
            events += record.event_count
            problems += _check_record(record, where, name=record.key == name, place=place)
            problems += check_files(disk, record, where)
            if record.run_id in seen:
                problems.append(
                    Problem(
                        "run_twice", where, f"run {record.run_id} is also the run of {seen[record.run_id]}"
                    )
                )
            seen[record.run_id] = where
    for place in catalog.crawl_folders(layout.ATTEMPTS):
        for name, record in _load(catalog, layout.ATTEMPTS, place, problems):
            where = layout.build_attempt(RecordPath(*place, name))
            problems += _check_record(record, where, name=record.run_id == name, place=place)
            if _is_effective(catalog, place, record):
                problems += check_files(disk, record, where)
    for place in catalog.crawl_folders(layout.CRAWLS):
        problems += check_closed(catalog, place)
    problems += find_duplicates(disk, catalog, events)
    return sorted(problems, key=lambda problem: (problem.path, problem.kind, problem.text))


def _load(
    catalog: Catalog, tree: str, place: CrawlPath, problems: list[Problem]
) -> Iterator[tuple[str, CommitRecord]]:
    for name in catalog.names(tree, place):
        try:
            record = catalog.load(tree, RecordPath(*place, name))
        except StoreError as error:
            path = str(error.context.get("path", layout.build_crawl_folder(tree, place)))
            problems.append(Problem("record_unreadable", path, error.message))
            continue
        if record is not None:
            yield name, record


def _is_effective(catalog: Catalog, place: CrawlPath, attempt: CommitRecord) -> bool:
    try:
        final = catalog.load(layout.RUNS, RecordPath(*place, attempt.key))
    except StoreError:
        return True
    return final is None or final.run_id != attempt.run_id


def _check_record(record: CommitRecord, where: str, *, name: bool, place: CrawlPath) -> list[Problem]:
    found = []
    if not name or (record.day, record.crawl) != place:
        text = f"the record is of job {record.key}, run {record.run_id}, crawl {record.crawl} of {record.day}"
        found.append(Problem("record_place", where, text))
    rows: dict[str, int] = {}
    for entry in record.files:
        rows[entry.event_type] = rows.get(entry.event_type, 0) + entry.rows
    if rows != record.rows:
        found.append(Problem("record_rows", where, f"rows {record.rows}, but its files hold {rows}"))
    if record.counters is not None:
        found += [Problem("record_counters", where, text) for text in record.counters.imbalances()]
        persisted = sum(record.counters.persisted.values())
        # Where sealing failed the rows are lost, and the outcome says so.
        lost = record.outcome.status is OutcomeStatus.POLICY_FAILURE and not record.files
        if persisted != record.event_count and not lost:
            text = f"the policy persisted {persisted} events and event_count is {record.event_count}"
            found.append(Problem("record_counters", where, text))
    return found
