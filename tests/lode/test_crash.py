"""Writers killed at any moment: what was promised is there, what is torn is not."""

from __future__ import annotations

import json
import random
import signal

import pytest

import quarry.lode
from quarry.errors import StoreError
from quarry.lode import Dataset
from quarry.lode.segment import read_rows
from tests.lode.children import start
from tests.lode.samples import commit, event, files_below, record, writer


@pytest.mark.clause("LODE-13", "LODE-14", "LODE-31")
@pytest.mark.parametrize("seed", range(5))
def test_rows_acknowledged_before_kill_9_are_read_live(tmp_path, seed):
    """At least the acknowledged rows, at most one more batch, each whole, in order, none twice."""
    dice = random.Random(seed)
    batch = dice.choice([1, 7, 50])
    writer_process = start("append", tmp_path, batch)
    for _ in range(dice.randrange(1, 60)):
        acknowledged = int(writer_process.stdout.readline())
    writer_process.send_signal(signal.SIGKILL)
    # Not communicate(): it passes over what readline() has read ahead.
    rest = writer_process.stdout.read()
    writer_process.communicate()
    whole = rest[: rest.rfind("\n") + 1].split()
    acknowledged = int(whole[-1]) if whole else acknowledged
    table = quarry.lode.open(tmp_path).read("run-1", live=True)
    seqs = table["seq"].to_pylist()
    print(f"killed after row {acknowledged}, {len(seqs)} rows read")
    assert seqs == list(range(1, len(seqs) + 1))
    assert acknowledged <= len(seqs) <= acknowledged + batch
    assert [json.loads(text)["n"] for text in table["payload"].to_pylist()] == seqs


@pytest.mark.clause("LODE-14")
def test_segment_torn_at_any_byte_gives_whole_rows_only(dataset):
    """Cut a segment everywhere: what is read is always a prefix of the rows that were written."""
    sink = writer(dataset)
    sink.append([event(seq, "log", {"message": "é\n" * seq}) for seq in range(1, 5)])
    sink.close()
    (path,) = (dataset.root / "live").rglob("events.ndjson")
    data = path.read_bytes()
    ends = [n for n, byte in enumerate(data, 1) if byte == ord("\n")]
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        expected = max(sum(end <= cut for end in ends) - 1, 0)
        assert [row.seq for row in read_rows(str(path))] == list(range(1, expected + 1))
    path.write_bytes(data + b'{"torn\n' + data)
    assert [row.seq for row in read_rows(str(path))] == [1, 2, 3, 4]


@pytest.mark.clause("LODE-15", "LODE-16", "LODE-13")
@pytest.mark.parametrize("step", range(0, 66, 3))
def test_killed_between_any_two_steps_of_seal_and_commit(tmp_path, step):
    """Either the record stands and all it names is whole, or nothing is visible and the live rows are all there."""
    child = start("seal_and_die", tmp_path, step)
    said, _ = child.communicate(timeout=60)
    assert said.split() in (["durable"], ["durable", "done"])
    reader = quarry.lode.open(tmp_path)
    runs = reader.runs()
    print(
        f"step {step}: {'committed' if runs else 'not committed'}, {len(reader.orphans())} files named by no record"
    )
    assert reader.verify() == []
    if runs:
        assert reader.read("run-1").num_rows == 4
        assert reader.artifact("run-1", "a") == b"bytes"
        assert not any(orphan.live for orphan in reader.orphans() if orphan.run_id)
    else:
        with pytest.raises(StoreError, match="no commit record"):
            reader.read("run-1")
        assert reader.scan().num_rows == 0
        assert reader.read("run-1", live=True)["seq"].to_pylist() == [1, 2, 3]
        assert all(orphan.live for orphan in reader.orphans() if orphan.run_id)
    for path in files_below(Dataset.at(tmp_path), "partitions"):
        if path.endswith(".parquet"):
            import pyarrow.parquet as pq

            pq.ParquetFile(Dataset.at(tmp_path).root / path).close()


@pytest.mark.clause("LODE-18", "LODE-21")
def test_next_delivery_commits_what_a_killed_one_left_undone(tmp_path):
    """The same run delivered again under a new TOKEN: one record, one set of rows, the rest are orphans."""
    start("seal_and_die", tmp_path, 30).communicate(timeout=60)
    dataset = Dataset.create(tmp_path)
    made = commit(dataset, 1, token="next")
    reader = quarry.lode.open(tmp_path)
    assert [run.token for run in reader.runs()] == ["next"]
    assert reader.read("run-1").num_rows == 3
    assert reader.verify() == []
    left = reader.orphans()
    assert left
    assert all("tok1" in orphan.path and not orphan.live for orphan in left)
    dataset.drop_files(record(token="tok1"))
    assert reader.orphans() == []
    assert reader.runs() == [made]


@pytest.mark.slow
@pytest.mark.clause("LODE-12")
def test_sealing_takes_bounded_memory(tmp_path):
    """An artifact of 200 MiB and 200 MiB of events take less than 150 MiB."""
    child = start("big", tmp_path, 200)
    said, _ = child.communicate(timeout=120)
    kib = int(said)
    print(f"sealing 400 MiB took {kib / 1024:.0f} MiB")
    assert kib < 150 * 1024
    reader = quarry.lode.open(tmp_path)
    (made,) = reader.runs()
    assert made.rows == {"artifact": 1, "artifact_chunk": 200, "log": 3200, "metrics": 1}
    assert len(reader.artifact("big", "a")) == 200 * 1024 * 1024
