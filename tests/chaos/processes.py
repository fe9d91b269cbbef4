"""Finding the processes of a run: the tree below one, and all that carry the run's mark."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.harness import children, command_line, tree

if TYPE_CHECKING:
    import signal

MARK = "QUARRY_CHAOS_MARK"
"""Environment variable that everything that a run starts inherits."""


def executors(pid: int) -> list[int]:
    """The executor processes below a worker (not their guards)."""
    found = [child for child in tree(pid) if "-m quarry.executor" in command_line(child)]
    return [
        child for child in found if not any("-m quarry.executor" in command_line(c) for c in children(child))
    ]


def marked(mark: str) -> list[int]:
    """Processes that carry the mark, wherever they have been re-parented; zombies are none."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) == os.getpid() or wanted not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(int(entry.name))
    return found


def send(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to processes, those that ended meanwhile aside."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
