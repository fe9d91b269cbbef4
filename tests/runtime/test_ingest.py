"""The checks of a run's frames, without a process."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.errors import ProtocolError, VersionMismatchError
from quarry.ipc import MAX_CHUNK_BYTES, ArtifactChunk, FileWrite, RunResultFrame
from quarry.runtime.artifacts import Artifacts
from quarry.runtime.files import Files, name_problem
from quarry.runtime.ingest import Ingest
from quarry.types import Event, RunIdentity
from quarry.version import CONTRACT_VERSION

IDENTITY = RunIdentity(run_id="r", attempt=2, job_id="j", parent_run_id="p", root_run_id="root", depth=3)


def make_event(seq=1, kind="item", payload=None, **changes):
    fields = {
        "contract_version": CONTRACT_VERSION,
        "event_id": f"e{seq}",
        "run_id": "r",
        "seq": seq,
        "type": kind,
        "ts": "2026-01-31T12:00:00.000Z",
        "payload": {"item_type": "t", "data": 1} if payload is None else payload,
        "attempt": 2,
    }
    return Event(**{**fields, **changes})


def make_chunk(seq, data=b"x", *, last=False, artifact_id="a"):
    return ArtifactChunk(artifact_id=artifact_id, seq=seq, is_last=last, data=data)


def artifact_event(size, seq=1, artifact_id="a"):
    payload = {"artifact_id": artifact_id, "name": "n", "content_type": "t", "size_bytes": size}
    return make_event(seq, "artifact", payload)


@pytest.mark.clause("IPC-08")
def test_checks_are_made_in_order():
    """Version, then run_id, then attempt, then seq: the first that fails names the fault."""
    wrong = {"contract_version": "9", "run_id": "x", "attempt": 9, "seq": 9}
    for name, words in (
        ("contract_version", "version"),
        ("run_id", "run"),
        ("attempt", "attempt 9"),
        ("seq", "9 came"),
    ):
        with pytest.raises(ProtocolError, match=words):
            Ingest(IDENTITY).event(make_event(**{"seq": 1, **wrong}))
        del wrong[name]
    with pytest.raises(VersionMismatchError):
        Ingest(IDENTITY).event(make_event(contract_version="1.00"))


@pytest.mark.clause("IPC-08")
@given(st.lists(st.integers(-2, 6), min_size=1, max_size=8))
def test_seq_is_last_plus_one(seqs):
    """Exactly 1, 2, 3 … is accepted; the first other number is a fault."""
    ingest = Ingest(IDENTITY)
    for due, seq in enumerate(seqs, 1):
        if seq != due:
            with pytest.raises(ProtocolError):
                ingest.event(make_event(seq))
            break
        assert ingest.event(make_event(seq)).seq == seq


@pytest.mark.clause("RUN-01")
def test_lineage_is_the_runs_own():
    """Lineage that the executor leaves out, or made up, is the run's; a root's root is itself."""
    for event in (make_event(), make_event(job_id="x", parent_run_id="x", root_run_id="x", depth=99)):
        stamped = Ingest(IDENTITY).event(event)
        assert (stamped.job_id, stamped.parent_run_id, stamped.root_run_id, stamped.depth) == (
            "j",
            "p",
            "root",
            3,
        )
    stamped = Ingest(RunIdentity(run_id="r", attempt=2)).event(make_event())
    assert (stamped.job_id, stamped.parent_run_id, stamped.root_run_id, stamped.depth) == (None, None, "r", 0)


TIMES = [
    ("2026-01-31T12:00:00.123Z", "2026-01-31T12:00:00.123Z"),
    ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
    ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123Z"),
    ("2026-01-31T14:00:00.5+02:00", "2026-01-31T12:00:00.500Z"),
    ("2026-01-31 12:00:00", "2026-01-31T12:00:00.000Z"),
    ("20260131T120000Z", "2026-01-31T12:00:00.000Z"),
    ("2026-01-31", "2026-01-31T00:00:00.000Z"),
]


@pytest.mark.clause("IPC-06")
@pytest.mark.parametrize(("given_ts", "stored"), TIMES)
def test_timestamps_become_canonical(given_ts, stored):
    """Any ISO 8601 time is stored as UTC with milliseconds."""
    assert Ingest(IDENTITY).event(make_event(ts=given_ts)).ts == stored


@pytest.mark.clause("IPC-07")
@pytest.mark.parametrize(
    "ts", ["", "yesterday", "2026-13-01T00:00:00.000Z", "0001-01-01T00:00:00+23:00", "1769860800"]
)
def test_what_is_no_time(ts):
    """A ts that is no time is a fault."""
    with pytest.raises(ProtocolError, match="no ISO 8601 time"):
        Ingest(IDENTITY).event(make_event(ts=ts))


PAYLOADS = [
    ("item", {"item_type": "t"}, "data is missing"),
    ("item", {"item_type": 1, "data": 1}, "item_type must be text"),
    ("artifact", {"artifact_id": "a", "name": "n", "content_type": "t", "size_bytes": True}, "whole number"),
    ("artifact", {"artifact_id": "a", "name": "n", "content_type": "t", "size_bytes": "5"}, "whole number"),
    ("checkpoint", {}, "checkpoint_id is missing"),
    ("enqueue", {"target": "x"}, "params is missing"),
    ("enqueue", {"target": None, "params": {}}, "target must be text"),
    ("log", {"level": "info"}, "message is missing"),
    ("run_error", {"message": "m"}, "error_type is missing"),
]


@pytest.mark.clause("IPC-07")
@pytest.mark.parametrize(("kind", "payload", "words"), PAYLOADS)
def test_required_payload_fields(kind, payload, words):
    """A known event without what it must have is a fault."""
    with pytest.raises(ProtocolError, match=words):
        Ingest(IDENTITY).event(make_event(kind=kind, payload=payload))


@pytest.mark.clause("IPC-06")
def test_unknown_types_and_fields_pass():
    """An event type of a later contract is kept, whatever its payload; known ones may have more fields."""
    ingest = Ingest(IDENTITY)
    assert ingest.event(make_event(1, "novelty", {})).type == "novelty"
    assert ingest.event(make_event(2, "rotate_proxy", {"more": 1}))
    assert dict(ingest.received) == {"novelty": 1, "rotate_proxy": 1}


@pytest.mark.clause("RUN-06")
def test_first_terminal_counts():
    """After the first terminal event nothing is stored or even checked; it is counted."""
    ingest = Ingest(IDENTITY)
    terminal = ingest.event(make_event(1, "run_complete", {}))
    assert ingest.terminal is terminal
    assert ingest.event(make_event(1, "run_error", {}, run_id="other")) is None
    assert ingest.chunk(make_chunk(77)) is False
    assert ingest.after_terminal == 2
    first = RunResultFrame(outcome={"status": "completed"})
    ingest.run_result(first)
    ingest.run_result(RunResultFrame(outcome={"status": "crash"}))
    assert ingest.result is first


@pytest.mark.clause("IPC-10")
def test_artifact_rules():
    """Each rule of artifacts, broken once."""
    cases = [
        ([make_chunk(2)], "chunk 1 was due, 2 came"),
        ([make_chunk(1), make_chunk(1)], "chunk 2 was due, 1 came"),
        ([make_chunk(1), make_chunk(3)], "chunk 2 was due, 3 came"),
        ([make_chunk(0)], "chunk 1 was due, 0 came"),
        ([make_chunk(1, last=True), make_chunk(2)], "after its last one"),
        ([make_chunk(1, b"x" * (MAX_CHUNK_BYTES + 1))], "the limit is 8388608"),
        ([make_chunk(1, b"x" * 60), make_chunk(2, b"x" * 41)], "more than 100 bytes"),
        ([artifact_event(1)], "without its bytes, or before"),
        ([make_chunk(1), artifact_event(1)], "without its bytes, or before"),
        ([make_chunk(1, last=True), artifact_event(2)], "size_bytes says 2, 1 bytes came"),
        ([make_chunk(1, last=True), artifact_event(1), artifact_event(1)], "came twice"),
    ]
    for frames, words in cases:
        artifacts = Artifacts(max_artifact_bytes=100 if "100" in words else 2**30)
        *good, bad = [
            functools.partial(artifacts.chunk if isinstance(frame, ArtifactChunk) else artifacts.event, frame)
            for frame in frames
        ]
        for step in good:
            step()
        with pytest.raises(ProtocolError, match=words):
            bad()


@pytest.mark.clause("IPC-10")
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=9)), max_size=12),
    st.sets(st.sampled_from("abc")),
)
def test_artifacts_interleave(pieces, committed):
    """Chunks of several artifacts may interleave; sizes add up; what has no event is an orphan."""
    artifacts = Artifacts()
    sizes = {}
    for name, data in pieces:
        count, size = sizes.get(name, (0, 0))
        artifacts.chunk(make_chunk(count + 1, data, artifact_id=name))
        sizes[name] = (count + 1, size + len(data))
    for name in committed:
        count, size = sizes.get(name, (0, 0))
        artifacts.chunk(make_chunk(count + 1, b"", last=True, artifact_id=name))
        artifacts.event(artifact_event(float(size), artifact_id=name))
    stats = artifacts.stats()
    assert (stats.count, stats.bytes) == (
        len(committed),
        sum(sizes.get(name, (0, 0))[1] for name in committed),
    )
    orphans = set(sizes) - committed
    assert (stats.orphans, stats.orphan_bytes) == (len(orphans), sum(sizes[name][1] for name in orphans))


@pytest.mark.clause("IPC-11")
def test_file_names():
    """What may be a file's name, counted in bytes."""
    good = ["a", "a b.txt", "…", ".hidden", "...", "x" * 255, "é" * 127, "-", "con", "a:b"]
    bad = ["", ".", "..", "a/b", "/a", "a\\b", "a\0b", "x" * 256, "é" * 128]
    assert [name for name in good if name_problem(name)] == []
    assert [name for name in bad if not name_problem(name)] == []


@pytest.mark.clause("IPC-11")
def test_a_failed_name_is_free_again():
    """A name whose write failed may be put again; one that was stored may not."""
    files = Files()
    write = FileWrite(write_id=1, filename="f", content_type="t", data=b"")
    assert files.refusal(write, terminated=False) is None
    files.failed("f")
    assert files.refusal(write, terminated=False) is None
    files.stored()
    assert "already" in files.refusal(write, terminated=False)
    assert files.refusal(write, terminated=True) == "run already terminated"
    assert (files.stats().ok, files.stats().refused) == (1, 3)


@pytest.mark.clause("RUN-37")
@pytest.mark.parametrize("kind", ["", "x" * 65, "metrics", "artifact_chunk", "fanout_summary"])
def test_a_type_that_a_dataset_could_not_tell_apart_is_a_fault(kind):
    """Empty, too long, or a name of Quarry's own rows."""
    with pytest.raises(ProtocolError, match="type"):
        Ingest(IDENTITY).event(make_event(kind=kind))


@pytest.mark.clause("RUN-37")
def test_a_type_of_a_later_contract_is_kept():
    """Unknown names pass as they are."""
    assert Ingest(IDENTITY).event(make_event(kind="x" * 64, payload={"any": 1})) is not None
