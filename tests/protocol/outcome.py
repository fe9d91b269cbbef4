"""What a crawl left behind: compared with what the undisturbed one left."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import quarry.lode
from quarry.lode import layout
from quarry.types import Counts
from tests.protocol.stage import CRAWL

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from quarry.lode import CommitRecord, Reader

PREFIX = f"q:{{{CRAWL}}}:"
LASTING = {b"quarry:crawls", b"quarry:ended"}
"""Keys of the Redis that are no crawl's own."""


def outcome(storage: Path) -> dict[str, Any]:
    """What a reader sees: records, rows and files, without what is the delivery's own (times, TOKENs)."""
    reader = quarry.lode.open(storage)
    runs = {record.key: _shown(reader, record) for record in reader.runs(crawl=CRAWL)}
    attempts = {
        record.run_id: (record.key, record.attempt, record.outcome.status.value, record.enqueue_events)
        for record in reader.attempts(crawl=CRAWL)
    }
    summary = reader.summary(CRAWL)
    assert summary is not None, "the crawl has no summary"
    shown = {name: summary[name] for name in ("state", "records", "event_count", "enqueue_events", "rows")}
    return {"runs": runs, "attempts": attempts, "summary": shown}


def _shown(reader: Reader, record: CommitRecord) -> dict[str, Any]:
    rows = reader.read(record.run_id).to_pylist() if record.files else []
    said = [
        (row["seq"], row["type"], row["payload"], row["data"]) for row in rows if row["type"] != "metrics"
    ]
    chunks = hashlib.sha256()
    for row in rows:
        chunks.update(row.get("chunk") or b"")
    files = {sidecar.filename: (reader.root / sidecar.path).read_bytes() for sidecar in record.sidecars}
    return {
        "run": (record.run_id, record.attempt, record.outcome.status.value, record.outcome.error_type),
        "lineage": (record.parent_run_id, record.parent_job, record.root_run_id, record.depth),
        "enqueue_events": record.enqueue_events,
        "rows": sorted(said, key=repr),
        "chunks": chunks.hexdigest(),
        "files": files,
    }


def read_counts(client: redis.Redis) -> Counts:
    """All counters, as the ledger has them."""
    read = {name.decode(): int(value) for name, value in client.hgetall(PREFIX + "n").items()}
    return Counts(**{name: read.get(name, 0) for name in Counts.__struct_fields__})


def check_end(client: redis.Redis, storage: Path, *, orphans: int = 0) -> None:
    """Both equations, a dataset without fault, nothing left in Redis and on disk.

    Args:
        client: The server.
        storage: Storage path.
        orphans: Deliveries that could not clean up behind themselves.
    """
    reader = quarry.lode.open(storage)
    assert reader.verify() == []
    counts = read_counts(client)
    assert counts.imbalances() == []
    records = reader.runs(crawl=CRAWL)
    final = {record.key: record.attempt for record in records}
    said = sum(record.enqueue_events for record in records)
    said += sum(a.enqueue_events for a in reader.attempts(crawl=CRAWL) if a.attempt < final[a.key])
    assert counts.received - counts.replayed - counts.seeds == said, counts
    ended = Counter("succeeded" if r.outcome.status.value == "success" else "failed" for r in records)
    assert (counts.succeeded, counts.failed) == (ended["succeeded"], ended["failed"]), counts
    assert (counts.pending, counts.leased, counts.committing, counts.seeding) == (0, 0, 0, 0), counts
    _check_redis(client)
    standing = {record.token for record in records} | {a.token for a in reader.attempts(crawl=CRAWL)}
    left = {_owner(orphan.path) for orphan in reader.orphans()} - {None}
    assert not left & standing, f"files of a delivery whose record stands: {left & standing}"
    assert len(left) <= orphans, left


def _check_redis(client: redis.Redis) -> None:
    head = client.hgetall(PREFIX + "meta")
    assert head[b"status"] == b"closed"
    assert b"announced" in head
    assert client.smembers("quarry:crawls") == set(), "the crawl is still registered"
    for name in ("leases", "unclaimed", "owed", "pending", "st", "job", "msg"):
        assert not client.exists(PREFIX + name), f"{name} is left: {client.type(PREFIX + name)}"
    for key in client.scan_iter():
        assert key in LASTING or (key.startswith(PREFIX.encode()) and client.pttl(key) > 0), (
            f"{key!r} is left"
        )


def _owner(path: str) -> str | None:
    """TOKEN of a delivery that a file is of; None for a temporary file of a record."""
    tree, *rest = path.split("/")
    if tree == layout.LIVE:
        return rest[1]
    if "files" in rest:
        return rest[rest.index("files") + 1]
    part = layout.parse_part(path)
    if part is not None:
        return part.token
    name = path.rpartition("/")[2]
    assert name.endswith(layout.TEMP_SUFFIX), f"a file that nobody should have left: {path}"
    return name.split("-")[1] if name.startswith(".part-") else None
