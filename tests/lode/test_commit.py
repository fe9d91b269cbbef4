"""Records: created once, read by all, durable before anybody relies on them."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import quarry.lode
from quarry.errors import StoreConflictError, StoreError
from quarry.lode import Dataset
from quarry.types import Outcome, OutcomeStatus
from tests.lode.children import start
from tests.lode.samples import CRAWL, DAY, commit, event, files_below, key_of, record, writer

FAILED = Outcome(status=OutcomeStatus.SCRIPT_ERROR, message="boom", error_type="ValueError")


@pytest.mark.clause("LODE-18")
def test_first_record_stands_and_later_ones_are_given_it(dataset):
    """The second put returns the first record; nothing temporary is left."""
    first, second = record(token="aa"), record(token="bb", outcome=FAILED)
    assert dataset.put_record(first) == first
    assert dataset.put_record(second) == first
    assert dataset.put_record(first) == first
    assert dataset.get_record(DAY, CRAWL, key_of(1)) == first
    assert files_below(dataset) == {f"runs/day={DAY}/crawl={CRAWL}/{key_of(1)}.json"}


@pytest.mark.clause("LODE-18", "LODE-21")
def test_sixteen_racing_processes_make_one_record(tmp_path):
    """One wins, all read the same, and after the losers' discard only the winner's files lie there."""
    racers = [start("race", tmp_path, number) for number in range(16)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60)[0].split() for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 16
    assert len({standing for _, standing in said}) == 1
    winner = said[0][1]
    assert sum(token == standing for token, standing in said) == 1
    reader = quarry.lode.open(tmp_path)
    assert [run.token for run in reader.runs()] == [winner]
    assert reader.verify() == []
    assert reader.orphans() == []
    assert reader.read("run-1").num_rows == 3
    assert all(winner in path or path.startswith("runs/") for path in files_below(Dataset.at(tmp_path)))


class Trace:
    """Notes every call that makes something durable, visible or gone, in order."""

    def __init__(self, monkeypatch) -> None:
        self.calls: list[tuple[str, str]] = []
        for name in ("fsync", "fdatasync"):
            self._wrap(monkeypatch, name, lambda fd: str(Path(f"/proc/self/fd/{fd}").readlink()))
        for name in ("rename", "link"):
            self._wrap(monkeypatch, name, lambda source, target: str(target))

    def _wrap(self, monkeypatch, name, label) -> None:
        real = getattr(os, name)

        def call(*args):
            answer = real(*args)
            self.calls.append((name, label(*args)))
            return answer

        monkeypatch.setattr(os, name, call)

    def synced_after(self, path: str) -> list[str]:
        """What was synced after this path got its name."""
        at = max(
            i for i, (name, target) in enumerate(self.calls) if target == path and name in {"rename", "link"}
        )
        return [target for name, target in self.calls[at + 1 :] if "sync" in name]


@pytest.mark.clause("LODE-15", "LODE-16")
def test_all_that_a_record_names_is_synced_before_the_record(dataset, monkeypatch):
    """Each file is synced before it is named, each folder after, up to one that is durable; then the record."""
    commit(dataset, 1)  # what runs share is durable from here on
    trace = Trace(monkeypatch)
    sink = writer(dataset, "run-2", "tok2")
    sink.append([event(1, run_id="run-2"), event(2, "run_complete", run_id="run-2")])
    key = sink.put_file("f", "x/y", b"1")
    sealed = sink.seal({})
    sealed_at = len(trace.calls)
    dataset.put_record(record(sealed, 2, run_id="run-2", token="tok2"))
    root = str(dataset.root)
    run = f"{root}/partitions/source=shop/category=default/day={DAY}/run_id=run-2"
    for path in [*(entry.path for entry in sealed.files), key, f"{key}.meta.json"]:
        full = f"{root}/{path}"
        folder = str(Path(full).parent)
        named = trace.calls.index(("rename", full))
        temporary = [
            target for name, target in trace.calls[:named] if name == "fsync" and f"{folder}/" in target
        ]
        assert temporary, f"{path} was named before it was synced"
        synced = trace.synced_after(full)[: sealed_at - named]
        assert {folder, run, str(Path(run).parent)} <= set(synced) | {f"{run}/files"}
    assert f"{run}/files" in {target for _, target in trace.calls[:sealed_at]}
    commits = trace.calls[sealed_at:]
    runs = f"{root}/runs/day={DAY}/crawl={CRAWL}"
    assert [name for name, _ in commits] == ["fsync", "link", "fsync"]
    assert commits[0][1].startswith(f"{runs}/.tok2-")
    assert commits[1:] == [("link", f"{runs}/{key_of(2)}.json"), ("fsync", runs)]


@pytest.mark.clause("LODE-13")
def test_append_syncs_names_once_and_data_each_time(dataset, monkeypatch):
    """The first append syncs the folders that lead to the segment; later ones sync the segment alone."""
    commit(dataset, 1)
    trace = Trace(monkeypatch)
    sink = writer(dataset, "run-2", "tok2")
    sink.append([event(1)])
    live = f"{dataset.root}/live"
    segment = f"{live}/run-2/tok2/events.ndjson"
    assert [target for _, target in trace.calls] == [f"{live}/run-2/tok2", f"{live}/run-2", live, segment]
    trace.calls.clear()
    sink.append([event(2)])
    assert trace.calls == [("fdatasync", segment)]
    sink.discard()


@pytest.mark.clause("LODE-16")
def test_no_folder_is_synced_twice_for_one_commit(dataset, monkeypatch):
    """What a small run costs: one sync a file, one a folder of its own, three for live, two for the record."""
    commit(dataset, 1)
    trace = Trace(monkeypatch)
    events = [
        event(1, run_id="run-2"),
        event(2, "enqueue", run_id="run-2"),
        event(3, "run_complete", run_id="run-2"),
    ]
    commit(dataset, 2, *events)
    syncs = [target for name, target in trace.calls if "sync" in name]
    assert len(syncs) == len(set(syncs))
    files = 4
    assert len(syncs) == (1 + 3) + 2 * files + 2 + 2


@pytest.mark.clause("LODE-19")
def test_who_finds_a_record_makes_it_durable_first(dataset, tmp_path, monkeypatch):
    """get_record, record_keys, records and a put that loses sync the folder; a dataset open for reading doesn't."""
    other = Dataset.create(tmp_path)
    other.put_record(record(token="aa"))
    other.put_attempt(record(token="aa", run_id="run-0", outcome=FAILED))
    trace = Trace(monkeypatch)
    runs = f"{dataset.root}/runs/day={DAY}/crawl={CRAWL}"
    for find in (
        lambda: dataset.get_record(DAY, CRAWL, key_of(1)),
        lambda: dataset.record_keys(DAY, CRAWL),
        lambda: list(dataset.records(DAY, CRAWL)),
        lambda: dataset.put_record(record(token="bb")),
    ):
        trace.calls.clear()
        find()
        assert ("fsync", runs) in trace.calls
    trace.calls.clear()
    assert dataset.get_attempt(DAY, CRAWL, "run-0") is not None
    assert ("fsync", runs.replace("/runs/", "/attempts/")) in trace.calls
    trace.calls.clear()
    reading = Dataset.at(tmp_path)
    assert reading.get_record(DAY, CRAWL, key_of(1)).token == "aa"
    assert reading.record_keys(DAY, CRAWL) == [key_of(1)]
    assert trace.calls == []


