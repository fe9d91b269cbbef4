"""Processes below a process, and their resident memory, from procfs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def rss_bytes(proc: str, pid: int) -> int | None:
    """Give the resident memory of a process; None where it is gone or there is no procfs."""
    try:
        pages = int(Path(proc, str(pid), "statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def descendants(proc: str, pid: int) -> list[int] | None:
    """List all processes below a process.

    Returns:
        Process ids, parents before children; None where there is no procfs.
    """
    if not Path(proc, str(pid)).is_dir():
        return None
    if Path(proc, str(pid), "task", str(pid), "children").exists():
        return _walk(lambda parent: _children(proc, parent), pid)
    by_parent = _all_parents(proc)  # kernels without CONFIG_PROC_CHILDREN
    return _walk(lambda parent: by_parent.get(parent, []), pid)


def _walk(children: Callable[[int], list[int]], pid: int) -> list[int]:
    found: list[int] = []
    queue = [pid]
    while queue:
        below = children(queue.pop())
        found += below
        queue += below
    return found


def _children(proc: str, pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(proc, str(pid), "task").iterdir():
            found += [int(word) for word in (task / "children").read_bytes().split()]
    except (OSError, ValueError):
        pass  # it ended meanwhile
    return found


def _all_parents(proc: str) -> dict[int, list[int]]:
    by_parent: dict[int, list[int]] = {}
    for folder in Path(proc).iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        by_parent.setdefault(parent, []).append(int(folder.name))
    return by_parent
