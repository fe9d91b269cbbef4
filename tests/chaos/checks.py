"""What must hold when a run has ended."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import quarry.lode
from quarry.types import OutcomeStatus, derived_run_id
from tests.chaos.looks import visible_twice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.lode import CommitRecord, Reader
    from quarry.types import Counts
    from tests.chaos.logs import Told
    from tests.chaos.run import Run

EXPIRING = ("q:{",)
LASTING = ("quarry:ended", "_kombu.binding")
"""Keys that may stay: the list of ended crawls, and what Celery binds its queues with."""


_HARMLESS = frozenset({"client-kill", "messages-twice", "broker-emptied", "watcher-kill", "redis-kill"})
"""Faults that cost no delivery as a rule: where none was, what was received is exactly what the graph says."""


def check_end(run: Run, counts: Counts, told: Told) -> None:
    """Compare records, rows, ledger and logs with the right answer; note what is wrong."""
    reader = quarry.lode.open(run.storage)
    records = {record.key: record for record in reader.runs(crawl=run.crawl)}
    spoilt = {key for key, record in records.items() if _spoilt_by_storage(run, record)}
    _check_jobs(run, records, spoilt)
    for problem in _ledger_problems(run, counts, reader, records):
        run.violation(problem)
    for problem in visible_twice(reader, run):
        run.violation(problem, kind="twice")
    for problem in _row_problems(run, reader, records, spoilt):
        run.violation(problem, kind="lost")
    for finding in reader.verify():
        run.violation(f"verify: {finding.kind} {finding.path}: {finding.text}")
    for problem in _lease_problems(run, told):
        run.violation(problem)
    if not run.scenario.storage_faults:
        for problem in _leftover_files(run, reader, told):
            run.violation(problem)
    announced = told.events["crawl.closed"]
    if announced != 1:
        run.violation(f"the completion was announced {announced} times")


def _spoilt_by_storage(run: Run, record: CommitRecord) -> bool:
    """A run that the failing storage ended, and said so: an outcome that the fault allows."""
    outcome = record.outcome
    return (
        run.scenario.storage_faults
        and outcome.status is OutcomeStatus.POLICY_FAILURE
        and str(outcome.error_type).startswith("storage_")
    )


def _check_jobs(run: Run, records: dict[str, CommitRecord], spoilt: set[str]) -> None:
    wanted = run.answer.jobs
    needed = (
        set(wanted.values()) if not spoilt else _reached_without(run, {wanted.get(k, -1) for k in spoilt})
    )
    missing = [n for key, n in wanted.items() if key not in records and n in needed]
    for n in missing[:10]:
        run.note(f"job {n} of depth {run.graph.depth(n)} has no record")
    if missing:
        run.lost += len(missing) - 1
        run.violation(f"{len(missing)} jobs of the graph have no record", kind="lost")
    strangers = sorted(set(records) - set(wanted))
    if strangers:
        run.violation(f"{len(strangers)} records are of jobs that are not in the graph: {strangers[:3]}")
    for key, record in records.items():
        n = wanted.get(key)
        if n is not None and key not in spoilt:
            for problem in _job_problems(run, n, record):
                run.violation(f"job {n}: {problem}")


def _reached_without(run: Run, cut: set[int]) -> set[int]:
    """Give the jobs that must be there though some, cut short by storage, named none or not all of theirs."""
    reached = set(run.graph.layers()[0])
    layer = list(reached)
    while layer:
        layer = [
            c for n in layer if n not in cut for c in run.graph.children(n) if c >= 0 and c not in reached
        ]
        reached.update(layer)
    return reached


def _job_problems(run: Run, n: int, record: CommitRecord) -> Iterator[str]:
    graph, tries = run.graph, run.answer.attempts[n]
    succeeds = graph.fate(n) != "fails"
    if (record.outcome.status is OutcomeStatus.SUCCESS) != succeeds:
        yield f"ended as {record.outcome.status} ({record.outcome.error_type}: {record.outcome.message})"
    if record.attempt < tries or (record.attempt > tries and "executor-kill" not in run.scenario.faults):
        yield f"ended with attempt {record.attempt}, expected {tries}"
    if record.run_id != derived_run_id(run.crawl, record.key, record.attempt):
        yield f"run id {record.run_id} is not that of (crawl, job, attempt)"
    if record.depth != graph.depth(n):
        yield f"depth {record.depth}, expected {graph.depth(n)}"
    crashed = record.outcome.status is OutcomeStatus.EXECUTOR_CRASH
    if record.enqueue_events != len(graph.children(n)) and not crashed:
        yield f"{record.enqueue_events} enqueue events, expected {len(graph.children(n))}"


def _ledger_problems(
    run: Run, counts: Counts, reader: Reader, records: dict[str, CommitRecord]
) -> Iterator[str]:
    yield from counts.imbalances()
    right = run.answer
    if not counts.idle() or counts.not_executed:
        yield f"work is left: {counts}"
    states = Counter(r.outcome.status is OutcomeStatus.SUCCESS for r in records.values())
    if (counts.succeeded, counts.failed) != (states[True], states[False]):
        yield f"the ledger says {counts.succeeded}+{counts.failed}, the records {states[True]}+{states[False]}"
    if counts.admitted != len(records):
        yield f"{counts.admitted} jobs admitted, {len(records)} records"
    events = sum(record.enqueue_events for record in records.values())
    for attempt in reader.attempts(crawl=run.crawl):
        final = records.get(attempt.key)
        if final is not None and attempt.attempt < final.attempt:
            events += attempt.enqueue_events
    emitted = counts.received - counts.replayed - counts.seeds
    if emitted != events:
        yield f"received - replayed - seeds = {emitted}, the records hold {events} enqueue events"
    if not counts.replayed and not set(run.scenario.faults) - _HARMLESS:
        told = (counts.received, counts.duplicate, counts.beyond_depth)
        if told != (right.received, right.duplicate, right.beyond_depth):
            yield f"received, duplicate, beyond depth are {told}; the graph has {right}"


def _row_problems(
    run: Run, reader: Reader, records: dict[str, CommitRecord], spoilt: set[str]
) -> Iterator[str]:
    """Every item of every job is visible, with the final attempt's run id."""
    rows = reader.scan(event_type="item", crawl=run.crawl, columns=["run_id", "item_type"]).to_pylist()
    seen = Counter(row["run_id"] for row in rows)
    missing = 0
    for key, record in records.items():
        n = run.answer.jobs.get(key)
        if n is None or key in spoilt or record.outcome.status is OutcomeStatus.EXECUTOR_CRASH:
            continue
        missing += seen[record.run_id] != run.graph.parts(n)
    if missing:
        yield f"{missing} jobs do not have all their items visible"