@pytest.mark.clause("LODE-20")
def test_link_whose_answer_was_lost_is_looked_up(dataset, monkeypatch):
    """The link was made and the answer is a fault: the put sees that it won."""
    real = os.link

    def link_and_fail(source, target):
        real(source, target)
        raise OSError(errno.EIO, "lost answer")

    monkeypatch.setattr(os, "link", link_and_fail)
    assert dataset.put_record(record(token="aa")).token == "aa"


@pytest.mark.clause("LODE-20")
def test_link_that_was_repeated_by_the_network_is_our_own(dataset, monkeypatch):
    """A server that did it twice answers "exists" to its own client: the record is ours."""
    real = os.link

    def link_twice(source, target):
        real(source, target)
        real(source, target)

    monkeypatch.setattr(os, "link", link_twice)
    mine = record(token="aa")
    assert dataset.put_record(mine) is mine


@pytest.mark.clause("LODE-20")
def test_unknown_fate_is_said_and_the_next_put_tells(dataset, monkeypatch):
    """The folder can't be synced: the error says so, and putting again gives the record that stands."""
    dataset.put_record(record(number=2))
    real = os.fsync

    def fail_on_folders(fd):
        if Path(f"/proc/self/fd/{fd}").is_dir():
            raise OSError(errno.EIO, "bad disk")
        real(fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail_on_folders)
        with pytest.raises(StoreError) as caught:
            dataset.put_record(record(token="aa"))
    assert caught.value.context["fate"] == "unknown"
    assert dataset.put_record(record(token="aa")).token == "aa"


