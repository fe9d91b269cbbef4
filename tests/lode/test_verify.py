"""verify() finds each kind of damage, and orphans() each kind of leftover."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import quarry.lode
from quarry.lode import Dataset, duplicates
from quarry.policy import PolicyCounters
from quarry.types import Outcome, OutcomeStatus
from tests.lode.samples import (
    CRAWL,
    DAY,
    artifact_event,
    chunk,
    commit,
    event,
    files_below,
    key_of,
    record,
    writer,
)

FAILED = Outcome(status=OutcomeStatus.SCRIPT_ERROR, message="boom", error_type="ValueError")


def reader_of(dataset):
    return quarry.lode.open(dataset.root.parents[1])


def kinds(dataset):
    return {problem.kind for problem in reader_of(dataset).verify()}


@pytest.fixture
def full(dataset):
    """A committed run with everything a run can have, and its record."""
    sink = writer(dataset)
    sink.append_chunk(chunk("a", 1, b"12", last=False))
    sink.append_chunk(chunk("a", 2, b"345", last=True))
    sink.append([event(1), event(2, "enqueue"), artifact_event(3, "a", 5), event(4, "run_complete")])
    sink.put_file("f", "x/y", b"file")
    made = record(sink.seal({"x": 1}))
    dataset.put_record(made)
    sink.drop_live()
    return made


@pytest.mark.clause("LODE-33")
def test_whole_dataset_has_no_problems(dataset, full):
    """The fixture of all damage tests is clean; an empty dataset is too."""
    assert reader_of(dataset).verify() == []
    assert quarry.lode.open(Dataset.create(dataset.root.parent / "e").root.parents[1]).verify() == []


def part(made, event_type):
    (entry,) = [entry for entry in made.files if entry.event_type == event_type]
    return entry


def rewrite(dataset, made, event_type, change):
    """Change a part's table and make its record agree in size and hash, so that only the content is wrong."""
    import hashlib

    entry = part(made, event_type)
    path = dataset.root / entry.path
    table = change(pq.read_table(path, partitioning=None))
    pq.write_table(table, path)
    data = path.read_bytes()
    edit(dataset, made, event_type, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def record_path(dataset, number=1):
    return dataset.root / f"runs/day={DAY}/crawl={CRAWL}/{key_of(number)}.json"


def edit(dataset, made, event_type, **changes):
    value = json.loads(record_path(dataset).read_text())
    for entry in value["files"]:
        if entry["event_type"] == event_type:
            entry.update(changes)
    record_path(dataset).write_text(json.dumps(value))


def set_column(name, values):
    def change(table):
        at = table.schema.names.index(name)
        return table.set_column(
            at, table.schema.field(at), pa.array(values, type=table.schema.field(at).type)
        )

    return change


def patch_record(dataset, **changes):
    value = json.loads(record_path(dataset).read_text())
    record_path(dataset).write_text(json.dumps({**value, **changes}))


DAMAGE = {
    "file_missing": lambda d, r: (d.root / part(r, "item").path).unlink(),
    "file_bytes": lambda d, r: lengthen(d.root / part(r, "item").path),
    "file_sha256": lambda d, r: flip(d.root / part(r, "enqueue").path),
    "file_rows": lambda d, r: rewrite(
        d, r, "item", lambda t: pa.concat_tables([t, set_column("seq", [9])(t)])
    ),
    "file_unreadable": lambda d, r: rewrite_raw(d, r, "item", b"no parquet"),
    "file_place": lambda d, r: edit(d, r, "item", path="partitions/../../x"),
    "row_run": lambda d, r: rewrite(d, r, "item", set_column("run_id", ["else"])),
    "row_order": lambda d, r: rewrite(d, r, "artifact_chunk", set_column("chunk_seq", [2, 1])),
    "artifact_bytes": lambda d, r: rewrite(d, r, "artifact_chunk", set_column("chunk", [b"1", b"345"])),
    "sidecar_meta": lambda d, r: (d.root / (r.sidecars[0].path + ".meta.json")).write_text(
        json.dumps({"path": "x", "filename": "f", "content_type": "x/y", "bytes": 1, "sha256": ""})
    ),
    "record_unreadable": lambda d, r: record_path(d).write_text("{"),
    "record_place": lambda d, r: record_path(d).rename(record_path(d, 7)),
    "record_rows": lambda d, r: patch_record(d, event_count=9),
    "record_counters": lambda d, r: patch_record(
        d, counters={"received": {"item": 2}, "persisted": {"item": 1}, "dropped": {}, "flushes": {}}
    ),
    "summary_unreadable": lambda d, r: (d.put_summary(DAY, CRAWL, {}), summary_path(d).write_text("[]")),
}


def summary_path(dataset):
    return dataset.root / f"crawls/day={DAY}/crawl={CRAWL}/summary.json"


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"x")


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rewrite_raw(dataset, made, event_type, data):
    import hashlib

    (dataset.root / part(made, event_type).path).write_bytes(data)
    edit(dataset, made, event_type, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.clause("LODE-33")
@pytest.mark.parametrize("kind", sorted(DAMAGE))
def test_each_damage_is_named(dataset, full, kind):
    """The problem has the kind of the contract, a path in the dataset and a sentence."""
    DAMAGE[kind](dataset, full)
    problems = reader_of(dataset).verify()
    assert kind in {problem.kind for problem in problems}
    for problem in problems:
        assert problem.text
        assert problem.path.split("/")[0] in {"runs", "partitions", "crawls"}


@pytest.mark.clause("LODE-33")
def test_missing_description_and_file_of_a_put_are_named(dataset, full):
    """Both the file and what describes it."""
    for suffix in ("", ".meta.json"):
        (dataset.root / (full.sidecars[0].path + suffix)).unlink()
        assert kinds(dataset) == {"file_missing"}


@pytest.mark.clause("LODE-33")
def test_rows_out_of_order_are_named(dataset):
    """seq must rise in every file."""
    made = commit(dataset, 1, event(1), event(2))
    rewrite(dataset, made, "item", set_column("seq", [2, 1]))
    assert "row_order" in kinds(dataset)


@pytest.mark.clause("LODE-33")
def test_run_and_events_that_are_visible_twice_are_named(dataset, monkeypatch):
    """Two final records of one run id, and event ids that two runs share; in several passes too."""
    commit(dataset, 1)
    commit(dataset, 2, event(1, run_id="run-1"), run_id="run-1", token="tok2")
    assert kinds(dataset) == {"run_twice", "event_twice"}
    once = [p for p in reader_of(dataset).verify() if p.kind == "event_twice"]
    monkeypatch.setattr(duplicates, "_IDS_A_PASS", 1)
    assert [p for p in reader_of(dataset).verify() if p.kind == "event_twice"] == once


FANOUT = {"seeds": 1, "received": 4, "replayed": 1, "succeeded": 2, "failed": 0}


@pytest.mark.clause("LODE-33")
@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ({"fanout": FANOUT, "event_count": 4, "rows": {"item": 2, "run_complete": 2, "metrics": 2}}, set()),
        ({"fanout": FANOUT, "bounds": {"max_runs": 2}}, set()),
        ({"fanout": {**FANOUT, "succeeded": 3}}, {"summary_counts"}),
        ({"fanout": {**FANOUT, "failed": 1}}, {"summary_counts"}),
        ({"fanout": {**FANOUT, "received": 5}}, {"summary_enqueues"}),
        ({"event_count": 5}, {"summary_counts"}),
        ({"rows": {"item": 2}}, {"summary_counts"}),
        ({"bounds": {"max_runs": 1}}, {"over_max_runs"}),
        ({}, set()),
    ],
)
def test_closed_crawl_is_held_against_its_summary(dataset, summary, expected):
    """Counts of records and rows, the third equation with a retried attempt's enqueues, and the cap."""
    commit(dataset, 1, enqueue_events=1)
    commit(dataset, 2, parent_job=key_of(1), attempt=2)
    dataset.put_attempt(record(number=2, run_id="try", token="t", outcome=FAILED, enqueue_events=1))
    dataset.put_summary(DAY, CRAWL, summary)
    assert kinds(dataset) == expected


