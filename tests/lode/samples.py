"""Runs, events and records to write in tests."""

from __future__ import annotations

from typing import Any

from quarry.ipc.frames import ArtifactChunk
from quarry.lode import CommitRecord, Dataset, RunWriter, Sealed
from quarry.types import Event, Outcome, OutcomeStatus, RunIdentity

DAY = "2026-01-31"
CRAWL = "crawl-1"
TS = "2026-01-31T12:00:00.123Z"
TS_MS = 1_769_860_800_123


def key_of(number: int) -> str:
    return f"{number:032x}"


def event(seq: int, kind: str = "item", payload: dict[str, Any] | None = None, **over: Any) -> Event:
    run_id = over.pop("run_id", "run-1")
    if payload is None:
        payload = {
            "item": {"item_type": "page", "data": {"n": seq}},
            "enqueue": {"target": "b.py", "params": {"n": seq}},
        }.get(kind, {})
    fields: dict[str, Any] = {
        "contract_version": "1.0",
        "event_id": f"{run_id}/{seq}",
        "run_id": run_id,
        "seq": seq,
        "type": kind,
        "ts": TS,
        "payload": payload,
        "attempt": 1,
        "root_run_id": run_id,
        "depth": 0,
    }
    return Event(**{**fields, **over})


def chunk(artifact: str, seq: int, data: bytes, *, last: bool = False) -> ArtifactChunk:
    return ArtifactChunk(artifact_id=artifact, seq=seq, is_last=last, data=data)


def artifact_event(seq: int, artifact: str, size: int, **over: Any) -> Event:
    payload = {"artifact_id": artifact, "name": artifact, "content_type": "x/y", "size_bytes": size}
    return event(seq, "artifact", payload, **over)


def writer(dataset: Dataset, run_id: str = "run-1", token: str = "tok1", **over: Any) -> RunWriter:
    identity = RunIdentity(run_id=run_id, root_run_id=run_id)
    fields = {"crawl": CRAWL, "day": DAY, "source": "shop", "category": "default", **over}
    return dataset.writer(identity=identity, token=token, **fields)


def record(sealed: Sealed | None = None, number: int = 1, **over: Any) -> CommitRecord:
    """The record of a successful run that left what was sealed."""
    sealed = sealed or Sealed()
    fields: dict[str, Any] = {
        "key": key_of(number),
        "crawl": CRAWL,
        "day": DAY,
        "token": "tok1",
        "run_id": "run-1",
        "attempt": 1,
        "source": "shop",
        "category": "default",
        "target": "a.py",
        "job": {"url": "http://127.0.0.1/"},
        "script": "/x/a.py",
        "outcome": Outcome(status=OutcomeStatus.SUCCESS),
        "policy": "strict",
        "started_at": TS,
        "ended_at": TS,
        "duration_ms": 5,
        "deliveries": 1,
        "contract_version": "1.0",
        "quarry_version": "0",
        "files": sealed.files,
        "sidecars": sealed.sidecars,
        "rows": sealed.rows,
        "event_count": sealed.event_count,
        "enqueue_events": sealed.enqueue_events,
        "orphans": sealed.orphans,
        "artifacts": sealed.artifacts,
    }
    return CommitRecord(**{**fields, **over})


def commit(dataset: Dataset, number: int, *events: Event, **over: Any) -> CommitRecord:
    """Write, seal and commit run ``run-N``; ``over`` changes its record."""
    run_id = over.pop("run_id", f"run-{number}")
    token = over.pop("token", f"tok{number}")
    place = {name: over[name] for name in ("source", "category", "day", "crawl") if name in over}
    sink = writer(dataset, run_id, token, **place)
    sink.append(list(events) or [event(1, run_id=run_id), event(2, "run_complete", run_id=run_id)])
    sealed = sink.seal({"duration_ms": 5})
    made = record(sealed, number, run_id=run_id, token=token, **over)
    assert dataset.put_record(made) == made
    sink.drop_live()
    return made


def files_below(dataset: Dataset, tree: str = "") -> set[str]:
    """Every file of a dataset, relative to its root."""
    root = dataset.root
    return {str(path.relative_to(root)) for path in (root / tree).rglob("*") if not path.is_dir()}