@pytest.mark.clause("LODE-18")
def test_file_system_without_hard_links_is_named(dataset, monkeypatch):
    """The error says what commits need, and no temporary file is left."""

    def refuse(source, target):
        raise OSError(errno.EOPNOTSUPP, "no")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreError, match="hard links"):
        dataset.put_record(record())
    assert files_below(dataset) == set()


@pytest.mark.clause("LODE-22")
def test_attempts_are_created_once_and_ignored_beside_a_final_record_of_their_run(dataset, tmp_path):
    """Two attempts stand; the one whose run id the final record has is not listed and not read."""
    one = record(token="aa", run_id="try-1", outcome=FAILED, enqueue_events=3)
    two = record(token="bb", run_id="try-2", attempt=2, outcome=FAILED)
    assert dataset.put_attempt(one) == one
    assert dataset.put_attempt(record(token="cc", run_id="try-1")) == one
    dataset.put_attempt(two)
    reader = quarry.lode.open(tmp_path)
    assert [run.run_id for run in reader.attempts()] == ["try-1", "try-2"]
    assert reader.run("try-2") == two
    final = record(token="dd", run_id="try-2", attempt=2)
    dataset.put_record(final)
    assert [run.run_id for run in reader.attempts()] == ["try-1"]
    assert [run.run_id for run in dataset.attempts(DAY, CRAWL)] == ["try-1"]
    assert reader.run("try-2") == final


@pytest.mark.clause("LODE-21")
def test_drop_files_takes_a_lost_deliverys_files_and_refuses_a_standing_ones(dataset):
    """Who adopts may clean up after the loser that died, but never what a record names."""
    stands = commit(dataset, 1, token="aaaa")
    lost = writer(dataset, "run-1", "bbbb")
    lost.append([event(1)])
    left = record(lost.seal({}), token="bbbb")
    dataset.drop_files(left)
    assert not [path for path in files_below(dataset) if "bbbb" in path]
    with pytest.raises(StoreConflictError):
        dataset.drop_files(stands)
    assert {entry.path for entry in stands.files} <= files_below(dataset)


@pytest.mark.clause("LODE-23")
def test_summary_is_created_once(dataset):
    """The first stands; the second caller gets it."""
    assert dataset.get_summary(DAY, CRAWL) is None
    assert dataset.put_summary(DAY, CRAWL, {"records": 1}) == {"records": 1}
    assert dataset.put_summary(DAY, CRAWL, {"records": 2}) == {"records": 1}
    assert dataset.get_summary(DAY, CRAWL) == {"records": 1}


@pytest.mark.clause("LODE-23")
def test_index_holds_every_record_once_and_is_replaced_whole(dataset):
    """One row a final record and one an attempt that counts; the job as JSON."""
    commit(dataset, 1)
    dataset.put_index(DAY, CRAWL)
    commit(dataset, 2, outcome=FAILED)
    dataset.put_attempt(record(number=2, token="zz", run_id="run-2a", outcome=FAILED))
    dataset.put_attempt(record(number=2, token="zz", run_id="run-2", outcome=FAILED))
    dataset.put_index(DAY, CRAWL)
    rows = pq.read_table(
        dataset.root / f"crawls/day={DAY}/crawl={CRAWL}/index.parquet", partitioning=None
    ).to_pylist()
    assert [(row["run_id"], row["final"], row["outcome"]) for row in rows] == [
        ("run-1", True, "success"),
        ("run-2", True, "script_error"),
        ("run-2a", False, "script_error"),
    ]
    assert json.loads(rows[0]["job"]) == {"url": "http://127.0.0.1/"}
    assert rows[0]["bytes"] > 0
    assert len(rows[0]["files"]) == 3
    assert not [path for path in files_below(dataset, "crawls") if path.endswith(".tmp")]


