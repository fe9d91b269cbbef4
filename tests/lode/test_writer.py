"""One delivery's writer: rows in, Parquet out."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarry.errors import ConfigError, StoreConflictError, StoreError
from quarry.lode import Dataset
from quarry.lode.schema import CHUNK_SCHEMA, EVENT_SCHEMA
from quarry.types import RunIdentity
from tests.lode.samples import TS_MS, artifact_event, chunk, event, files_below, writer


def tables(dataset, sealed):
    return {
        entry.event_type: pq.read_table(dataset.root / entry.path, partitioning=None)
        for entry in sealed.files
    }


def rows_of(dataset, sealed):
    return {kind: table.to_pylist() for kind, table in tables(dataset, sealed).items()}


@pytest.mark.clause("LODE-05", "LODE-06", "LODE-07", "LODE-09")
def test_sealed_files_have_one_schema_and_the_values_that_came(dataset):
    """Every event type has the same columns; items fill two more; metrics are one row."""
    sink = writer(dataset)
    sink.append(
        [event(1), event(2, "log", {"level": "info", "message": "é\n"}, job_id="j", parent_run_id="p")]
    )
    sink.append([event(3, "later_type", {"x": [1, None, {"y": 1.5}]}), event(4, "run_complete")])
    sealed = sink.seal({"duration_ms": 7})
    found = tables(dataset, sealed)
    assert set(found) == {"item", "log", "later_type", "run_complete", "metrics"}
    for table in found.values():
        assert table.schema.equals(EVENT_SCHEMA)
    rows = {kind: table.to_pylist() for kind, table in found.items()}
    (item,) = rows["item"]
    assert (item["record_kind"], item["item_type"], json.loads(item["data"])) == ("event", "page", {"n": 1})
    assert json.loads(item["payload"]) == {"item_type": "page", "data": {"n": 1}}
    assert item["ts"] == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=TS_MS)
    (log,) = rows["log"]
    assert json.loads(log["payload"]) == {"level": "info", "message": "é\n"}
    assert (log["item_type"], log["data"], log["job_id"], log["parent_run_id"]) == (None, None, "j", "p")
    (metrics,) = rows["metrics"]
    assert (metrics["record_kind"], metrics["type"], metrics["seq"]) == ("metrics", "metrics", None)
    assert metrics["event_id"] is None
    assert json.loads(metrics["payload"]) == {"duration_ms": 7}
    assert metrics["run_id"] == "run-1"
    assert sealed.rows == {"item": 1, "log": 1, "later_type": 1, "run_complete": 1, "metrics": 1}
    assert (sealed.event_count, sealed.enqueue_events) == (4, 0)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.clause("LODE-06", "LODE-08")
@settings(max_examples=40, deadline=None)
@given(payloads=st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=6), cut=st.integers(0, 6))
def test_any_payload_comes_back_as_it_was(tmp_path_factory, payloads, cut):
    """JSON in, the same JSON out, in seq order, however the events were batched."""
    dataset = Dataset.create(tmp_path_factory.mktemp("d"))
    sink = writer(dataset)
    events = [event(seq, "checkpoint", payload) for seq, payload in enumerate(payloads, 1)]
    sink.append(events[:cut])
    sink.append(events[cut:])
    rows = rows_of(dataset, sink.seal({})).get("checkpoint", [])
    assert [json.loads(row["payload"]) for row in rows] == payloads
    assert [row["seq"] for row in rows] == list(range(1, len(payloads) + 1))


@pytest.mark.clause("LODE-11")
def test_what_json_lacks_is_stored_in_a_stated_form(dataset):
    """Bytes become base64, NaN becomes null, a time that is none becomes null, others become UTC."""
    sink = writer(dataset)
    sink.append(
        [
            event(1, "log", {"b": b"\0\1", "n": float("nan")}, ts="yesterday"),
            event(2, "log", {}, ts="2026-01-31T14:00:00.123999+02:00"),
            event(3, "log", {}, ts="2026-01-31T12:00:00"),
            event(4, "item", {"item_type": 7}),
        ]
    )
    rows = rows_of(dataset, sink.seal({}))
    first, second, third = rows["log"]
    assert json.loads(first["payload"]) == {"b": "AAE=", "n": None}
    assert first["ts"] is None
    assert second["ts"] == datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=UTC)
    assert third["ts"] == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (rows["item"][0]["item_type"], rows["item"][0]["data"]) == (None, None)


@pytest.mark.clause("LODE-13")
def test_event_that_json_can_not_hold_is_refused_whole(dataset):
    """None of the batch is kept, the sentence names the run, and the writer goes on."""
    sink = writer(dataset)
    sink.append([event(1)])
    with pytest.raises(StoreError, match="events 2 to 3 of run run-1"):
        sink.append([event(2), event(3, "log", {"x": object()})])
    sink.append([event(2)])
    assert [row["seq"] for row in rows_of(dataset, sink.seal({}))["item"]] == [1, 2]


@pytest.mark.clause("LODE-10")
def test_artifacts_become_chunk_rows_and_orphans_do_not(dataset):
    """Chunks keep their borders and order; an artifact without its event is counted and in no file."""
    sink = writer(dataset)
    sink.append_chunk(chunk("a/1", 1, b"one"))
    sink.append_chunk(chunk("lone", 1, b"12345", last=True))
    sink.append_chunk(chunk("empty", 1, b"", last=True))
    sink.append_chunk(chunk("a/1", 2, b"two", last=True))
    sink.append([artifact_event(1, "a/1", 6), artifact_event(2, "empty", 0)])
    sink.append_chunk(chunk("half", 1, b"xx"))
    sealed = sink.seal({})
    table = tables(dataset, sealed)["artifact_chunk"]
    assert table.schema.equals(CHUNK_SCHEMA)
    rows = table.to_pylist()
    assert [(r["artifact_id"], r["chunk_seq"], r["is_last"], r["chunk"]) for r in rows] == [
        ("a/1", 1, False, b"one"),
        ("a/1", 2, True, b"two"),
        ("empty", 1, True, b""),
    ]
    assert {row["record_kind"] for row in rows} == {"artifact_chunk"}
    assert {row["record_kind"] for row in rows_of(dataset, sealed)["artifact"]} == {"artifact_event"}
    assert sealed.artifacts == {"count": 2, "bytes": 6}
    assert sealed.orphans == {"artifacts": 2, "bytes": 7}
    assert sealed.event_count == 2


@pytest.mark.clause("LODE-10")
def test_artifact_event_before_its_bytes_is_refused(dataset):
    """Neither without chunks nor before the last; chunks out of order are refused too."""
    sink = writer(dataset)
    with pytest.raises(StoreError, match="no complete bytes"):
        sink.append([artifact_event(1, "a", 1)])
    sink.append_chunk(chunk("a", 1, b"x"))
    with pytest.raises(StoreError, match="no complete bytes"):
        sink.append([artifact_event(1, "a", 1)])
    with pytest.raises(StoreError, match="chunk 3 came after chunk 1"):
        sink.append_chunk(chunk("a", 3, b"x"))
    sink.append_chunk(chunk("a", 2, b"y", last=True))
    with pytest.raises(StoreError, match="which was the last"):
        sink.append_chunk(chunk("a", 3, b"x"))
    sink.append([artifact_event(1, "a", 2)])
    assert sink.seal({}).artifacts == {"count": 1, "bytes": 2}


@pytest.mark.clause("LODE-04", "LODE-21")
def test_everything_written_has_the_token_and_goes_with_it(dataset):
    """Live, sealed and put files name the TOKEN; discard leaves none of them and no folder of the run."""
    before = files_below(dataset)
    sink = writer(dataset, token="0a1b2c")
    sink.append_chunk(chunk("a", 1, b"x", last=True))
    sink.append([artifact_event(1, "a", 1)])
    sink.put_file("f.txt", "text/plain", b"hello")
    sink.seal({})
    written = files_below(dataset) - before
    assert len(written) == 2 + 3 + 2
    assert all("0a1b2c" in path for path in written)
    sink.discard()
    assert files_below(dataset) == before
    assert not list(dataset.root.rglob("run_id=*"))
    assert not list((dataset.root / "live").iterdir())


@pytest.mark.clause("LODE-21")
def test_discard_leaves_the_rival_alone(dataset):
    """Two deliveries of one run write beside each other; the loser takes only its own away."""
    winner, loser = writer(dataset, token="aaaa"), writer(dataset, token="bbbb")
    for sink in (winner, loser):
        sink.append([event(1), event(2, "run_complete")])
        sink.put_file("f", "x/y", b"1")
    loser.append([event(3, "log", {})])
    loser.seal({})
    kept = winner.seal({})
    loser.discard()
    assert all("aaaa" in path for path in files_below(dataset))
    assert rows_of(dataset, kept)["item"][0]["seq"] == 1
    loser.discard()


@pytest.mark.clause("LODE-21")
def test_sealing_outruns_a_rival_that_removes_empty_folders(dataset, tmp_path):
    """A loser's discard in a loop beside a winner's seal fails neither."""
    import threading

    stop = threading.Event()

    def discard_forever() -> None:
        while not stop.is_set():
            writer(dataset, token="bbbb").discard()

    rival = threading.Thread(target=discard_forever)
    rival.start()
    try:
        for number in range(30):
            sink = writer(dataset, token=f"a{number}")
            sink.append([event(1)])
            sealed = sink.seal({})
            assert all((dataset.root / entry.path).exists() for entry in sealed.files)
            sink.discard()
    finally:
        stop.set()
        rival.join()


@pytest.mark.clause("LODE-08")
def test_many_event_types_are_sealed_in_groups(dataset):
    """More types than files are opened at once: every row is in its own type's file."""
    sink = writer(dataset)
    sink.append([event(seq, f"kind/{seq % 70}", {"n": seq}) for seq in range(1, 211)])
    sealed = sink.seal({})
    assert len(sealed.files) == 71
    rows = rows_of(dataset, sealed)
    assert [row["seq"] for row in rows["kind/3"]] == [3, 73, 143]
    assert sealed.event_count == 210


