"""The records of a walk: a real dataset, and beside it dictionaries that say what each of its answers must be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

import quarry.lode
from quarry.lode import CrawlInfo, Dataset, layout
from quarry.types import OutcomeStatus
from tests.scheduler.actors import CRAWL

if TYPE_CHECKING:
    from pathlib import Path

    from quarry.lode import CommitRecord, Reader
    from quarry.scheduler import Bounds
    from quarry.types import Counts

AFTER_A_ROLLBACK = {"summary_counts", "summary_enqueues", "over_max_runs", "lineage"}
"""What ``verify`` may name where Redis fell back; records, files and rows are never among it."""


class Shelf:
    """What the store must hold, and the store; every answer of the one is compared with the other.

    Args:
        root: Storage path, empty.
        store: Dataset class under test.

    Attributes:
        finals: Final records that stand, by key.
        tries: Attempts' records that stand, by run id.
        said: Names of the enqueue events in the files of a TOKEN, in order.
        live: TOKENs that have a live segment.
        sealed: TOKENs that have files in the partitions.
        late: Whether a final record was put after the close.
    """

    day = "2026-01-31"

    def __init__(self, root: Path, store: type[Dataset]) -> None:
        self.root = root
        # Two, as if of two processes: one remembers nothing of what the other has made or synced.
        self._datasets = [store.create(root), store.create(root)]
        self.finals: dict[str, CommitRecord] = {}
        self.tries: dict[str, CommitRecord] = {}
        self.said: dict[str, list[str]] = {}
        self.live: set[str] = set()
        self.sealed: set[str] = set()
        self.summary: dict[str, object] | None = None
        self.late = False

    def of(self, token: str) -> Dataset:
        """The dataset as the process sees it to which a delivery or reaper belongs."""
        return self._datasets[int(token[1:]) % 2]

    # -- what workers, reapers and closers ask of it

    def put_record(self, record: CommitRecord) -> CommitRecord:
        """Put a final record; the one that stands."""
        self.late |= self.summary is not None and record.key not in self.finals
        expected = self.finals.setdefault(record.key, record)
        answer = self.of(record.token).put_record(record)
        assert answer == expected
        return answer

    def put_attempt(self, record: CommitRecord) -> CommitRecord:
        """Put an attempt's record; the one that stands."""
        expected = self.tries.setdefault(record.run_id, record)
        answer = self.of(record.token).put_attempt(record)
        assert answer == expected
        return answer

    def get_record(self, key: str, token: str = "T0") -> CommitRecord | None:
        """A job's final record, if it stands."""
        answer = self.of(token).get_record(self.day, CRAWL, key)
        assert answer == self.finals.get(key)
        return answer

    def get_attempt(self, run_id: str, token: str) -> CommitRecord | None:
        """An attempt's record, if it stands."""
        answer = self.of(token).get_attempt(self.day, CRAWL, run_id)
        assert answer == self.tries.get(run_id)
        return answer

    def enqueued(self, record: CommitRecord, token: str = "T0") -> list[str]:
        """Names in the enqueue events of a record's run, read from its data."""
        payloads = self.of(token).enqueue_payloads(record)
        names = [payload["params"]["name"] for payload in payloads]
        assert names == self.said.get(record.token, [])
        return names

    def keys(self) -> list[str]:
        """Keys of all final records; the records and attempts behind them are compared too."""
        dataset = self._datasets[0]
        keys = dataset.record_keys(self.day, CRAWL)
        assert keys == sorted(self.finals)
        assert list(dataset.records(self.day, CRAWL)) == [self.finals[key] for key in keys]
        tries = [self.tries[run_id] for run_id in sorted(self.effective())]
        assert list(dataset.attempts(self.day, CRAWL)) == tries
        assert dataset.crawl_exists(CRAWL) == bool(self.finals or self.tries or self.summary)
        return keys

    def conclude(self, counts: Counts, bounds: Bounds) -> None:
        """Put the summary of a closed crawl, twice: its closer may have died."""
        rows: dict[str, int] = {}
        for record in self.finals.values():
            for kind, number in record.rows.items():
                rows[kind] = rows.get(kind, 0) + number
        self.summary = {
            "fanout": msgspec.structs.asdict(counts),
            "bounds": {"max_runs": bounds.max_runs},
            "event_count": sum(record.event_count for record in self.finals.values()),
            "rows": rows,
        }
        for dataset in self._datasets:
            assert dataset.put_summary(self.day, CRAWL, self.summary) == self.summary

    # -- what the dictionaries say

    def effective(self) -> set[str]:
        """Run ids of attempts that no final record shadows."""
        return self.tries.keys() - {record.run_id for record in self.finals.values()}

    def succeeded(self, key: str) -> bool:
        """Whether the job's record says so."""
        return self.finals[key].outcome.status is OutcomeStatus.SUCCESS

    def enqueue_events(self) -> int:
        """Enqueue events of all final records and of the attempts below them."""
        said = sum(record.enqueue_events for record in self.finals.values())
        for record in self.tries.values():
            if record.attempt < self.finals[record.key].attempt:
                said += record.enqueue_events
        return said

    # -- what a reader sees

    def reader(self) -> Reader:
        """Whoever looks at the dataset from outside."""
        return quarry.lode.open(self.root)

    def check(self, *, rolled_back: bool) -> None:
        """One record a job, its rows once, nothing of a loser, and all of it adds up."""
        reader = self.reader()
        keys = self.keys()
        runs = reader.runs(crawl=CRAWL)
        assert len(runs) == len(keys)
        assert {record.key: record for record in runs} == self.finals
        assert {record.run_id for record in reader.attempts(crawl=CRAWL)} == self.effective()
        assert reader.summary(CRAWL) == self.summary
        info = CrawlInfo(crawl=CRAWL, day=self.day, records=len(keys), attempts=len(self.tries), closed=True)
        assert reader.crawls() == [info]
        self._check_rows(reader)
        self._check_files(reader)
        problems = reader.verify()
        allowed = set(AFTER_A_ROLLBACK) if rolled_back else set()
        if not self.late:
            allowed.discard("summary_counts")
        assert [problem for problem in problems if problem.kind not in allowed] == []

    def _check_rows(self, reader: Reader) -> None:
        ran = [record for _, record in sorted(self.finals.items()) if record.files]
        items = reader.scan("item", crawl=CRAWL, columns=["run_id", "data"]).to_pylist()
        shown = [(row["run_id"], json.loads(row["data"])["token"]) for row in items]
        assert shown == [(record.run_id, record.token) for record in ran]
        events = reader.scan("enqueue", crawl=CRAWL, columns=["run_id", "payload"]).to_pylist()
        shown = [(row["run_id"], json.loads(row["payload"])["params"]["name"]) for row in events]
        assert shown == [(record.run_id, name) for record in ran for name in self.said[record.token]]
        assert len(reader.scan("metrics", crawl=CRAWL, columns=["run_id"])) == len(ran)

    def _check_files(self, reader: Reader) -> None:
        """Orphans are what killed workers left, and the files of attempts that a final record shadows."""
        named = {record.token for record in self.finals.values()}
        named |= {self.tries[run_id].token for run_id in self.effective()}
        expected = {("live", token) for token in self.live}
        expected |= {("partitions", token) for token in self.sealed - named}
        assert {_owner(orphan.path) for orphan in reader.orphans()} == expected


def _owner(path: str) -> tuple[str, str]:
    """The tree in which an orphan lies and the TOKEN whose it is."""
    tree, *rest = path.split("/")
    if tree == layout.LIVE:
        return tree, rest[1]
    if "files" in rest:
        return tree, rest[rest.index("files") + 1]
    part = layout.parse_part(path)
    assert part is not None, f"a file that nobody should have left: {path}"
    return tree, part.token