@pytest.mark.clause("LODE-24")
def test_fields_of_a_later_version_are_ignored(dataset):
    """A record with more fields, and one with only the required ones, are read."""
    made = record()
    dataset.put_record(made)
    path = dataset.root / f"runs/day={DAY}/crawl={CRAWL}/{key_of(1)}.json"
    value = json.loads(path.read_text())
    value["colour"] = "red"
    for field in ("sidecars", "counters", "depth", "rows"):
        del value[field]
    path.write_text(json.dumps(value))
    assert dataset.get_record(DAY, CRAWL, key_of(1)).run_id == "run-1"


def test_damaged_record_is_an_error_that_names_it(dataset):
    """Nothing is guessed about what it held."""
    dataset.put_record(record())
    path = dataset.root / f"runs/day={DAY}/crawl={CRAWL}/{key_of(1)}.json"
    path.write_text("{")
    with pytest.raises(StoreError, match=f"{key_of(1)}.json is not a commit record"):
        dataset.get_record(DAY, CRAWL, key_of(1))


def test_crawl_exists_as_soon_as_anything_is_recorded(dataset):
    """A final record, an attempt or a summary, on any day; empty folders and other crawls are nothing."""
    assert not dataset.crawl_exists(CRAWL)
    (dataset.root / f"runs/day={DAY}/crawl={CRAWL}").mkdir(parents=True)
    assert not dataset.crawl_exists(CRAWL)
    dataset.put_record(record(crawl="a/b", day="2020-01-01"))
    assert dataset.crawl_exists("a/b")
    dataset.put_attempt(record(crawl="c", outcome=FAILED))
    assert dataset.crawl_exists("c")
    dataset.put_summary(DAY, "d", {})
    assert dataset.crawl_exists("d")
    assert not dataset.crawl_exists("a")


def test_enqueue_payloads_come_from_the_files_in_order(dataset):
    """Only enqueue events, by seq; a run without any has none."""
    events = [event(n, "enqueue" if n % 2 else "log", {"n": n}) for n in range(1, 300)]
    made = commit(dataset, 1, *events)
    assert [payload["n"] for payload in dataset.enqueue_payloads(made)] == list(range(1, 300, 2))
    assert dataset.enqueue_payloads(commit(dataset, 2)) == []


def test_folder_that_somebody_removed_is_made_again(dataset):
    """A put after the crawl's folder was removed makes it anew instead of failing for ever."""
    import shutil

    dataset.put_record(record(number=1))
    shutil.rmtree(dataset.root / "runs")
    assert dataset.put_record(record(number=2)).key == key_of(2)


@pytest.mark.clause("LODE-30")
def test_dataset_open_for_reading_refuses_to_write(tmp_path):
    """Nothing is made, not even its own folder."""
    dataset = Dataset.at(tmp_path / "none")
    assert dataset.record_keys(DAY, CRAWL) == []
    for act in (
        lambda: dataset.put_record(record()),
        lambda: dataset.put_summary(DAY, CRAWL, {}),
        lambda: dataset.put_index(DAY, CRAWL),
        lambda: writer(dataset),
        lambda: dataset.drop_files(record()),
    ):
        with pytest.raises(StoreError, match="reading only"):
            act()
    assert list(tmp_path.iterdir()) == []


def test_record_that_json_can_not_hold_is_refused(dataset):
    """The sentence names the run; nothing is put."""
    with pytest.raises(StoreError, match="record of run run-1 as JSON"):
        dataset.put_record(record(job={"x": "\ud800"}))
    assert files_below(dataset) == set()
