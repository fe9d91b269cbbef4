"""Children that end with this process, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def make_parent_death_hook() -> Callable[[], None] | None:
    """Make a ``preexec_fn`` after which the kernel kills the child when its parent's *thread* ends.

    The thread that starts the child must therefore live as long as the child should: start children from
    the main thread, never from an executor's.

    Returns:
        The hook; None on systems without the parent-death signal.
    """
    if sys.platform != "linux":
        return None
    # Looked up before the fork: between fork and exec nothing may take a lock that another thread held.
    prctl = ctypes.CDLL(None).prctl
    kill, getppid, end, parent = signal.SIGKILL.value, os.getppid, os._exit, os.getpid()

    def hook() -> None:
        prctl(_PR_SET_PDEATHSIG, kill, 0, 0, 0)
        if getppid() != parent:  # the parent ended before the call
            end(1)

    return hook


def start_watchdog(pid: int) -> subprocess.Popen[bytes]:
    """Start a process that kills a process group when this one ends, for systems without the signal.

    It waits for the end of its standard input, which only this process holds open. Kill it before the group
    is ended, or its number may by then be another's.

    Args:
        pid: Leader of the group.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCHDOG, str(pid)], stdin=subprocess.PIPE, process_group=0
    )


_WATCHDOG = "import os, sys; sys.stdin.buffer.read(); os.killpg(int(sys.argv[1]), 9)"
