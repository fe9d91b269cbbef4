"""What hooks return and receive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Continue:
    """Answer of ``prepare``: run, with this job as ``ctx.job``."""

    job: Any


@dataclass(frozen=True, slots=True)
class Skip:
    """Answer of ``prepare``: end the run as complete, without running it.

    Attributes:
        reason: Kept in the summary of ``run_complete``.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class TerminalSignal:
    """What ``before_terminal`` learns of the event that is about to be emitted.

    Attributes:
        outcome: ``completed`` before ``run_complete``, ``error`` before ``run_error``.
        error: The exception, where the outcome is an error.
    """

    outcome: Literal["completed", "error"]
    error: BaseException | None = None
