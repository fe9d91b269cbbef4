"""One accepted message on its way through the pool, and how it ended."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from billiard.einfo import ExceptionInfo
from celery.exceptions import Retry, Terminated
from celery.utils.saferepr import saferepr

from quarry.errors import QuarryError
from quarry.types import OutcomeStatus

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

TASK_NAME = "quarry.run"
"""Name of the one task; Lua writes it into the envelopes that it pushes."""

_MAX_RESULT_CHARS = 512
_FAILED = frozenset(status.value for status in OutcomeStatus if status is not OutcomeStatus.SUCCESS)


class BadMessageError(QuarryError):
    """A message carries no (crawl, key)."""

    code = "bad_message"


class RunFailedError(Exception):
    """A run ended, and not well; its text is what Flower shows.

    Args:
        shown: The delivery's small dict as text.
    """

    def __repr__(self) -> str:
        """Give the dict alone, as a run that succeeded shows it."""
        return str(self)


class Job:
    """What ``on_apply`` returns; Celery's request holds it weakly, the pool strongly.

    Args:
        callback: Called once in the hub's thread with (failed, result, runtime in seconds).
        on_terminate: Called when Celery revokes or ends the job.

    Attributes:
        retries: Attempts of the job before this one, once the delivery has said so.
    """

    __slots__ = ("__weakref__", "_on_terminate", "_started", "callback", "retries", "task")

    def __init__(self, callback: Callable[[Any], Any] | None, on_terminate: Callable[[Job], None]) -> None:
        self.callback = callback
        self.task: asyncio.Task[Any] | None = None
        self.retries: int | None = None
        self._on_terminate = on_terminate
        self._started = time.monotonic()

    def terminate(self, signal: object = None) -> None:  # noqa: ARG002 -- a coroutine has no signals
        """End the job's coroutine (Celery's revoke and cold shutdown)."""
        self._on_terminate(self)

    def delivered(self, result: object) -> tuple[bool, Any, float]:
        """Return the callback's argument for a delivery that returned.

        A run that failed is a failed task, and one that another attempt follows a retried one: that is how
        people who watch tasks look for them.
        """
        fields = result if isinstance(result, dict) else {}
        attempt = fields.get("attempt")
        self.retries = attempt - 1 if isinstance(attempt, int) else None
        if fields.get("outcome") not in _FAILED:
            return self.succeeded(result)
        error: Exception = RunFailedError(saferepr(result, _MAX_RESULT_CHARS))
        if str(fields.get("how", "")).startswith("retry_"):
            error = Retry(exc=error)
        failed, info, runtime = self.failed(error)
        info.traceback = ""  # ours says nothing; the script's is in the run's record
        return failed, info, runtime

    def succeeded(self, result: object) -> tuple[bool, Any, float]:
        """Return the callback's argument for a delivery whose result is no failure."""
        # Text, as Celery's own tracer sends it: an object that JSON refuses would stay in the event buffer.
        return False, saferepr(result, _MAX_RESULT_CHARS), time.monotonic() - self._started

    def failed(self, error: BaseException) -> tuple[bool, Any, float]:
        """Return the callback's argument for a delivery that raised."""
        return True, _as_exception_info(error), time.monotonic() - self._started

    def ended(self, reason: str) -> tuple[bool, Any, float]:
        """Return the callback's argument for a delivery that was cut."""
        return self.failed(Terminated(reason))


def parse_arguments(args: Any) -> tuple[str, str]:
    """Return (crawl, key) from what Celery hands to a pool.

    Args:
        args: (task name, task id, request as a dict, …).

    Raises:
        BadMessageError: It is another task, or its arguments are not two strings.
    """
    try:
        name, _, request = args[:3]
        arguments = request["args"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadMessageError(f"no task can be read from the message: {error!r}") from error
    if name != TASK_NAME:
        raise BadMessageError(f"{name!r}: this worker runs {TASK_NAME} only")
    match arguments:
        case [str(crawl), str(key)]:
            return crawl, key
    raise BadMessageError(f"{TASK_NAME} takes a crawl and a key")


def _as_exception_info(error: BaseException) -> Any:
    if not isinstance(error, Exception):
        # Celery's callbacks raise SystemExit and KeyboardInterrupt again, in the hub.
        wrapped = RuntimeError(f"{type(error).__name__}: {error}")
        wrapped.__traceback__ = error.__traceback__
        error = wrapped
    try:
        return _raised(error)
    except Exception:  # noqa: BLE001 -- an exception whose own text raises
        return _raised(RuntimeError(f"{type(error).__name__} (it cannot be printed)"))


def _raised(error: Exception) -> Any:
    try:
        # Billiard needs a traceback, and one that was never raised has none.
        raise error  # noqa: TRY301
    except Exception:  # noqa: BLE001
        info = ExceptionInfo(sys.exc_info())
    # Else Flower shows the wrapper's name.
    info.exception = error
    return info
