"""The log of one command: NDJSON in the state folder, its path said before anything else."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from quarry.errors import ConfigError, QuarryError
from quarry.logs import logging_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.config.settings import Settings
    from quarry.crawl.reporter import Reporter


def make_log_path(state_dir: str, *, command: str, now_s: float, pid: int) -> str:
    """Make the path of a command's log: sorted by time, one file a process.

    Args:
        state_dir: The state folder.
        command: Name of the command.
        now_s: Unix seconds.
        pid: Of this process.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
    return os.path.join(state_dir, "logs", f"{command}-{stamp}-{pid}.ndjson")


@contextlib.contextmanager
def session_log(settings: Settings, reporter: Reporter, *, command: str = "run") -> Iterator[str]:
    """Log to the state folder until the block ends.

    Yields:
        The log's path, which the reporter was told.

    Raises:
        ConfigError: The state folder can't be written.
    """
    path = make_log_path(settings.state_dir, command=command, now_s=time.time(), pid=os.getpid())
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8"):
            pass
    except OSError as error:
        raise ConfigError(
            f"the log {path} can't be written: {error.strerror}; set XDG_STATE_HOME or QUARRY_STATE_DIR to a"
            " folder that can"
        ) from error
    with logging_to(path, level="debug" if settings.verbose else "info"):
        reporter.log_path(path)
        try:
            yield path
        except BaseException as error:
            _log_failure(error)
            raise


def _log_failure(error: BaseException) -> None:
    import structlog

    expected = isinstance(error, QuarryError)
    structlog.get_logger("quarry.cli").error(
        "command.failed",
        error_type=type(error).__name__,
        error=str(error),
        context=error.context if isinstance(error, QuarryError) else {},
        exc_info=not expected,
    )
