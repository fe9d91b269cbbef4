"""Full disks, folders that can't be written, and disks that fail: nothing half, nothing silent."""

from __future__ import annotations

import errno
import itertools
import os
from typing import TYPE_CHECKING

import pytest

import quarry.lode
from quarry.errors import StoreError
from quarry.lode import Dataset, RunWriter, Sealed
from quarry.policy import StrictPolicy
from quarry.types import Outcome, OutcomeStatus
from tests.lode.mounts import mounted, remount
from tests.lode.samples import CRAWL, DAY, chunk, commit, event, files_below, key_of, record, writer

if TYPE_CHECKING:
    from pathlib import Path

FAILURE = Outcome(status=OutcomeStatus.POLICY_FAILURE, message="no space", error_type="no_space")


@pytest.fixture
def small(tmp_path):
    """A file system of 1 MiB."""
    with mounted(tmp_path / "small", "size=1m") as folder:
        yield folder


def fill(folder: Path) -> Path:
    """Use up what is left; give the file that does it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def big(seq: int):
    return event(seq, "log", {"pad": os.urandom(30_000).hex()})


def ingest_for_ever(policy: StrictPolicy) -> None:
    for seq in itertools.count(1, 2):
        policy.ingest([big(seq), big(seq + 1)])


def append_chunks(sink: RunWriter, count: int) -> None:
    for number in range(1, count + 1):
        sink.append_chunk(chunk("a", number, os.urandom(50_000), last=number == count))


@pytest.mark.clause("LODE-13", "LODE-28", "POLICY-03", "POLICY-04")
def test_full_disk_fails_the_append_and_keeps_what_was_promised(small):
    """The error says no_space and the mend; what was acknowledged is whole, what failed left no torn row."""
    dataset = Dataset.create(small)
    sink = writer(dataset)
    policy = StrictPolicy(sink)
    with pytest.raises(StoreError) as caught:
        ingest_for_ever(policy)
    kept = sum(policy.counters().persisted.values())
    assert kept > 2
    assert caught.value.kind == "no_space"
    assert "no space is left" in caught.value.message
    assert str(small) in caught.value.message
    counters = policy.counters()
    assert (counters.persisted, counters.dropped) == ({"log": kept}, {"log": 2})
    assert quarry.lode.open(small).read("run-1", live=True)["seq"].to_pylist() == list(range(1, kept + 1))
    with pytest.raises(StoreError):
        sink.append([event(kept + 1)])


@pytest.mark.clause("LODE-15", "LODE-16")
def test_full_disk_fails_the_seal_and_leaves_no_file_of_it(small):
    """Nothing under a final name, nothing temporary; with space again the same seal succeeds."""
    dataset = Dataset.create(small)
    sink = writer(dataset)
    sink.append([big(seq) for seq in range(1, 6)])
    sink.append_chunk(chunk("a", 1, os.urandom(1000), last=True))
    ballast = fill(small)
    with pytest.raises(StoreError) as caught:
        sink.seal({})
    assert caught.value.kind == "no_space"
    assert files_below(dataset, "partitions") == set()
    ballast.unlink()
    made = record(sink.seal({}))
    dataset.put_record(made)
    assert quarry.lode.open(small).verify() == []


@pytest.mark.clause("LODE-18")
def test_full_disk_fails_the_record_and_the_next_put_stands(small):
    """No half record is visible; the job can be committed when there is space."""
    dataset = Dataset.create(small)
    commit(dataset, 1)
    ballast = fill(small)
    with pytest.raises(StoreError, match="no space"):
        dataset.put_record(record(number=2, job={"x": "y" * 9000}))
    assert dataset.record_keys(DAY, CRAWL) == [key_of(1)]
    assert quarry.lode.open(small).verify() == []
    ballast.unlink()
    assert dataset.put_record(record(number=2, outcome=FAILURE)).outcome == FAILURE


@pytest.mark.clause("LODE-26")
def test_full_disk_fails_a_put_and_its_name_stays_free(small):
    """The run goes on; the same name can be put when there is space."""
    dataset = Dataset.create(small)
    sink = writer(dataset)
    sink.put_file("a", "x/y", b"a")
    ballast = fill(small)
    with pytest.raises(StoreError) as caught:
        sink.put_file("b", "x/y", bytes(100_000))
    assert caught.value.kind == "no_space"
    ballast.unlink()
    sink.put_file("b", "x/y", bytes(100_000))
    sealed = sink.seal({})
    assert [entry.filename for entry in sealed.sidecars] == ["a", "b"]
    dataset.put_record(record(sealed))
    assert quarry.lode.open(small).verify() == []
    assert quarry.lode.open(small).orphans() == []


@pytest.mark.clause("LODE-10")
def test_full_disk_fails_a_chunk_and_the_artifact_is_an_orphan(small):
    """Its event is refused, the run's other rows are sealed."""
    dataset = Dataset.create(small)
    sink = writer(dataset)
    sink.append([event(1)])
    with pytest.raises(StoreError, match="no space"):
        append_chunks(sink, 99)
    for path in (small / "datasets/quarry/live").rglob("*.bin"):
        path.unlink()
    sealed = sink.seal({})
    assert sealed.rows == {"item": 1, "metrics": 1}
    assert sealed.orphans["artifacts"] == 1


