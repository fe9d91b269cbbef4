"""Where a crawl stops scaling, and what gives way first. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from quarry.simulate.model import compute_needs, cost_of_run

if TYPE_CHECKING:
    from quarry.simulate.costs import Costs
    from quarry.simulate.model import Workload

REDIS_BUSY = 0.8
"""Share of its one core up to which Redis answers promptly."""

FLOWER_RUNS_PER_S = 3000.0
"""Tasks a second that one core of Flower can follow (about 310 µs each)."""

PREFIX_PUTS_PER_S = 3500.0
"""Writes a second that an object store such as S3 documents for one prefix; it adds prefixes in time."""

PLACES = 2**32
"""Jobs that the order of pending jobs can tell apart."""

CLOSE_S = 3600.0
"""A close that takes longer than this is a limit."""

_MOST_JOBS = 10**15


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One thing that gives way.

    Attributes:
        name: What.
        runs_per_s: Rate at which it does; None where rate is not what counts.
        jobs: Number of jobs of one crawl at which it does; None where jobs are not what counts.
        reached: Whether this workload is beyond it.
        stops: Whether the crawl can't do without it (Flower it can).
        told: Why, and what to do.
    """

    name: str
    runs_per_s: float | None
    jobs: int | None
    reached: bool
    stops: bool
    told: str


def find_limits(costs: Costs, work: Workload, *, redis_bytes: float) -> list[Limit]:
    """List the limits: those of the rate, the nearest first, then those of the number of jobs, likewise.

    Args:
        costs: What runs cost.
        work: The crawl.
        redis_bytes: Memory that the Redis machine has for it.
    """
    by_rate = sorted(_of_rate(costs, work), key=lambda limit: limit.runs_per_s or 0.0)
    by_jobs = sorted(_of_jobs(costs, work, redis_bytes), key=lambda limit: limit.jobs or 0)
    return by_rate + by_jobs


def most_jobs(costs: Costs, work: Workload, *, redis_bytes: float) -> int:
    """Give the largest crawl of this kind whose keys and pending jobs fit into Redis' memory.

    Returns:
        Jobs; 0 where not even one fits.
    """

    def fits(jobs: int) -> bool:
        return compute_needs(costs, replace(work, jobs=jobs)).redis_memory_bytes <= redis_bytes

    low, high = 0, _MOST_JOBS
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _of_rate(costs: Costs, work: Workload) -> list[Limit]:
    run = cost_of_run(costs, work)

    def limit(name: str, rate: float, *, stops: bool, told: str) -> Limit:
        reached = work.rate > rate
        return Limit(name=name, runs_per_s=rate, jobs=None, reached=reached, stops=stops, told=told)

    return [
        limit(
            "redis_core",
            1e6 * REDIS_BUSY / run.redis_cpu_us,
            stops=True,
            told="Redis executes every step on one core; split the work into crawls on several servers",
        ),
        limit(
            "flower",
            FLOWER_RUNS_PER_S,
            stops=False,
            told="Flower follows no more on one core; send no task events and watch Quarry's metrics",
        ),
        limit(
            "storage_prefix",
            PREFIX_PUTS_PER_S / run.storage_files if run.storage_files else float(_MOST_JOBS),
            stops=False,
            told="an object store takes so many writes under one prefix; let runs share files",
        ),
    ]


def _of_jobs(costs: Costs, work: Workload, redis_bytes: float) -> list[Limit]:
    def limit(name: str, jobs: int, *, stops: bool, told: str) -> Limit:
        reached = work.jobs > jobs
        return Limit(name=name, runs_per_s=None, jobs=jobs, reached=reached, stops=stops, told=told)

    return [
        limit(
            "compact_keys",
            int(costs.memory.compact_keys),
            stops=False,
            told="up to here the buckets of seen keys are compact; beyond, a key costs several times as much",
        ),
        limit(
            "redis_memory",
            most_jobs(costs, work, redis_bytes=redis_bytes),
            stops=True,
            told="seen keys and pending jobs fill Redis' memory; take a larger one, or bound what is pending",
        ),
        limit(
            "close",
            int(1e6 * CLOSE_S / costs.close_us) if costs.close_us else _MOST_JOBS,
            stops=False,
            told="the close reads every record in one process, from here on for more than an hour",
        ),
        limit(
            "order_of_pending",
            PLACES,
            stops=True,
            told="the order of pending jobs counts no further; split the work into several crawls",
        ),
    ]
