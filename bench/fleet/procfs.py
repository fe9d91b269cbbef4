"""What procfs says of processes and of everything below them. Linux only."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _CUTIME, _BEHIND = 11, 13, 15
"""Places of utime, stime, cutime and cstime among the fields behind the command's name."""


def tree(pid: int) -> list[int]:
    """Give a process and all below it, parents first; empty where it is gone."""
    if not Path(f"/proc/{pid}/stat").exists():
        return []
    found = [pid]
    for process in found:
        for path in Path(f"/proc/{process}/task").glob("*/children"):
            found += [int(child) for child in _read(path).split()]
    return found


def own_cpu_s(pid: int) -> float:
    """CPU seconds of one process alone."""
    return _ticks(pid, _UTIME, _CUTIME)


def cpu_below_s(pid: int) -> float:
    """CPU seconds of everything below a process, ended or not."""
    return _ticks(pid, _CUTIME, _BEHIND) + sum(_ticks(child, _UTIME, _BEHIND) for child in tree(pid)[1:])


def pss_bytes(pid: int, part: str = "Pss") -> int:
    """Proportional set size: shared pages are shared out among those who map them. 0 where it is gone.

    Args:
        pid: The process.
        part: ``Pss``; ``Pss_Anon`` leaves out files, whose share changes with the number of *other* processes
            that map the same libraries.
    """
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith(f"{part}:".encode()):
            return int(line.split()[1]) * 1024
    return 0


def io_of(pid: int) -> dict[str, int]:
    """Reads and writes of one process: ``syscr``, ``syscw``, ``write_bytes`` and others."""
    lines = _read(Path(f"/proc/{pid}/io")).decode().splitlines()
    return {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}


def _ticks(pid: int, start: int, end: int) -> float:
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
    return sum(map(int, fields[start:end])) / _TICKS


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile
        return b""
