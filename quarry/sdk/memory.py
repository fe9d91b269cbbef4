"""``ctx.memory``: how much memory is used, and how near the limit it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from quarry.sdk.cgroup import CgroupMemory, read_cgroup
from quarry.sdk.process_tree import descendants, rss_bytes

Pressure = Literal["low", "moderate", "high", "critical"]

MODERATE_FROM = 0.60
HIGH_FROM = 0.75
CRITICAL_FROM = 0.90
"""Shares of the limit from which the pressure has that level."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemorySnapshot:
    """Memory at one moment, in bytes; None where the system does not tell.

    Attributes:
        process: Resident memory of the executor process, shared by all runs in it.
        browser: Resident memory of all processes below it, together: browser, its driver, and what scripts
            started themselves; pages shared between them count for each. 0 without such processes.
        cgroup: Limit and use of the control group, or None where there is none or it has no limit.
        machine_total: Memory of the machine.
        machine_available: What the machine could still give.
        used_share: Share of the limit in use: of the control group's where it has one, else of the machine's.
        pressure: ``low`` below 0.60 of the limit, ``moderate`` from 0.60, ``high`` from 0.75, ``critical``
            from 0.90. ``low`` where nothing is known.
    """

    process: int | None
    browser: int | None
    cgroup: CgroupMemory | None
    machine_total: int | None
    machine_available: int | None
    used_share: float | None
    pressure: Pressure


class Memory:
    """Reads memory figures from the system.

    Args:
        proc: Where procfs is mounted.
        cgroup_root: Where the control groups are mounted.
    """

    def __init__(self, *, proc: str = "/proc", cgroup_root: str = "/sys/fs/cgroup") -> None:
        self._proc = proc
        self._cgroup_root = cgroup_root

    def snapshot(self) -> MemorySnapshot:
        """Read all figures now; takes well under a millisecond without a browser, a few with one."""
        own = os.getpid()
        group = read_cgroup(self._proc, self._cgroup_root)
        total, available = _machine(self._proc)
        share = _share(group, total, available)
        return MemorySnapshot(
            process=rss_bytes(self._proc, own),
            browser=_tree(self._proc, own),
            cgroup=group,
            machine_total=total,
            machine_available=available,
            used_share=share,
            pressure=pressure_level(share),
        )


def pressure_level(used_share: float | None) -> Pressure:
    """Name the level of a share of the limit."""
    if used_share is None or used_share < MODERATE_FROM:
        return "low"
    if used_share < HIGH_FROM:
        return "moderate"
    return "high" if used_share < CRITICAL_FROM else "critical"


def _share(group: CgroupMemory | None, total: int | None, available: int | None) -> float | None:
    if group is not None:
        return round((group.usage_bytes - group.reclaimable_bytes) / group.limit_bytes, 4)
    if total and available is not None:
        return round(1 - available / total, 4)
    return None


def _tree(proc: str, pid: int) -> int | None:
    below = descendants(proc, pid)
    if below is None:
        return None
    return sum(rss_bytes(proc, child) or 0 for child in below)


def _machine(proc: str) -> tuple[int | None, int | None]:
    found: dict[str, int] = {}
    try:
        for line in Path(proc, "meminfo").read_text(encoding="ascii", errors="replace").splitlines():
            name, _, rest = line.partition(":")
            if name in {"MemTotal", "MemAvailable"}:
                found[name] = int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return found.get("MemTotal"), found.get("MemAvailable")