@pytest.mark.clause("LODE-33")
def test_parent_job_must_resolve_in_a_closed_crawl(dataset):
    """While it is open the parent may still be running."""
    commit(dataset, 1, parent_job=key_of(9))
    assert kinds(dataset) == set()
    dataset.put_summary(DAY, CRAWL, {})
    assert kinds(dataset) == {"lineage"}


@pytest.mark.clause("LODE-33")
def test_policy_counters_are_held_against_the_rows(dataset):
    """Balanced counters that persisted other rows than are there; a failed seal is excused by its outcome."""
    counters = PolicyCounters(received={"item": 5}, persisted={"item": 5})
    commit(dataset, 1, counters=counters)
    assert kinds(dataset) == {"record_counters"}
    lost = Outcome(status=OutcomeStatus.POLICY_FAILURE, message="no space")
    dataset.put_record(record(number=2, run_id="run-2", token="t", counters=counters, outcome=lost))
    assert {problem.path for problem in reader_of(dataset).verify()} == {
        f"runs/day={DAY}/crawl={CRAWL}/{key_of(1)}.json"
    }


@pytest.mark.clause("LODE-34")
def test_orphans_are_what_no_record_names(dataset, full):
    """Running deliveries are marked live, leftovers of decided runs are not; every byte is counted."""
    assert reader_of(dataset).orphans() == []
    running = writer(dataset, "run-2", "going")
    running.append([event(1, run_id="run-2")])
    running.put_file("g", "x/y", b"123")
    lost = writer(dataset, "run-1", "lost")
    lost.append([event(1)])
    lost.seal({})
    temp = dataset.root / f"runs/day={DAY}/crawl={CRAWL}/.tok-1234.tmp"
    temp.write_bytes(b"12345")
    found = reader_of(dataset).orphans()
    assert {(orphan.run_id, orphan.live) for orphan in found} == {
        ("run-2", True),
        ("run-1", False),
        (None, False),
    }
    assert {orphan.path for orphan in found} == {
        path for path in files_below(dataset) if "going" in path or "lost" in path or path.endswith(".tmp")
    }
    for orphan in found:
        assert orphan.bytes == (dataset.root / orphan.path).stat().st_size
    assert reader_of(dataset).verify() == []


@pytest.mark.clause("LODE-34", "LODE-22")
def test_files_of_an_ignored_attempt_are_orphans(dataset):
    """Where a final record has the attempt's run id, the attempt's own files are nobody's."""
    sink = writer(dataset, "run-1", "first")
    sink.append([event(1)])
    dataset.put_attempt(record(sink.seal({}), token="first", outcome=FAILED))
    sink.drop_live()
    assert reader_of(dataset).orphans() == []
    commit(dataset, 1, token="second")
    left = reader_of(dataset).orphans()
    assert {orphan.path for orphan in left} == {p for p in files_below(dataset, "partitions") if "first" in p}
    assert not any(orphan.live for orphan in left)
    assert reader_of(dataset).verify() == []
