"""What the server's and the worker's process have in common: waiting, ending, and their log's last lines."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

_POLL_S = 0.01
_TAIL_BYTES = 4096


def wait_exit(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Wait for a child of ours to end.

    Returns:
        Whether it ended in time.
    """
    deadline = time.monotonic() + timeout_s
    while process.poll() is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def end_process(process: subprocess.Popen[bytes], steps: list[tuple[signal.Signals, float]]) -> None:
    """End a child that leads a process group, politely first, and leave nobody of its group.

    Args:
        process: Started with a group of its own.
        steps: Each a signal for the process and the seconds that it then has. KILL for the group follows.
    """
    for sign, timeout_s in steps:
        if process.poll() is not None:
            break
        process.send_signal(sign)
        if wait_exit(process, timeout_s):
            break
    # Its own children too (a server that rewrites its file has one), and also where the leader ended first.
    # Until it is reaped, and as long as one member lives, the group's number is not given to anyone else.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.poll() is None:
        process.wait()


def log_tail(path: Path, *, start: int = 0, lines: int = 5) -> str:
    """Return the last lines that a log gained since `start`, joined by ``|``; empty without any."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip())
