"""Progress on standard error: one live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, TextIO

from quarry.cli.output import is_terminal
from quarry.cli.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.types import Counts

_LIVE_INTERVAL_S = 0.1
_PLAIN_INTERVAL_S = 5.0
_RATE_WINDOW_S = 10.0
_CLEAR = "\r\x1b[2K"


class StderrReporter:
    """A Reporter (``quarry.crawl.reporter``) that writes to standard error and remembers the warnings.

    Args:
        stream: Where to write.
        live: Whether it is a terminal that understands control codes.
        quiet: Write warnings only.
        verbose: Write all counters.
        max_runs: Bound that the estimate of the remaining time goes by.
        width: Gives the columns of the terminal.
        clock: Gives seconds that only grow.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        live: bool,
        quiet: bool = False,
        verbose: bool = False,
        max_runs: int | None = None,
        width: Callable[[], int] = lambda: 80,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.warnings: list[str] = []
        self._stream = stream
        self._live = live
        self._quiet = quiet
        self._verbose = verbose
        self._max_runs = max_runs
        self._width = width
        self._clock = clock
        self._last_shown: float | None = None
        self._on_line = False
        self._rate = _Rate()

    def log_path(self, path: str) -> None:
        """Name the log of this command."""
        if not self._quiet:
            self._say(f"log: {path}")

    def progress(self, counts: Counts, elapsed_s: float, failures: int) -> None:
        """Show the counters; calls in quick succession show the last of them only."""
        if self._quiet:
            return
        now = self._clock()
        done = counts.succeeded + counts.failed
        self._rate.add(elapsed_s, done)
        interval = _LIVE_INTERVAL_S if self._live else _PLAIN_INTERVAL_S
        if self._last_shown is None and not self._live:
            self._last_shown = now  # the first plain line comes after the first interval
        if self._last_shown is not None and now - self._last_shown < interval:
            return
        self._last_shown = now
        text = self._line(counts, elapsed_s, failures, done)
        if self._live:
            self._write(_CLEAR + text[: max(1, self._width() - 1)])
            self._on_line = True
        else:
            self._write(text + "\n")

    def warning(self, text: str) -> None:
        """Write a warning, and remember it for the result."""
        self.warnings.append(text)
        self._say(f"warning: {text}")

    def info(self, text: str) -> None:
        """Write a line."""
        if not self._quiet:
            self._say(text)

    def finish(self) -> None:
        """Remove the live line."""
        if self._on_line:
            self._write(_CLEAR)
            self._on_line = False

    def _line(self, counts: Counts, elapsed_s: float, failures: int, done: int) -> str:
        rate = self._rate.per_second()
        parts = [
            f"{elapsed_s:.0f} s",
            f"done {done}" + (f"/{self._max_runs}" if self._max_runs else ""),
            f"pending {counts.pending}",
            f"in flight {counts.leased + counts.committing}",
            f"{rate:.1f}/s",
            f"failed {failures}",
        ]
        if self._max_runs and rate > 0:
            parts.append(f"ETA at most {_duration((self._max_runs - done) / rate)}")
        if self._verbose:
            parts += [
                f"{name} {getattr(counts, name)}"
                for name in ("received", "admitted", "duplicate", "beyond_depth", "over_cap", "redeliveries")
            ]
        return "  ".join(parts)

    def _say(self, text: str) -> None:
        self.finish()
        self._write(visible(text) + "\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (AttributeError, OSError, ValueError):  # the terminal is gone; the crawl is not
            self._quiet = True


class _Rate:
    """Runs done a second, over the last ten seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def add(self, elapsed_s: float, done: int) -> None:
        self._points.append((elapsed_s, done))
        while len(self._points) > 2 and elapsed_s - self._points[1][0] >= _RATE_WINDOW_S:  # noqa: PLR2004
            self._points.popleft()

    def per_second(self) -> float:
        (first_s, first), (last_s, last) = self._points[0], self._points[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0


def make_reporter(
    *, quiet: bool = False, verbose: bool = False, max_runs: int | None = None
) -> StderrReporter:
    """Make the reporter of this process's standard error."""
    return StderrReporter(
        sys.stderr,
        live=is_terminal(sys.stderr) and os.environ.get("TERM") not in {None, "", "dumb"},
        quiet=quiet,
        verbose=verbose,
        max_runs=max_runs,
        width=_columns,
    )


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
