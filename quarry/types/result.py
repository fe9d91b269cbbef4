"""What ``quarry run`` reports when it ends."""

from __future__ import annotations

from typing import Any

import msgspec


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON result of ``quarry run`` (CLI contract).

    Attributes:
        run_id: Root run's id (with seeds: the crawl's).
        crawl: Crawl id.
        attempt: Attempt of the root run.
        outcome: Outcome of the root (the worst, where there are several), or ``stopped``, ``unfinished``,
            ``failures`` where the exit code is 4 or 5.
        exit_code: Exit code of the command.
        message: One line; empty for a plain success.
        event_count: Events persisted by all committed runs.
        policy: Name of the ingestion policy.
        storage: ``{"backend": "fs", "path": absolute path, "dataset": id}``.
        duration_ms: Wall time of the command's crawl, milliseconds.
        fanout: Ledger counters, or None for a single run.
        failures: Per error type: ``{"error_type", "count", "example": {"run_id", "message"}}``, most first.
        rows: Rows visible in the dataset for this crawl, by event type.
        warnings: What the user was warned of.
    """

    run_id: str
    crawl: str
    attempt: int
    outcome: str
    exit_code: int
    message: str
    event_count: int
    policy: str
    storage: dict[str, Any]
    duration_ms: int
    fanout: dict[str, int] | None = None
    failures: list[dict[str, Any]] = []
    rows: dict[str, int] = {}
    warnings: list[str] = []
