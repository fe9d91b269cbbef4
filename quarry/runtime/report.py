"""What the runtime says of one run when it has ended; ``--report`` writes it."""

from __future__ import annotations

from typing import Any

import msgspec

from quarry.runtime.artifacts import ArtifactStats
from quarry.runtime.files import FileStats
from quarry.types import Outcome, exit_code_of, format_timestamp


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """The structured exit report of a run.

    Attributes:
        run_id: The run; empty where none was started.
        attempt: Its attempt.
        outcome: How it ended.
        exit_code: Exit code of the executor process, below zero for a signal; None where the process served
            other runs on, or none was started.
        events_after_terminal: Events and chunks after the terminal event; not stored.
        counters: Events that passed the checks, by type.
        artifacts: What came of its artifacts.
        files: What came of its file writes.
        stderr_tail: The last 64 KiB that it wrote to stderr.
        started_at: Unix seconds; when the executor was asked.
        ended_at: Unix seconds.
        duration_ms: Between the two, by a clock that is never set.
        pid: Of the executor process.
        peak_rss_bytes: Largest resident size of a single-shot executor.
        proxy_used: Protocol, host, port and username, as the executor reported them; None where the run was
            given no such endpoint.
        proxy_use: What the run found out about the endpoints that it was given, in order.
    """

    run_id: str
    attempt: int
    outcome: Outcome
    exit_code: int | None = None
    events_after_terminal: int = 0
    counters: dict[str, int] = {}
    artifacts: ArtifactStats = ArtifactStats()
    files: FileStats = FileStats()
    stderr_tail: str = ""
    started_at: float
    ended_at: float
    duration_ms: int = 0
    pid: int | None = None
    peak_rss_bytes: int | None = None
    proxy_used: dict[str, Any] | None = None
    proxy_use: list[dict[str, Any]] = []

    @classmethod
    def not_started(cls, outcome: Outcome, at: float, *, run_id: str = "", attempt: int = 1) -> RunReport:
        """Make the report of a run for which no executor was asked.

        Args:
            outcome: Why not.
            at: Unix seconds.
            run_id: The run, where there is one.
            attempt: Its attempt.
        """
        return cls(run_id=run_id, attempt=attempt, outcome=outcome, started_at=at, ended_at=at)

    def to_json(self) -> str:
        """Give the report as JSON text with ISO times, for ``--report``."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        fields["started_at"] = format_timestamp(self.started_at)
        fields["ended_at"] = format_timestamp(self.ended_at)
        fields["runtime_exit_code"] = exit_code_of(self.outcome.status)
        return msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n"
