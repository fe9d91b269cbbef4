"""Stores, specs and processes for the runtime's tests."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from pathlib import Path

from quarry.errors import StoreError
from quarry.policy import PolicyCounters
from quarry.runtime import RunSpec
from quarry.types import RunIdentity


class MemoryPolicy:
    """Keeps events in memory; can be slow, or fail at a moment."""

    name = "memory"

    def __init__(self, *, delay_s=0.0, fail_ingest_at=None, fail_flush=False, keep=True):
        self.events = []
        self.batches = []
        self.chunks = {}
        self.log = []
        self.flushes = 0
        self.threads = set()
        self.inside = 0
        self.kept = 0
        self._delay_s = delay_s
        self._fail_ingest_at = fail_ingest_at
        self._fail_flush = fail_flush
        self._keep = keep

    def ingest(self, events):
        self.inside += 1
        assert self.inside == 1, "a run's policy is never called twice at once"
        self.threads.add(threading.current_thread().name)
        time.sleep(self._delay_s)
        if self._fail_ingest_at is not None and self.kept + len(events) >= self._fail_ingest_at:
            self.inside -= 1
            raise StoreError("no space left on device", kind="no_space")
        self.kept += len(events)
        if self._keep:
            self.events.extend(events)
        self.batches.append(len(events))
        self.log.extend(("event", event.type) for event in events)
        self.inside -= 1

    def chunk(self, chunk):
        self.chunks.setdefault(chunk.artifact_id, bytearray()).extend(chunk.data)
        self.log.append(("chunk", chunk.artifact_id))

    def flush(self):
        self.flushes += 1
        if self._fail_flush:
            raise StoreError("flush timed out", kind="timeout")

    def counters(self):
        return PolicyCounters(received=dict(Counter(event.type for event in self.events)))

    def types(self):
        return [event.type for event in self.events]

    def items(self):
        return [event.payload["data"] for event in self.events if event.type == "item"]


class MemoryFiles:
    """Keeps files in memory; refuses ``full.bin``."""

    def __init__(self):
        self.files = {}

    def __call__(self, filename, content_type, data):
        if filename == "full.bin":
            raise StoreError("no space left on device", kind="no_space")
        self.files[filename] = (content_type, data)
        return f"prefix/{filename}"


def make_spec(script, *, run_id="run-1", job=None, timeout_ms=60_000, **changes):
    identity = RunIdentity(
        run_id=run_id,
        attempt=changes.pop("attempt", 1),
        job_id=changes.pop("job_id", "job-7"),
        parent_run_id=changes.pop("parent_run_id", None),
        root_run_id=changes.pop("root_run_id", None),
        depth=changes.pop("depth", 0),
    )
    return RunSpec(
        identity=identity,
        script=script,
        job={} if job is None else job,
        dataset="d",
        source="s",
        category="c",
        day="2026-01-31",
        files_prefix="p/files/T",
        timeout_ms=timeout_ms,
        **changes,
    )


async def until(condition, *, seconds=20.0):
    """Poll until the condition gives something true, and give that."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)
    return value


def descendants(pid):
    """Process ids below this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, level = set(), {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level} - found
        found |= level
    return found


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def rss_bytes(pid=None):
    return int(Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()[1]) * 4096
