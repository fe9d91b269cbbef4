"""The process that stands between the runtime and an executor; run by path, imports nothing of Quarry.

``python -I -S guard.py STATUS_FD PARENT_PID ARGV0 PATH ARGS...``

It leads a process group of its own, becomes the subreaper of everything below it, starts the executor in that
group, and ends when the executor ends. Whatever ends first, nothing below it is left over: not when the
runtime is killed with ``kill -9`` (its pidfd becomes readable), not a browser that made itself a session of
its own (as Playwright's do, out of reach of ``killpg``).

Signals: TERM is for the executor (the whole group gets it) and is ignored here; USR1 means: kill everything
below, now. STATUS_FD gets one line at the start, ``pid N`` or ``error TEXT``, and ``maxrss KIB`` at the end.
The exit code is the executor's; where a signal killed it, the guard dies of the same signal.

Rejected: ``preexec_fn`` (runs Python in a fork of a threaded process), and the parent-death signal alone (it
follows the creating thread, and reaches no grandchild).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PARENT_POLL_MS = 500
REAP_SECONDS = 5.0
COULD_NOT_START = 127

_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WAKING = (signal.SIGCHLD, signal.SIGUSR1)
_OURS = (*_IGNORED, *_WAKING, signal.SIGPIPE, signal.SIGXFSZ)  # the last two: Python's own, at its start


def main(argv: list[str]) -> int:
    """Run the executor named by the arguments; give the exit code to end with (below zero: a signal)."""
    status_fd, parent_pid, argv0, path, *rest = argv
    status = int(status_fd)
    os.set_inheritable(status, False)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in _WAKING:
        signal.signal(number, lambda *_: None)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    child, problem = _start(path, [argv0, *rest])
    if problem:
        os.write(status, f"error {problem}\n".encode())
        return COULD_NOT_START
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"pid {child}\n".encode())
    _let_go_of_streams()
    code, peak_kib = _watch(child, int(parent_pid), wake_read)
    with contextlib.suppress(OSError):
        os.write(status, f"maxrss {peak_kib}\n".encode())
    return code


def _prctl(option: int, value: int) -> None:
    """Call prctl where there is one."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _start(path: str, argv: list[str]) -> tuple[int, str]:
    """Fork and exec; give the pid, and why it failed where it did."""
    error_read, error_write = os.pipe()  # closed by a successful exec
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            for number in _OURS:
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == guard:
                os.execv(path, argv)  # noqa: S606  the executor that the user named
        except OSError as error:
            os.write(error_write, os.strerror(error.errno or 0).encode())
        finally:
            os._exit(COULD_NOT_START)
    os.close(error_write)
    problem = os.read(error_read, 4096).decode()
    os.close(error_read)
    return child, problem


def _let_go_of_streams() -> None:
    """Leave the pipes to the executor: end-of-file must mean the executor's."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


def _watch(child: int, parent: int, wake_read: int) -> tuple[int, int]:
    """Wait until the executor, the parent, or the parent's patience has ended; then end everything."""
    poller = select.poll()
    poller.register(wake_read, select.POLLIN)
    with contextlib.suppress(OSError, AttributeError):  # gone already, or no pidfds here
        poller.register(os.pidfd_open(parent), select.POLLIN)
    code: int | None = None
    peak_kib = 0
    while code is None:
        if os.getppid() != parent:
            break
        ready = poller.poll(PARENT_POLL_MS)
        if any(fd != wake_read for fd, _ in ready):
            break
        if ready and bytes([signal.SIGUSR1]) in os.read(wake_read, 4096):
            break
        code, peak_kib = _reap(child)
    killed_code, killed_peak = _kill_everything(child)
    if code is None:
        code = -signal.SIGKILL if killed_code is None else killed_code
    return code, max(peak_kib, killed_peak)


def _reap(child: int, *, flags: int = os.WNOHANG) -> tuple[int | None, int]:
    """Collect who has ended; give the executor's exit code once it is among them."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, flags)
        except ChildProcessError:
            return None, 0
        if pid == 0:
            return None, 0
        if pid == child:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss


def _kill_everything(child: int) -> tuple[int | None, int]:
    """Kill every descendant until none is left."""
    code: int | None = None
    peak_kib = 0
    deadline = time.monotonic() + REAP_SECONDS
    while time.monotonic() < deadline:
        for pid in _descendants():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == child:
            code, peak_kib = os.waitstatus_to_exitcode(status), usage.ru_maxrss
        elif pid == 0:
            time.sleep(0.005)
    return code, peak_kib


def _descendants() -> list[int]:
    """List the processes below this one; empty where there is no /proc."""
    parents: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError):
                    parents[int(name)] = _parent_of(name)
    found: list[int] = []
    level = {os.getpid()}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found.extend(level)
    return found


def _parent_of(pid: str) -> int:
    fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    try:
        return int(os.read(fd, 4096).rpartition(b")")[2].split()[1])
    finally:
        os.close(fd)


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    if exit_code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -exit_code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-exit_code, signal.SIG_DFL)
        os.kill(os.getpid(), -exit_code)
        exit_code = 128 - exit_code
    os._exit(exit_code)