@pytest.mark.clause("LODE-17", "LODE-28")
def test_read_only_file_system_is_refused_at_once(tmp_path):
    """Before anything is tried: one sentence with the path and the mend."""
    with mounted(tmp_path / "ro", "size=1m") as folder:
        Dataset.create(folder)
        remount(folder, "ro")
        for dataset in ("quarry", "other"):
            with pytest.raises(StoreError, match="read-only; give another --storage-path") as caught:
                Dataset.create(folder, dataset)
            assert caught.value.kind == "denied"
        remount(folder, "rw")


@pytest.mark.clause("LODE-17", "LODE-28")
def test_file_where_a_folder_is_needed_is_refused(tmp_path):
    """Whether the storage path itself is a file or something above it."""
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(StoreError, match="a file stands where a folder is needed") as caught:
            Dataset.create(root)
        assert caught.value.kind == "denied"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.clause("LODE-17")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder_is_refused(tmp_path):
    """As a user who may not write there."""
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="write access"):
        Dataset.create(tmp_path / "locked")


@pytest.mark.clause("LODE-17")
def test_creating_a_dataset_twice_is_fine_and_leaves_no_probe(tmp_path):
    """Several processes open the same dataset."""
    Dataset.create(tmp_path / "a" / "b")
    again = Dataset.create(tmp_path / "a" / "b")
    assert files_below(again) == set()


@pytest.mark.clause("LODE-29")
def test_nothing_is_appended_after_a_failed_sync(dataset, monkeypatch):
    """What the kernel did with the bytes is unknown, so the writer stops; what was durable before is kept."""
    sink = writer(dataset)
    sink.append([event(1)])

    def fail(_fd):
        raise OSError(errno.EIO, "bad disk")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreError, match="input/output error"):
            sink.append([event(2)])
    with pytest.raises(StoreError, match="input/output error"):
        sink.append([event(2)])
    assert sink.seal({}).rows == {"item": 1, "metrics": 1}


@pytest.mark.clause("LODE-13")
def test_short_writes_are_continued(dataset, monkeypatch):
    """A kernel that takes a few bytes at a time gets them all."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:7], at))
    sink = writer(dataset)
    sink.append([event(1), event(2)])
    sink.append([event(3)])
    assert sink.seal({}).rows == {"item": 3, "metrics": 1}


def test_failed_run_without_files_can_still_be_recorded(dataset):
    """A record that names nothing is a whole record."""
    dataset.put_record(record(Sealed(), outcome=FAILURE))
    assert quarry.lode.open(dataset.root.parents[1]).verify() == []