@pytest.mark.clause("LODE-12")
def test_row_groups_end_while_rows_come(dataset):
    """A run of 70,000 rows is several row groups, in order; every column is zstd there."""
    sink = writer(dataset)
    for start in range(1, 70_001, 10_000):
        sink.append([event(seq, "log", {"n": seq}) for seq in range(start, start + 10_000)])
    (entry,) = [entry for entry in sink.seal({}).files if entry.event_type == "log"]
    file = pq.ParquetFile(dataset.root / entry.path)
    assert file.metadata.num_row_groups > 1
    group = file.metadata.row_group(0)
    assert {group.column(n).compression for n in range(group.num_columns)} == {"ZSTD"}
    assert file.read(columns=["seq"])["seq"].to_pylist() == list(range(1, 70_001))


@pytest.mark.clause("LODE-12")
def test_small_files_compress_the_json_columns(dataset):
    """Nothing else is worth a compressor there."""
    sink = writer(dataset)
    sink.append([event(1)])
    (entry,) = [entry for entry in sink.seal({}).files if entry.event_type == "item"]
    group = pq.ParquetFile(dataset.root / entry.path).metadata.row_group(0)
    packed = {
        EVENT_SCHEMA.names[n] for n in range(group.num_columns) if group.column(n).compression == "ZSTD"
    }
    assert packed == {"payload", "data"}


