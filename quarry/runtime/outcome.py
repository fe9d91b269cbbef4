"""How a run ended, decided from what was seen; pure.

Precedence: ingestion fault, then flush fault, then how the executor ended (its exit code; in serving mode the
status of ``run_result`` stands in for it). A deadline or a cancellation is a way in which the executor ended:
it ranks with the exit code, and a run that completed all the same has completed.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quarry.errors import StoreError, VersionMismatchError
from quarry.runtime.redact import redact_urls
from quarry.types import Outcome, OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.ipc import RunResultFrame
    from quarry.types import Event

COMPLETED, SCRIPT_ERROR, CRASH, BAD_INPUT = 0, 1, 2, 3
"""Exit codes of an executor."""

_STATUS_CODES = {"completed": COMPLETED, "error": SCRIPT_ERROR, "crash": CRASH}
_MAX_MESSAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Everything that the outcome is decided from.

    Attributes:
        ingestion_fault: A ProtocolError, or whatever the policy's ``ingest`` or ``chunk`` raised.
        flush_fault: Whatever its ``flush`` raised.
        terminal: The run's terminal event.
        result: Its ``run_result``.
        exit_code: Of the executor process, below zero for a signal; None in serving mode while it lives.
        stopped: ``timeout`` or ``cancelled`` where the runtime ended the run.
        timeout_ms: The run's deadline.
        stderr_line: Last line that it wrote to stderr.
        could_not_start: Why no executor could be started.
        lost_process: Serving mode: why the process ended before the run's ``run_result`` came; whatever it
            had said of the run does not count then.
        redact: Strikes secrets out of a text.
    """

    ingestion_fault: Exception | None = None
    flush_fault: Exception | None = None
    terminal: Event | None = None
    result: RunResultFrame | None = None
    exit_code: int | None = None
    stopped: str | None = None
    timeout_ms: int = 0
    stderr_line: str = ""
    could_not_start: Exception | None = None
    lost_process: str | None = None
    redact: Callable[[str], str] = redact_urls


def decide(ending: Ending) -> Outcome:
    """Decide the outcome of a run."""
    if ending.could_not_start is not None:
        return _of_fault(ending.could_not_start, OutcomeStatus.EXECUTOR_CRASH, ending)
    if ending.ingestion_fault is not None:
        return _of_fault(ending.ingestion_fault, OutcomeStatus.POLICY_FAILURE, ending)
    if ending.flush_fault is not None:
        return _of_fault(ending.flush_fault, OutcomeStatus.POLICY_FAILURE, ending)
    if ending.lost_process is not None:
        return _of_stop(ending) if ending.stopped else _crash(ending.lost_process, ending)
    code = _code(ending)
    if code == COMPLETED and ending.terminal is not None and ending.terminal.type == "run_complete":
        return _success(ending.terminal, ending)
    if ending.stopped is not None:
        return _of_stop(ending)
    if code == COMPLETED and ending.terminal is None:
        return _crash("the executor said that the run completed, but sent no run_complete event", ending)
    if code in {COMPLETED, SCRIPT_ERROR}:
        return _script_error(ending)
    return _of_crash(ending, code)


def _code(ending: Ending) -> int | None:
    """Give the exit code, or what stands in for it."""
    if ending.exit_code is not None or ending.result is None:
        return ending.exit_code
    return _STATUS_CODES.get(ending.result.outcome["status"], CRASH)


def _of_fault(fault: Exception, otherwise: OutcomeStatus, ending: Ending) -> Outcome:
    code = getattr(fault, "code", "")
    status = otherwise
    if isinstance(fault, VersionMismatchError):
        status = OutcomeStatus.VERSION_MISMATCH
    elif code in {"protocol", "frame_too_large"}:
        status = OutcomeStatus.EXECUTOR_CRASH
    if isinstance(fault, StoreError):
        code = f"storage_{fault.kind}"
    return Outcome(
        status=status,
        message=_one_line(str(fault) or type(fault).__name__, ending),
        error_type=code or type(fault).__name__,
    )


def _success(terminal: Event, ending: Ending) -> Outcome:
    summary = terminal.payload.get("summary")
    for place in (terminal.payload, summary if isinstance(summary, dict) else {}):
        if place.get("skipped") is True:
            reason = place.get("reason")
            return Outcome(
                status=OutcomeStatus.SUCCESS,
                message=_one_line(reason, ending) if isinstance(reason, str) else "",
                reason="skipped",
            )
    return Outcome(status=OutcomeStatus.SUCCESS)


def _of_stop(ending: Ending) -> Outcome:
    message = (
        f"the run did not end within its deadline of {ending.timeout_ms / 1000:g} s and was ended"
        if ending.stopped == "timeout"
        else "the run was cancelled"
    )
    return Outcome(status=OutcomeStatus.EXECUTOR_CRASH, message=message, error_type=ending.stopped)


def _script_error(ending: Ending) -> Outcome:
    said = _said(ending)
    event = ending.terminal
    if event is not None and event.type == "run_error":
        stack = event.payload.get("stack")
        return Outcome(
            status=OutcomeStatus.SCRIPT_ERROR,
            message=_one_line(event.payload["message"], ending),
            error_type=event.payload["error_type"],
            stack=stack if isinstance(stack, str) else said.get("stack"),
        )
    what = "without a run_error event" if event is None else "after a run_complete event"
    how = "exited with code 1" if ending.exit_code is not None else "reported a script error"
    detail = said.get("message") or ending.stderr_line
    return Outcome(
        status=OutcomeStatus.SCRIPT_ERROR,
        message=_one_line(f"the executor {how} {what}{f': {detail}' if detail else ''}", ending),
        error_type=said.get("error_type") or "script_error",
        stack=said.get("stack"),
    )


def _of_crash(ending: Ending, code: int | None) -> Outcome:
    if code is None:
        return _crash("the executor ended the run without a result", ending)
    if code < 0:
        return _crash(f"the executor was killed by {signal_name(-code)}", ending, prefer_said=False)
    if code == BAD_INPUT:
        detail = _said(ending).get("message") or ending.stderr_line
        return Outcome(
            status=OutcomeStatus.EXECUTOR_CRASH,
            message=_one_line(
                f"the executor refused its arguments or its input{f': {detail}' if detail else ''}", ending
            ),
            error_type="bad_input",
        )
    if code == CRASH and _said(ending).get("message"):
        return _crash(_said(ending)["message"], ending)
    return _crash(f"the executor ended with exit code {code}", ending, prefer_said=False)


def _crash(message: str, ending: Ending, *, prefer_said: bool = True) -> Outcome:
    said = _said(ending)
    if ending.stderr_line and not said.get("message"):
        message = f"{message}; its last words: {ending.stderr_line}"
    return Outcome(
        status=OutcomeStatus.EXECUTOR_CRASH,
        message=_one_line(message, ending),
        error_type=(said.get("error_type") if prefer_said else None) or "executor_crash",
        stack=said.get("stack") if prefer_said else None,
    )


def _said(ending: Ending) -> dict[str, Any]:
    """Give the outcome that the executor itself reported; empty where it reported none."""
    return {} if ending.result is None else ending.result.outcome


def signal_name(number: int) -> str:
    """Give the name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _one_line(text: str, ending: Ending) -> str:
    # Before the cut, which could leave half of a secret that nothing finds any more.
    line = " ".join(ending.redact(text).split())
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"
