"""Frozen values that every floor shares: envelopes, identities, outcomes, counts."""

from quarry.types.counts import Counts
from quarry.types.envelope import DROPPABLE_TYPES, EVENT_TYPES, TERMINAL_TYPES, Event
from quarry.types.identity import (
    RunIdentity,
    derived_run_id,
    format_timestamp,
    is_safe_segment,
    new_run_id,
    new_token,
)
from quarry.types.outcome import EXIT_CODES, Outcome, OutcomeStatus, exit_code_of
from quarry.types.result import RunResult
from quarry.types.secret import Secret

__all__ = [
    "DROPPABLE_TYPES",
    "EVENT_TYPES",
    "EXIT_CODES",
    "TERMINAL_TYPES",
    "Counts",
    "Event",
    "Outcome",
    "OutcomeStatus",
    "RunIdentity",
    "RunResult",
    "Secret",
    "derived_run_id",
    "exit_code_of",
    "format_timestamp",
    "is_safe_segment",
    "new_run_id",
    "new_token",
]
