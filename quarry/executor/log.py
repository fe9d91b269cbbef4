"""Lines of the executor itself, on stderr."""

from __future__ import annotations

import contextlib
import sys


def log_line(text: str) -> None:
    """Write one line; in serving mode it goes to the run in whose context this is called, else to the log."""
    with contextlib.suppress(OSError, ValueError):  # nobody reads stderr any more
        sys.stderr.write(f"quarry.executor: {text}\n")
