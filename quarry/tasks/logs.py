"""A worker's log: one JSON object a line on standard error, Celery's own records included."""

from __future__ import annotations

import logging
import os
from typing import Any

import structlog

_CHATTY = ("celery.worker.strategy", "celery.app.trace")


class DescriptorHandler(logging.Handler):
    """Writes each record with one system call.

    A buffered stream raises when a signal handler logs in the middle of a write; this does not, and
    lines of two processes do not mix.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            os.write(self.descriptor, self.format(record).encode("utf-8", "backslashreplace") + b"\n")
        except Exception:  # noqa: BLE001 -- logging's own rule: an error of the log is no error of the program
            self.handleError(record)


def configure_logging(
    *, loglevel: int | str | None = None, descriptor: int = 2, logfile: str | None = None, **_: Any
) -> None:
    """Send structlog's and the standard library's records to `descriptor` as NDJSON.

    Also a receiver of Celery's ``setup_logging`` signal, which then leaves logging alone.

    Args:
        loglevel: Of the root logger; INFO where none is given.
        descriptor: An open file descriptor.
        logfile: File to append to in its place (``--logfile``); it stays open as long as the process.
    """
    if logfile:
        descriptor = os.open(logfile, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = DescriptorHandler(descriptor)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=repr),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(loglevel or logging.INFO)
    for name in _CHATTY:  # a line a message costs more than the message
        logging.getLogger(name).setLevel(logging.WARNING)


def log_descriptors() -> list[int]:
    """Give the open files that the log goes to now; none before it is configured."""
    return [
        handler.descriptor
        for handler in logging.getLogger().handlers
        if isinstance(handler, DescriptorHandler)
    ]
