"""The right answer of a crawl over the computed graph. Pure; knows nothing of how Quarry comes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quarry.scheduler import job_key

if TYPE_CHECKING:
    from tests.chaos.scripts.graph import Graph

SCRIPT = "node.py"


def params_of(graph: Graph, n: int) -> dict[str, object]:
    """Give the params of a job, as its parents enqueue it."""
    return {"graph": [graph.seed, graph.jobs, graph.long_ms], "n": n}


def key_of(graph: Graph, n: int) -> str:
    """Give the key of a job."""
    return job_key(SCRIPT, params_of(graph, n))


def seeds_of(graph: Graph) -> list[int]:
    """Give the seeds in order: every root, and the first one twice."""
    return [*graph.layers()[0], 0]


@dataclass(frozen=True)
class Answer:
    """What must be there at the end.

    Attributes:
        jobs: Job number by key.
        attempts: Attempts of each job where no fault costs one.
        admitted: Distinct jobs.
        received: Seeds and enqueue events, without what a lost delivery says again.
        duplicate: Those that name a job that is known.
        beyond_depth: Those that lie below the depth bound.
    """

    jobs: dict[str, int]
    attempts: dict[int, int]
    admitted: int
    received: int
    duplicate: int
    beyond_depth: int


def answer(graph: Graph, *, max_attempts: int) -> Answer:
    """Walk the graph from its seeds, breadth first."""
    seeds = seeds_of(graph)
    reached = set(seeds)
    received, duplicate, beyond = len(seeds), len(seeds) - len(reached), 0
    attempts: dict[int, int] = {}
    layer = sorted(reached)
    while layer:
        following: list[int] = []
        for n in layer:
            fate = graph.fate(n)
            tries = {"success": 1, "fails_first": min(2, max_attempts), "fails": max_attempts}[fate]
            attempts[n] = tries
            for again in range(tries):
                for child in graph.children(n):
                    received += 1
                    if child < 0:
                        beyond += 1
                    elif child in reached:
                        duplicate += 1
                    else:
                        assert again == 0
                        reached.add(child)
                        following.append(child)
        layer = following
    return Answer(
        jobs={key_of(graph, n): n for n in reached},
        attempts=attempts,
        admitted=len(reached),
        received=received,
        duplicate=duplicate,
        beyond_depth=beyond,
    )