@pytest.mark.clause("LODE-25", "LODE-26", "LODE-27")
def test_put_files_are_stored_described_and_named_once(dataset):
    """The key is the path; the description says what the record will say; names in each other's way are two files."""
    sink = writer(dataset)
    names = ["a", "a.meta.json", "%41", ".hidden", "x" * 255, "é" * 127, "tab\tname", "report.parquet"]
    for name in names:
        key = sink.put_file(name, "text/plain", name.encode())
        assert (dataset.root / key).read_bytes() == name.encode()
        meta = json.loads((dataset.root / f"{key}.meta.json").read_text())
        assert (meta["filename"], meta["content_type"], meta["bytes"]) == (
            name,
            "text/plain",
            len(name.encode()),
        )
        with pytest.raises(StoreConflictError, match="already"):
            sink.put_file(name, "text/plain", b"")
    sealed = sink.seal({})
    assert [entry.filename for entry in sealed.sidecars] == names
    assert sealed.sidecars[0].path.endswith("/files/tok1/a")


@pytest.mark.clause("LODE-26")
@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "x" * 256, "é" * 128, "\ud800"])
def test_bad_names_are_refused_and_the_run_goes_on(dataset, name):
    """Each refusal is a StoreError without a trace on disk."""
    sink = writer(dataset)
    with pytest.raises(StoreError, match="file name"):
        sink.put_file(name, "text/plain", b"")
    assert files_below(dataset) == set()
    sink.put_file("fine", "text/plain", b"")


