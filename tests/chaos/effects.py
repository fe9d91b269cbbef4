"""Whether a fault was felt: a run whose fault changed nothing proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarry.types import Counts
    from tests.chaos.logs import Told
    from tests.chaos.run import Run


def unfelt(run: Run, counts: Counts, told: Told) -> list[str]:
    """Name the faults of a run that had no effect."""
    tally = run.tally
    felt = {
        "worker-kill": counts.redeliveries,
        "executor-kill": told.events["executor.lost"] or _crashes(run),
        "redis-kill": tally.get("kills", 0),
        "worker-pause": told.events["lease.lost"] + told.events["run.given_up"] + told.adoptions,
        "client-kill": tally.get("clients-killed", 0),
        "half-open": counts.redeliveries + told.events["lease.beat_failed"],
        "redis-rollback": tally.get("rolled-back-jobs", 0),
        "broker-emptied": tally.get("messages-lost", 0) and told.republished,
        "messages-twice": tally.get("messages-repeated", 0) and told.refused,
        "storage-fails": told.storage_hits,
        "storage-hangs": told.storage_hits,
        "disk-full": told.full_hits if run.disk.refilled_bytes else told.storage_hits,
        "watcher-kill": tally.get("watcher-kills", 0),
    }
    missing = [fault for fault in run.scenario.faults if not felt[fault]]
    if {"worker-kill", "worker-pause", "half-open"} & set(run.scenario.faults) and not counts.redeliveries:
        missing.append("no redelivery")
    return missing


def felt_so_far(run: Run, fault: str) -> bool:
    """Say, while the crawl runs, whether a fault that needs a victim with work in hand has found one."""
    if fault in {"worker-kill", "worker-pause", "half-open"}:
        return run.counts is not None and run.counts.redeliveries > 0
    if fault == "executor-kill":
        return any(
            b"executor_crash" in path.read_bytes()
            for path in run.storage.glob("datasets/*/attempts/*/*/*.json")
        )
    if fault == "redis-rollback":
        return run.tally.get("rolled-back-jobs", 0) > 0
    return True


def _crashes(run: Run) -> int:
    import quarry.lode

    reader = quarry.lode.open(run.storage)
    found = [*reader.attempts(crawl=run.crawl), *reader.runs(crawl=run.crawl)]
    return sum(record.outcome.status == "executor_crash" for record in found)
