"""What this process may use of the machine, after affinity and control groups (version 2 or 1)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.sdk.cgroup import read_cgroup
from quarry.tasks.capacity import Figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNKNOWN_BYTES = 2 << 30
"""Memory that is assumed where the system does not say."""


def read_figures(
    *, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup", cores: int | None = None
) -> Figures:
    """Read them.

    Args:
        proc: Where procfs is mounted.
        cgroups: Where control groups are mounted.
        cores: Cores that the process may run on; None asks the system.
    """
    allowed = float(cores if cores is not None else _cores())
    limit = read_cgroup(proc, cgroups)
    memory_bytes = _memory_bytes(proc)
    return Figures(
        cores=min([allowed, *_quotas(proc, Path(cgroups))]),
        memory_bytes=min(memory_bytes, limit.limit_bytes) if limit else memory_bytes,
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _memory_bytes(proc: str) -> int:
    try:
        for line in Path(proc, "meminfo").read_text(encoding="ascii").splitlines():
            name, _, rest = line.partition(":")
            if name == "MemTotal":
                return int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return _UNKNOWN_BYTES


def _quotas(proc: str, root: Path) -> Iterator[float]:
    """Give the cores that the process's group and those above it may use at once, where they have a quota."""
    try:
        lines = Path(proc, "self", "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield from _levels(root, path, _quota_2)
        elif "cpu" in controllers.split(","):
            for mount in ("cpu", "cpu,cpuacct"):
                yield from _levels(root / mount, path, _quota_1)


def _levels(root: Path, path: str, read: Callable[[Path], float | None]) -> Iterator[float]:
    """Read the groups from the path up to the root; in a container only the root may be visible."""
    parts = [part for part in path.split("/") if part and part != ".."]
    for depth in range(len(parts), -1, -1):
        quota = read(root.joinpath(*parts[:depth]))
        if quota is not None:
            yield quota


def _quota_2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # ValueError: "max"
        return None


def _quota_1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="ascii"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="ascii"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
