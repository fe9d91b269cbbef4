"""Looks at a fleet from outside, from time to time."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from bench.fleet import procfs

if TYPE_CHECKING:
    from pathlib import Path

    from bench.fleet.fleet import Fleet
    from quarry.types import Counts


class Sampler:
    """Reads CPU and memory of the fleet's processes.

    Args:
        fleet: A running fleet.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._client = fleet.client()
        self._started = time.monotonic()
        self._base = self.cpu_s()
        self._base_commands = self._client.info("commandstats")
        self._base_stats = self._client.info("stats")
        self._asked = 0

    def sample(self, counts: Counts) -> dict[str, Any]:
        """Take one sample; the caller has read the counters."""
        pids = [worker.pid for worker in self._fleet.workers]
        memory = self._client.info("memory")
        now = self.cpu_s()
        self._asked += 1
        return {
            "t_s": round(time.monotonic() - self._started, 3),
            "runs": counts.succeeded + counts.failed,
            "pending": counts.pending,
            "leased": counts.leased,
            "cpu_s": {name: round(now[name] - self._base[name], 3) for name in now},
            "worker_pss": [procfs.pss_bytes(pid) for pid in pids],
            "worker_anonymous": [procfs.pss_bytes(pid, "Pss_Anon") for pid in pids],
            "executors_pss": [sum(map(procfs.pss_bytes, procfs.tree(pid)[1:])) for pid in pids],
            "redis_used": memory["used_memory"],
            "redis_dataset": memory["used_memory_dataset"],
            "redis_peak": memory["used_memory_peak"],
        }

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far: workers, executors, Redis, and (at its end) the command that seeds."""
        pids = [worker.pid for worker in self._fleet.workers]
        own = os.times()
        return {
            "workers": sum(map(procfs.own_cpu_s, pids)),
            "executors": sum(map(procfs.cpu_below_s, pids)),
            "redis": procfs.own_cpu_s(self._fleet.server.pid or 0),
            "seeder": own.children_user + own.children_system,
        }

    def redis(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give ``INFO commandstats`` at the beginning and now."""
        return self._base_commands, self._client.info("commandstats")

    def traffic(self) -> dict[str, int]:
        """Give bytes that went into and out of Redis, and reads from its sockets."""
        now = self._client.info("stats")
        names = ("total_net_input_bytes", "total_net_output_bytes", "total_reads_processed")
        return {name: now[name] - self._base_stats[name] for name in names}

    def io(self) -> dict[str, int]:
        """Add up reads and writes of the worker processes (not the executors') since their start."""
        total: dict[str, int] = {}
        for worker in self._fleet.workers:
            for name, value in procfs.io_of(worker.pid).items():
                total[name] = total.get(name, 0) + value
        return total

    def close(self) -> None:
        """End the connection."""
        self._client.close()


def storage_of(folder: Path) -> dict[str, Any]:
    """Count files, folders and bytes of a dataset; ``allocated`` is what the disk gives away for them."""
    totals = {"files": 0, "folders": 0, "bytes": 0, "allocated": 0}
    by_tree: dict[str, dict[str, int]] = {}
    waiting = [(str(folder), "")]
    while waiting:
        place, top = waiting.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                name = top or entry.name
                if entry.is_dir(follow_symlinks=False):
                    totals["folders"] += 1
                    waiting.append((entry.path, name))
                    continue
                info = entry.stat(follow_symlinks=False)
                tree = by_tree.setdefault(name, {"files": 0, "bytes": 0})
                tree["files"] += 1
                tree["bytes"] += info.st_size
                totals["files"] += 1
                totals["bytes"] += info.st_size
                totals["allocated"] += info.st_blocks * 512
    return {**totals, "by_tree": by_tree}
