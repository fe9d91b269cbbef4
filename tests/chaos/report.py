"""What one run came to, as a line and as a row."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the table.

    Attributes:
        fault: Its name, or ``all``.
        seed: Of the run.
        jobs: Distinct jobs of the graph.
        switch: What was taken out; empty for nothing.
        kills: Processes that got kill -9, whatever they were.
        restarts: Workers, Redis and watchers started again.
        rollbacks: Times that Redis fell back by a second.
        redeliveries: As the ledger counts them at its close; what it forgot is not in it.
        adoptions: Deliveries that found another's record and settled by it.
        refused: Claims that were refused.
        lost: Jobs or rows that are missing.
        twice: Rows or records that were visible twice or changed.
        hung: Crawls or workers that did not come to an end.
        orphans: Processes that were left.
        wall_s: Seconds from the seeding to the close.
        wrong: Every violation.
    """

    fault: str
    seed: int
    jobs: int
    switch: str = ""
    kills: int = 0
    restarts: int = 0
    rollbacks: int = 0
    redeliveries: int = 0
    adoptions: int = 0
    refused: int = 0
    settled: int = 0
    cut: int = 0
    lost: int = 0
    twice: int = 0
    hung: int = 0
    orphans: int = 0
    wall_s: float = 0.0
    wrong: list[str] = []

    def line(self) -> str:
        """Give the row as one line for a terminal."""
        names = (
            *("fault", "seed", "jobs", "kills", "restarts", "rollbacks", "redeliveries", "adoptions"),
            *("refused", "settled", "lost", "twice", "hung", "orphans"),
        )
        values = " ".join(f"{name}={getattr(self, name)}" for name in names)
        switch = f" switch={self.switch}" if self.switch else ""
        verdict = "ok" if not self.wrong else f"VIOLATED ({len(self.wrong)}): {self.wrong[0][:200]}"
        return f"{values}{switch} wall={self.wall_s:.1f}s {verdict}"