@pytest.mark.clause("LODE-26")
def test_content_type_that_is_no_text_is_refused(dataset):
    """As a bad name is."""
    with pytest.raises(StoreError, match="content type"):
        writer(dataset).put_file("f", "\ud800", b"")


@pytest.mark.clause("LODE-26")
def test_file_above_8_mib_is_refused_and_its_name_stays_free(dataset):
    """8 MiB are taken, one byte more is not."""
    sink = writer(dataset)
    with pytest.raises(StoreError, match="artifacts"):
        sink.put_file("big", "x/y", bytes(8 * 1024 * 1024 + 1))
    sink.put_file("big", "x/y", bytes(8 * 1024 * 1024))


def test_run_that_said_nothing_has_metrics_only(dataset):
    """A delivery without events seals to one file."""
    sealed = writer(dataset).seal({})
    assert (sealed.rows, sealed.event_count) == ({"metrics": 1}, 0)
    assert not (dataset.root / "live" / "run-1").exists()


def test_nothing_is_on_disk_before_the_first_write(dataset):
    """Making a writer costs nothing, and discarding an unused one removes nothing."""
    before = sorted(dataset.root.rglob("*"))
    writer(dataset).discard()
    assert sorted(dataset.root.rglob("*")) == before


@pytest.mark.clause("LODE-02")
def test_names_too_long_are_refused_when_the_writer_is_made(dataset):
    """Also an event type, when its first event comes: nothing of that batch is kept."""
    with pytest.raises(ConfigError, match="source"):
        dataset.writer(
            crawl="c", day="d", source="s" * 300, category="c", identity=RunIdentity(run_id="r"), token="t"
        )
    sink = writer(dataset)
    with pytest.raises(ConfigError, match="event_type"):
        sink.append([event(1), event(2, "t" * 300)])
    with pytest.raises(StoreError, match="artifact_chunk"):
        sink.append([event(1, "artifact_chunk")])
    assert sink.seal({}).event_count == 0


def test_sealing_twice_gives_the_same_rows(dataset):
    """A seal that is repeated replaces its own files."""
    sink = writer(dataset)
    sink.append([event(1)])
    first, second = sink.seal({}), sink.seal({})
    assert first.rows == second.rows
    assert len(files_below(dataset, "partitions")) == 2


def test_metrics_that_json_can_not_hold_leave_nothing_behind(dataset):
    """The seal fails, no part stays, and it can be made again."""
    sink = writer(dataset)
    sink.append([event(1)])
    with pytest.raises(StoreError, match="metrics of run run-1"):
        sink.seal({"x": object()})
    assert files_below(dataset, "partitions") == set()
    assert sink.seal({}).rows == {"item": 1, "metrics": 1}


def test_drop_live_removes_the_live_folder(dataset):
    """After it only what the record names is left."""
    sink = writer(dataset)
    sink.append([event(1)])
    sink.append_chunk(chunk("a", 1, b"x"))
    sink.seal({})
    sink.drop_live()
    assert files_below(dataset, "live") == set()
    assert not (dataset.root / "live" / "run-1").exists()
    sink.drop_live()


def test_segment_changed_by_another_process_is_an_error_not_silence(dataset):
    """A seal that reads fewer rows than were written fails."""
    sink = writer(dataset)
    sink.append([event(1), event(2)])
    (path,) = (dataset.root / "live").rglob("events.ndjson")
    os.truncate(path, path.stat().st_size - 3)
    with pytest.raises(StoreError, match="2 rows were written and 1 are there"):
        sink.seal({})


def test_pyarrow_is_imported_only_to_seal_and_to_read():
    """Looking at records and opening writers needs no Arrow."""
    import subprocess
    import sys

    code = "import sys, quarry.lode; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert pa.__name__ == "pyarrow"
