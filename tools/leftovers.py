"""Run a command and fail if it leaves a process behind.

    python tools/leftovers.py [--grace SECONDS] COMMAND...

On Linux this process becomes the reaper of every descendant, however often it forked away: what the command
started and did not end is found as a child of this one. No name and no environment is matched, so neither a
cleaned environment nor a foreign process can mislead it. Elsewhere the command is only run.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.05


def become_reaper() -> bool:
    """Make orphaned descendants children of this process; False where the system can't."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def living_descendants() -> dict[int, str]:
    """Name every living descendant of this process.

    Returns:
        Command line by process id, in order of process ids; zombies are no longer alive.
    """
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The name in parentheses may itself hold parentheses: the fields start after the last one.
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(entry.name)] = int(parent)
    return {pid: _command_line(pid) for pid in sorted(parents) if _descends(pid, parents)}


def _descends(pid: int, parents: dict[int, int]) -> bool:
    seen = {pid}
    while (pid := parents.get(pid, 0)) not in {0, *seen}:
        if pid == os.getpid():
            return True
        seen.add(pid)
    return False


def _command_line(pid: int) -> str:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return "(ended)"
    return raw.replace(b"\0", b" ").decode(errors="replace").strip() or "(no command line)"


def wait_until_alone(grace_s: float) -> dict[int, str]:
    """Give descendants a while to end.

    Args:
        grace_s: Seconds to wait at most; processes that were just told to end need some.

    Returns:
        Who is still alive; empty at best.
    """
    deadline = time.monotonic() + grace_s
    while left := living_descendants():
        if time.monotonic() > deadline:
            break
        _reap()
        time.sleep(_POLL_S)
    _reap()
    return left


def end_all(left: dict[int, str]) -> None:
    """Kill what is left, by process id, and see it gone."""
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until_alone(grace_s=2)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def run_and_reap(command: list[str]) -> int:
    """Run a command; reap orphans while it runs, as an init process does, or they would look alive to it.

    Returns:
        Its exit code; 128 + n where signal n ended it.
    """
    process = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command itself
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(process.pid, number))
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode if process.returncode >= 0 else 128 - process.returncode


def main() -> int:
    """Run the command; its exit code, or 1 where it was 0 and something was left."""
    parser = argparse.ArgumentParser(description="Run a command and fail if it leaves a process behind.")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds for stragglers to end (10)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    watching = become_reaper()
    code = run_and_reap(arguments.command)
    name = " ".join(arguments.command)
    if not watching:
        print(f"left behind by {name}: not known on this system", flush=True)
        return code
    left = wait_until_alone(arguments.grace)
    for pid, command in left.items():
        print(f"left behind by {name}: process {pid}: {command}", file=sys.stderr)
    end_all(left)
    if not left:
        print(f"left behind by {name}: no process", flush=True)
    return code or int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
