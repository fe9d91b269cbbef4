"""The event envelope of the emit contract."""

from __future__ import annotations

from typing import Any

import msgspec

EVENT_TYPES = frozenset(
    {
        "item",
        "artifact",
        "checkpoint",
        "enqueue",
        "rotate_proxy",
        "log",
        "run_error",
        "run_complete",
    }
)
"""Types that this contract version defines; others are kept and stored (EMIT)."""

DROPPABLE_TYPES = frozenset({"enqueue", "rotate_proxy", "log"})
"""Types that a policy may drop, counted."""

TERMINAL_TYPES = frozenset({"run_error", "run_complete"})
"""Types of which the first ends the run."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a run.

    Attributes:
        contract_version: The contract's version, compared as a string.
        event_id: Unique id of the event.
        run_id: Run that emitted it.
        seq: 1, 2, 3 … without a gap in one run.
        type: One of EVENT_TYPES, or a type of a later contract.
        ts: ISO 8601 UTC with milliseconds, ``2026-01-31T12:00:00.000Z``.
        payload: JSON-representable map.
        attempt: Attempt of the run, from 1.
        job_id: The user's id of the job, where given.
        parent_run_id: Emitter of the enqueue, or the attempt before.
        root_run_id: Root of the lineage.
        depth: Derivation depth; a root has 0.
    """

    contract_version: str
    event_id: str
    run_id: str
    seq: int
    type: str
    ts: str
    payload: dict[str, Any]
    attempt: int
    job_id: str | None = None
    parent_run_id: str | None = None
    root_run_id: str | None = None
    depth: int | None = None
