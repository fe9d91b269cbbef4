"""The reader: what is visible, what is not, and that looking changes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import quarry.lode
from quarry.errors import ConfigError, StoreError
from quarry.lode import Dataset
from quarry.lode.schema import CHUNK_SCHEMA, EVENT_SCHEMA
from quarry.types import Outcome, OutcomeStatus
from tests.lode.samples import (
    CRAWL,
    DAY,
    artifact_event,
    chunk,
    commit,
    event,
    key_of,
    record,
    writer,
)

FAILED = Outcome(status=OutcomeStatus.SCRIPT_ERROR, message="boom", error_type="ValueError")
PLACES = ["source", "category", "day", "crawl"]


def items(reader, **filters):
    return [json.loads(text)["n"] for text in reader.scan(**filters)["data"].to_pylist()]


@pytest.fixture
def crawled(dataset):
    """Three committed runs: two successful, one failed, in two crawls and sources."""
    commit(
        dataset,
        1,
        event(1, run_id="run-1"),
        event(2, "run_complete", run_id="run-1"),
        started_at="2026-01-31T12:00:03.000Z",
    )
    commit(
        dataset,
        2,
        event(2, run_id="run-2"),
        event(3, "run_error", run_id="run-2"),
        outcome=FAILED,
        source="007",
        category="a/b",
        started_at="2026-01-31T12:00:02.000Z",
    )
    commit(
        dataset,
        3,
        event(3, run_id="run-3"),
        crawl="other",
        day="2026-02-01",
        started_at="2026-01-31T12:00:01.000Z",
    )
    return quarry.lode.open(dataset.root.parents[1])


@pytest.mark.clause("LODE-32")
def test_runs_are_final_records_by_start(crawled):
    """Each filter leaves the right ones."""
    assert [run.run_id for run in crawled.runs()] == ["run-3", "run-2", "run-1"]
    assert [run.run_id for run in crawled.runs(state="success")] == ["run-3", "run-1"]
    assert [run.run_id for run in crawled.runs(state="failed")] == ["run-2"]
    assert [run.run_id for run in crawled.runs(state="script_error")] == ["run-2"]
    assert [run.run_id for run in crawled.runs(crawl=CRAWL)] == ["run-2", "run-1"]
    assert [run.run_id for run in crawled.runs(day="2026-02-01")] == ["run-3"]
    assert [run.run_id for run in crawled.runs(source="007")] == ["run-2"]
    assert crawled.runs(crawl="none") == []
    with pytest.raises(ConfigError, match=r"'done'.*script_error"):
        crawled.runs(state="done")


@pytest.mark.clause("LODE-32", "LODE-03")
def test_scan_reads_rows_of_every_final_record(crawled):
    """Failed runs too unless asked otherwise; places are text and come from the record."""
    table = crawled.scan()
    assert table.schema.names == [*EVENT_SCHEMA.names, *PLACES]
    assert sorted(items(crawled)) == [1, 2, 3]
    assert items(crawled, state="success", crawl=CRAWL) == [1]
    assert items(crawled, source="007") == [2]
    assert items(crawled, category="a/b") == [2]
    assert items(crawled, day="2026-02-01") == [3]
    narrow = crawled.scan(columns=["source", "category", "data"], source="007")
    assert narrow.to_pylist() == [{"source": "007", "category": "a/b", "data": '{"n":2}'}]
    assert crawled.scan("run_error").num_rows == 1
    assert crawled.scan("metrics").num_rows == 3
    empty = crawled.scan("nothing")
    assert (empty.num_rows, empty.schema) == (0, table.schema)
    with pytest.raises(ConfigError, match="there is no dta"):
        crawled.scan(columns=["dta"])


@pytest.mark.clause("LODE-31")
def test_read_gives_one_run_in_seq_order(crawled):
    """Events by seq, then metrics; failed runs too; with and without an index."""
    rows = crawled.read("run-2").to_pylist()
    assert [(row["seq"], row["type"]) for row in rows] == [(2, "item"), (3, "run_error"), (None, "metrics")]
    assert {row["source"] for row in rows} == {"007"}
    Dataset.create(crawled.root.parents[1]).put_index(DAY, CRAWL)
    assert crawled.read("run-2").to_pylist() == rows
    assert crawled.read("run-3").num_rows == 2
    assert crawled.read("run-3", crawl="other").num_rows == 2
    with pytest.raises(StoreError) as caught:
        crawled.read("run-3", crawl=CRAWL)
    assert caught.value.kind == "not_found"
    assert "live=True" in caught.value.message


@pytest.mark.clause("LODE-31")
def test_record_put_after_the_index_is_found(dataset):
    """The index only quickens: what it lacks is found by reading."""
    commit(dataset, 1)
    dataset.put_index(DAY, CRAWL)
    commit(dataset, 2)
    reader = quarry.lode.open(dataset.root.parents[1])
    assert reader.run("run-2").key == key_of(2)


@pytest.mark.clause("LODE-31")
def test_attempts_of_a_job_are_readable_and_not_scanned(dataset):
    """A failed attempt that was retried can be read by its id and is in no scan."""
    sink = writer(dataset, "try-1", "tok-a")
    sink.append([event(1, run_id="try-1")])
    dataset.put_attempt(record(sink.seal({}), run_id="try-1", token="tok-a", outcome=FAILED))
    sink.drop_live()
    reader = quarry.lode.open(dataset.root.parents[1])
    assert reader.read("try-1").num_rows == 2
    assert reader.scan().num_rows == 0
    assert reader.runs() == []
    assert reader.verify() == []
    assert reader.orphans() == []


@pytest.mark.clause("LODE-31")
def test_live_shows_the_newest_delivery_until_the_run_is_committed(dataset):
    """An older delivery's segment is not mixed in; after the commit live means nothing."""
    reader = quarry.lode.open(dataset.root.parents[1])
    clock = iter([1000.0, 2000.0])
    for token, seqs in (("zz-old", [1, 2, 3]), ("aa-new", [1])):
        sink = writer(dataset, token=token)
        sink._clock = lambda: next(clock)
        sink.append([event(seq) for seq in seqs])
        sink.close()
    table = reader.read("run-1", live=True)
    assert table["seq"].to_pylist() == [1]
    assert table.schema.names == [*EVENT_SCHEMA.names, *PLACES]
    assert table["source"].to_pylist() == ["shop"]
    with pytest.raises(StoreError, match="no commit record"):
        reader.read("run-1")
    with pytest.raises(StoreError, match="no commit record"):
        reader.read("run-9", live=True)
    commit(dataset, 1, token="tok3")
    assert reader.read("run-1", live=True).num_rows == 3


