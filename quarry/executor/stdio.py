"""Keep the wire's two descriptors to ourselves: what a script prints can't tear a frame."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wire:
    """Private descriptors, never inherited by a child process.

    Attributes:
        in_fd: Frames and requests come in here; non-blocking where the system allows.
        out_fd: Frames leave here; likewise.
    """

    in_fd: int
    out_fd: int


def claim_stdio() -> Wire:
    """Take stdin and stdout for the wire; leave the script an empty stdin, and stderr as its stdout."""
    wire = Wire(in_fd=_private(0, os.O_RDONLY), out_fd=_private(1, os.O_WRONLY))
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for stream in (sys.stdout, sys.stderr):
        # Line by line: what was printed before a kill is the best hint at why.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    return wire


def _private(fd: int, flags: int) -> int:
    """Open the same pipe anew where possible.

    A duplicate shares O_NONBLOCK with whoever else holds the pipe (``2>&1`` makes that our own stderr); a new
    description doesn't.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode):
        try:
            return os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            pass  # no procfs, or the other end is gone
    private = os.dup(fd)
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        os.set_blocking(private, False)
    return private
