"""The crawls in which processes are killed, replies lost and Redis set back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Scenario:
    """A crawl, and the process of it that is tried.

    Attributes:
        name: For people.
        roots: Params of the seeds.
        body: What the process does (`bodies.BODIES`).
        before: Processes that come before it, each with what befalls it.
        after: What sees the crawl to its end afterwards.
        bounds: Of the crawl, where they differ from `stage`'s.
        policy: Ingestion policy.
    """

    name: str
    roots: list[dict[str, Any]]
    body: str = "work"
    before: tuple[tuple[str, dict[str, Any]], ...] = (("seed", {}),)
    after: str = "finish"
    bounds: dict[str, int] = field(default_factory=dict)
    policy: str = "strict"

    @property
    def dead(self) -> int:
        """Processes that were killed before the one that is tried: each may have left files behind."""
        return sum(bool(orders) for _, orders in self.before)


def leaf(name: str) -> dict[str, Any]:
    return {"name": name, "do": [["item", name]]}


def enqueues(*names: str) -> list[list[Any]]:
    return [["enqueue", name, [["item", name]]] for name in names]


FAN = Scenario(
    "a run that emits enqueue events, its children, and the close",
    [{"name": "root", "do": [["item", "r1"], *enqueues("a", "a"), ["item", "r2"]]}],
)
ONE = Scenario(
    "one run and the close",
    [{"name": "root", "do": [["item", "r1"], ["enqueue", "x", []]]}],
    bounds={"depth": 0},
)
RETRY = Scenario(
    "a run that fails and is retried",
    [{"name": "root", "do": [["item", "r1"], *enqueues("a"), ["fail_below", 2], *enqueues("a", "b")]}],
    bounds={"max_attempts": 2, "depth": 0},
)
SPENT = Scenario(
    "a run that fails in its last attempt",
    [{"name": "root", "do": [["item", "r1"], *enqueues("a"), ["fail_below", 9]]}],
    bounds={"max_attempts": 2, "depth": 0},
)
FILES = Scenario(
    "a run with artifacts and files",
    [
        {
            "name": "root",
            "do": [["put", "a.txt", "x"], ["artifact", "shot", "y"], ["item", "r"], ["put", "b.txt", "z"]],
        }
    ],
)
SEED = Scenario("seeding", [leaf(f"s{n}") for n in range(5)], body="seed", before=(), after="seed_and_finish")
STOP = Scenario(
    "a stop: one job is leased, one waits for its next attempt, others were never leased",
    [{"name": "s0", "do": [["item", "s0"], ["fail_below", 2]]}, *(leaf(f"s{n}") for n in range(1, 5))],
    body="stop",
    before=(
        ("seed", {}),
        ("work", {"kill_before": "ledger.retry"}),
        ("work", {"kill_before": "writer.append"}),
    ),
    after="stop_and_finish",
    bounds={"max_attempts": 2},
)
STOP_NOW = Scenario(
    "a stop that ends what executes too",
    [leaf(f"s{n}") for n in range(4)],
    body="stop_now",
    before=(("seed", {}), ("work", {"kill_before": "writer.append"})),
    after="stop_now_and_finish",
)
REAP_LOST = Scenario(
    "the reaper ends a job whose only delivery was lost",
    [{"name": "root", "do": [["item", "r1"], *enqueues("a"), ["item", "r2"]]}],
    body="finish",
    before=(("seed", {}), ("work", {"kill_before": "writer.seal"})),
    bounds={"max_redeliveries": 0, "depth": 0},
)
REAP_RECORD = Scenario(
    "the reaper finds the record of the only delivery",
    [{"name": "root", "do": [["item", "r1"], *enqueues("a"), ["item", "r2"]]}],
    body="finish",
    before=(("seed", {}), ("work", {"kill_before": "writer.drop_live"})),
    bounds={"max_redeliveries": 0, "depth": 0},
)
ADOPT = Scenario(
    "the next delivery finds the record of a lost one",
    [{"name": "root", "do": [["item", "r1"], *enqueues("a"), ["item", "r2"]]}],
    body="finish",
    before=(("seed", {}), ("work", {"kill_before": "writer.drop_live"})),
    bounds={"depth": 0},
)
ADOPT_ATTEMPT = Scenario(
    "the next delivery finds the record of a lost one's attempt",
    [{"name": "root", "do": [["item", "r1"], *enqueues("a"), ["fail_below", 2]]}],
    body="finish",
    before=(("seed", {}), ("work", {"kill_before": "ledger.retry"})),
    bounds={"max_attempts": 2, "depth": 0},
)

SCENARIOS = (FAN, RETRY, SPENT, FILES, SEED, STOP, STOP_NOW, REAP_LOST, REAP_RECORD, ADOPT, ADOPT_ATTEMPT)
