"""What the workers' logs say of a run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ADOPTED = frozenset({"run.adopted", "attempt.adopted", "run.lost_race"})
_REFUSED = frozenset({"not_claimed_busy", "not_claimed_gone"})


@dataclass
class Told:
    """Figures out of all workers' logs.

    Attributes:
        events: How often each event was logged.
        adoptions: Deliveries that found another's record and settled by it.
        refused: Claims that were refused.
        republished: Messages that the reaper pushed again.
        storage_hits: Storage calls that a fault met.
        full_hits: Lines that say that no space was left.
        holders: TOKENs by (key, attempt, delivery).
        pid_of: Worker process by TOKEN.
        errors: Lines of level error, shortened.
    """

    events: Counter[str] = field(default_factory=Counter)
    adoptions: int = 0
    refused: int = 0
    republished: int = 0
    storage_hits: int = 0
    full_hits: int = 0
    holders: dict[tuple[str, int, int], set[str]] = field(default_factory=dict)
    pid_of: dict[str, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, line: dict[str, Any]) -> None:
        """Count one line."""
        event = str(line.get("event", ""))
        self.events[event] += 1
        self.adoptions += event in _ADOPTED
        if event == "chaos.delivered":
            self.refused += line.get("outcome") in _REFUSED
        elif event == "chaos.claimed":
            holder = (line["key"], line["attempt"], line["delivery"])
            self.holders.setdefault(holder, set()).add(line["token"])
            self.pid_of[line["token"]] = line["pid"]
        elif event == "lease.lapsed":
            self.republished += line["republished"]
        elif event == "chaos.storage_hit":
            self.storage_hits += 1
        if "no space is left" in str(line.get("error", line.get("message", ""))) + str(
            line.get("exception", "")
        ):
            self.full_hits += 1
        if line.get("level") in {"error", "critical"}:
            self.errors[f"{event}: {str(line.get('error', line.get('exception', '')))[-160:]}"] += 1


def read_logs(folders: list[Path]) -> Told:
    """Read every worker's and watcher's log; the torn last line of a killed one is left out."""
    told = Told()
    for folder in folders:
        for line in _lines(folder):
            told.add(line)
    return told


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*.ndjson")):
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                if text.startswith("{"):
                    try:
                        yield json.loads(text)
                    except ValueError:
                        continue