@pytest.mark.clause("LODE-30")
def test_files_that_no_record_names_are_never_read(dataset):
    """A sealed but uncommitted run, a lost delivery's copy, and strange files in the partitions."""
    commit(dataset, 1)
    for run_id, token in (("run-1", "copy"), ("run-5", "waiting")):
        sink = writer(dataset, run_id, token)
        sink.append([event(1, run_id=run_id)])
        sink.seal({})
    stray = dataset.root / f"partitions/source=shop/category=default/day={DAY}/run_id=run-1/event_type=item"
    (stray / "part-x-00001.parquet").write_bytes(b"junk")
    reader = quarry.lode.open(dataset.root.parents[1])
    assert reader.scan().num_rows == 1
    assert reader.read("run-1").num_rows == 3


@pytest.mark.clause("LODE-30")
def test_reading_changes_nothing(crawled, tmp_path):
    """Names, sizes and times are what they were after every kind of reading."""

    def state():
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in tmp_path.rglob("*")}

    before = state()
    reader = quarry.lode.open(str(tmp_path))
    reader.runs()
    reader.attempts()
    reader.crawls()
    reader.scan()
    reader.read("run-1", live=True)
    reader.summary(CRAWL)
    reader.verify()
    reader.orphans()
    assert state() == before


@pytest.mark.clause("LODE-30")
def test_missing_dataset_is_an_error_that_names_the_others(dataset, tmp_path):
    """And nothing is made."""
    with pytest.raises(StoreError, match=r"no dataset 'x' under .*: there are quarry") as caught:
        quarry.lode.open(tmp_path, "x")
    assert caught.value.kind == "not_found"
    with pytest.raises(StoreError, match="check the storage path"):
        quarry.lode.open(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.clause("LODE-10", "LODE-25")
def test_artifacts_and_files_come_back_whole(dataset):
    """Bytes of an artifact over many row groups, of an empty one, and of a put file; others are not found."""
    big = [os.urandom(3_000_000) for _ in range(7)]
    sink = writer(dataset)
    for number, data in enumerate(big, 1):
        sink.append_chunk(chunk("big", number, data, last=number == len(big)))
    sink.append_chunk(chunk("empty", 1, b"", last=True))
    sink.append_chunk(chunk("zz", 1, b"z", last=True))
    sink.append(
        [artifact_event(1, "big", 21_000_000), artifact_event(2, "empty", 0), artifact_event(3, "zz", 1)]
    )
    sink.put_file("é.bin", "x/y", b"file")
    dataset.put_record(record(sink.seal({})))
    reader = quarry.lode.open(dataset.root.parents[1])
    assert reader.artifact("run-1", "big") == b"".join(big)
    assert reader.artifact("run-1", "empty") == b""
    assert reader.artifact("run-1", "zz") == b"z"
    assert reader.file("run-1", "é.bin") == b"file"
    assert reader.verify() == []
    table = reader.scan("artifact_chunk", columns=["artifact_id", "chunk_seq", "crawl"])
    assert table.num_rows == 9
    assert set(CHUNK_SCHEMA.names) < set(reader.scan("artifact_chunk").schema.names)
    for missing in (
        lambda: reader.artifact("run-1", "none"),
        lambda: reader.file("run-1", "none"),
        lambda: reader.artifact("run-2", "big"),
    ):
        with pytest.raises(StoreError) as caught:
            missing()
        assert caught.value.kind == "not_found"


@pytest.mark.clause("LODE-28")
def test_named_file_that_is_gone_is_an_error(dataset):
    """Not an empty table."""
    made = commit(dataset, 1)
    for entry in made.files:
        (dataset.root / entry.path).unlink()
    reader = quarry.lode.open(dataset.root.parents[1])
    for read in (reader.scan, lambda: reader.read("run-1")):
        with pytest.raises(StoreError):
            read()


def test_crawls_are_listed_with_their_counts(crawled):
    """Open and closed, records and attempts."""
    dataset = Dataset.create(crawled.root.parents[1])
    dataset.put_attempt(record(number=1, run_id="try", crawl="failing", outcome=FAILED))
    dataset.put_summary(DAY, CRAWL, {"records": 2})
    listed = [(info.day, info.crawl, info.records, info.attempts, info.closed) for info in crawled.crawls()]
    assert listed == [
        (DAY, CRAWL, 2, 0, True),
        (DAY, "failing", 0, 1, False),
        ("2026-02-01", "other", 1, 0, False),
    ]
    assert crawled.summary(CRAWL) == {"records": 2}
    assert crawled.summary("other") is None


def test_reader_sees_runs_as_they_are_committed(dataset):
    """No state is kept between calls."""
    reader = quarry.lode.open(Path(dataset.root).parents[1])
    assert reader.runs() == []
    for number in (1, 2):
        commit(dataset, number)
        assert len(reader.runs()) == number
        assert reader.scan().num_rows == number
