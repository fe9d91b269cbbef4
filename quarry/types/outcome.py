"""How a run ended, and the exit code that says so."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class OutcomeStatus(StrEnum):
    """The five ways a run ends (RUN contract)."""

    SUCCESS = "success"
    SCRIPT_ERROR = "script_error"
    EXECUTOR_CRASH = "executor_crash"
    POLICY_FAILURE = "policy_failure"
    VERSION_MISMATCH = "version_mismatch"


EXIT_CODES: dict[OutcomeStatus, int] = {
    OutcomeStatus.SUCCESS: 0,
    OutcomeStatus.SCRIPT_ERROR: 1,
    OutcomeStatus.EXECUTOR_CRASH: 2,
    OutcomeStatus.POLICY_FAILURE: 3,
    OutcomeStatus.VERSION_MISMATCH: 3,
}
"""Exit code of ``quarry run`` for a single run, by its outcome."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a run ended.

    Attributes:
        status: One of the five.
        message: One line for a person; empty only for a plain success.
        error_type: Class name of the error, ``timeout``, ``cancelled``, ``lost`` …; None for success.
        stack: Traceback text of the script, where there is one.
        reason: ``lost`` or ``stopped`` where no delivery decided; ``skipped`` where ``prepare`` skipped.
    """

    status: OutcomeStatus
    message: str = ""
    error_type: str | None = None
    stack: str | None = None
    reason: str | None = None


def exit_code_of(status: OutcomeStatus) -> int:
    """Give the exit code of an outcome."""
    return EXIT_CODES[status]
