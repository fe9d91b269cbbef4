"""Who acts on a ledger in random walks: deliveries, reapers, and what their scripts say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quarry.types import derived_run_id
from tests.scheduler.crawling import key_of

if TYPE_CHECKING:
    from quarry.lode import CommitRecord
    from tests.scheduler.model import LedgerModel
    from tests.scheduler.writing import Written

# What a script enqueues, by job; the second variant is what it says the next time, if it says something else.
GRAPH = {
    "a": (["b", "c", "b", "a"], ["c", "d"]),
    "b": (["d", "e", "f"], ["d", "e", "f", "g"]),
    "c": (["a", "f", "f"], []),
    "d": (["g", "h"], ["h"]),
    "e": ([], ["i"]),
    "f": (["i", "a"], ["i", "a"]),
    "g": (["j"], ["j", "j"]),
    "h": (["k", "l", "m"], ["k"]),
    "i": (["o", "p"], ["o", "p", "q"]),
    "k": (["q", "a", "r"], ["r"]),
    "n": (["s", "t", "b"], ["t"]),
    "o": (["u"], ["u", "v"]),
    "s": (["v", "w", "x"], ["v", "w"]),
}
FATES = ("ok", "error", "policy", "drops")
MOVES = (
    *("ok", "error", "error", "error", "policy", "drops"),
    *["work"] * 30,
    *("finish", "finish", "lapse", "reap", "land", "stall", "wake", "race"),
)
LOST = (False, False, False, True)
SEEDS = ["a", "e", "a", "b", "n"]
CRAWL = "c1"
NAME_OF = {
    key_of(name): name
    for name in sorted({*GRAPH, *SEEDS, *(name for says in GRAPH.values() for name in says[0] + says[1])})
}
"""Every job that a walk can meet, by its key."""


@dataclass
class Delivery:
    """A worker at work; it knows only what it was told.

    Attributes:
        kept: Enqueue events that its policy keeps, where its fate is one that keeps not all.
        phase: What it does next: ``on_PHASE`` of the walk.
        said: Enqueue events that the ledger has answered for.
        record: The record that stands, as the store gave it.
        data: Enqueue events in that record's data, once they were read.
        start: Position of the batch that it hands in next.
    """

    name: str
    token: str
    attempt: int
    number: int
    depth: int
    last: bool
    parent: str | None
    events: list[str]
    fate: str
    kept: int
    files: Written
    phase: str = "run"
    said: int = 0
    gap: bool = False
    record: CommitRecord | None = None
    data: list[str] | None = None
    start: int = 0

    @property
    def key(self) -> str:
        return key_of(self.name)

    @property
    def run_id(self) -> str:
        return derived_run_id(CRAWL, self.key, self.attempt)

    @property
    def durable(self) -> list[str]:
        """The enqueue events that its policy keeps."""
        return self.events[: self.kept] if self.fate in {"policy", "drops"} else self.events

    @property
    def n(self) -> int:
        """Enqueue events that its record counts, dropped ones among them."""
        return self.kept if self.fate == "policy" else len(self.events)


@dataclass
class Owing:
    """A reaper that was told to end a job, or whoever settles one by its record."""

    name: str
    attempt: int
    depth: int
    deliveries: int = 0
    reason: str = ""
    parent: str | None = None
    phase: str = "reap"
    own: CommitRecord | None = None
    record: CommitRecord | None = None
    data: list[str] | None = None
    start: int = 0


@dataclass
class Saved:
    """Redis at an earlier moment."""

    keys: dict[bytes, bytes] = field(default_factory=dict)
    model: LedgerModel | None = None
