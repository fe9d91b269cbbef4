"""NDJSON logs: one JSON object a line, to one file a process."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LogFile:
    """A log that a full disk does not turn into a failure of what is logged.

    Args:
        file: The log.
        warnings: Told once that lines are missing.
    """

    def __init__(self, file: TextIO, warnings: TextIO) -> None:
        self._file = file
        self._warnings = warnings
        self._told = False

    def write(self, text: str) -> int:
        """Write as far as that is possible; what comes after the log was closed has nobody to read it."""
        if self._file.closed:
            return len(text)
        try:
            return self._file.write(text)
        except OSError as error:
            self._tell(error)
            return len(text)

    def flush(self) -> None:
        """Flush as far as that is possible."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def _tell(self, error: OSError) -> None:
        if self._told:
            return
        self._told = True
        with contextlib.suppress(OSError):
            name = getattr(self._file, "name", "?")
            self._warnings.write(
                f"warning: the log {name} can't be written: {error.strerror}; lines are missing\n"
            )


@contextlib.contextmanager
def logging_to(path: str, *, level: str = "info") -> Iterator[None]:
    """Write this process's log to a file until the block ends.

    Args:
        path: The file; made with its folders, appended to.
        level: debug, info, warning or error.

    Raises:
        OSError: The file can't be opened.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8", buffering=1) as file:
        configure(LogFile(file, sys.stderr), level=level)
        yield


def configure(stream: TextIO | LogFile, *, level: str = "info") -> None:
    """Send structlog's events to a stream as NDJSON with UTC times."""
    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream)),
        cache_logger_on_first_use=False,
    )