def _lease_problems(run: Run, told: Told) -> Iterator[str]:
    if "redis-rollback" in run.scenario.faults:
        return  # what Redis forgot was given away again, and rightly
    for (key, attempt, delivery), tokens in told.holders.items():
        if len(tokens) > 1:
            yield f"delivery {delivery} of attempt {attempt} of {key} was claimed by {len(tokens)} holders"


def _leftover_files(run: Run, reader: Reader, told: Told) -> Iterator[str]:
    """Only deliveries whose worker was killed may leave files behind."""
    left: Counter[str] = Counter()
    # The record of an attempt that the winner's final record shadows names its files still.
    named = {
        json.loads(path.read_bytes())["token"] for path in run.storage.glob("datasets/*/attempts/*/*/*.json")
    }
    for orphan in reader.orphans():
        token = next((token for token in told.pid_of if token in orphan.path), None)
        if token is not None and token not in named and told.pid_of[token] not in run.killed_pids:
            left[token] += 1
    if left:
        yield f"{sum(left.values())} files are left of {len(left)} deliveries whose worker lived: {list(left)[:3]}"


async def check_keys(run: Run) -> None:
    """After the close only keys that expire are left, and nothing of a lease or a lock."""
    for raw in sorted([key async for key in run.client.scan_iter(count=1000)]):
        key = raw.decode()
        part = key.rpartition(":")[2]
        if key.startswith(EXPIRING):
            if await run.client.pttl(raw) < 0:
                run.violation(f"key {key} does not expire")
            if part in {"leases", "unclaimed", "owed", "pending", "st", "job", "msg"}:
                run.violation(f"key {key} is left: {part}")
        elif not key.startswith(LASTING):
            run.violation(f"key {key} is left")


def check_result(run: Run, counts: Counts) -> None:
    """The watching command printed what the ledger says."""
    result = run.watcher.result()
    if result is None or result.get("fanout") != counts.fanout():
        run.violation(
            f"the watcher printed {result and result.get('fanout')}, the ledger says {counts.fanout()}"
        )
