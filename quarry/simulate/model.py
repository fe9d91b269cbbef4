"""What a crawl needs, computed from what runs cost. Pure.

Everything is linear in the number of runs but the memory of seen keys, measured as a curve.
Rejected: a simulation of single events. What a fleet needs follows from sums; where it queues, the slots
say so, and nothing that was measured would have made a finer model right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarry.simulate.costs import Cost, Costs, Memory

BUSY = 0.75
"""Share of a core that is planned for; the rest is for moments that are not average."""

HIGH_WATER = 100_000
"""Pending seeds at which the seeder waits (``ledger.high_water``)."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A crawl.

    Attributes:
        jobs: Distinct jobs, at least 1.
        rate: Runs that end in a second.
        events: Events of a run that become rows, its enqueue events aside.
        enqueues: Enqueue events of a run.
        row_bytes: JSON of one event's data.
        page_bytes: Bytes of the page that a run fetches; 0 fetches none.
        duration_ms: How long a run takes, mostly waiting for a site.
        slots: Runs at once in a worker process.
        pending: Most jobs that are pending at once; None: with enqueues all jobs at worst, else the
            seeds up to the high-water mark.
    """

    jobs: int
    rate: float
    events: float = 1
    enqueues: float = 0
    row_bytes: float = 0
    page_bytes: float = 0
    duration_ms: float = 500
    slots: int = 64
    pending: int | None = None

    @property
    def most_pending(self) -> int:
        """Most jobs that are pending at once."""
        if self.pending is not None:
            return min(self.pending, self.jobs)
        return self.jobs if self.enqueues else min(self.jobs, HIGH_WATER)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a crawl needs.

    Attributes:
        seconds: From first to last run.
        per_run: What one run costs.
        worker_cores: Cores that worker processes keep busy.
        executor_cores: Cores that executors keep busy.
        cores: Cores to have for both, so that none is busier than `BUSY`.
        at_once: Runs at once: ``--parallel``.
        workers: Worker processes.
        worker_memory_bytes: Of all of them and their executors.
        redis_core: Share of the one core that Redis uses.
        redis_ops_per_s: Commands it executes, those of Lua among them.
        redis_round_trips_per_s: Commands that clients send.
        redis_net_bytes_per_s: Bytes into and out of it.
        redis_memory_bytes: At the moment of most pending jobs and with all keys seen.
        redis_keys_bytes: Seen keys' part of it.
        redis_pending_bytes: Pending jobs' part of it.
        storage_requests: Write requests: one a file.
        storage_bytes: What stays.
        traffic_bytes: Pages.
        seeding_cpu_s: CPU of the command that seeds, if every job is a seed.
        close_s: Time of the close.
    """

    seconds: float
    per_run: Cost
    worker_cores: float
    executor_cores: float
    cores: int
    at_once: int
    workers: int
    worker_memory_bytes: float
    redis_core: float
    redis_ops_per_s: float
    redis_round_trips_per_s: float
    redis_net_bytes_per_s: float
    redis_memory_bytes: float
    redis_keys_bytes: float
    redis_pending_bytes: float
    storage_requests: float
    storage_bytes: float
    traffic_bytes: float
    seeding_cpu_s: float
    close_s: float


def cost_of_run(costs: Costs, work: Workload) -> Cost:
    """Add up what one run costs."""
    types = (work.events > 0) + (work.enqueues > 0)
    cost = costs.run.plus(costs.event_type, types)
    cost = cost.plus(costs.event, work.events).plus(costs.enqueue, work.enqueues)
    if work.page_bytes:
        cost = cost.plus(costs.fetch).plus(costs.page_kb, work.page_bytes / 1000)
    return cost


def compute_needs(costs: Costs, work: Workload) -> Needs:
    """Compute what a crawl needs."""
    run = cost_of_run(costs, work)
    worker_cores = work.rate * run.worker_cpu_us / 1e6
    executor_cores = work.rate * run.executor_cpu_us / 1e6
    at_once = max(1, math.ceil(work.rate * work.duration_ms / 1000))
    # One process runs its Python code on one core, whatever the machine has.
    workers = max(math.ceil(worker_cores / BUSY), math.ceil(at_once / work.slots), 1)
    keys = work.jobs * seen_key_bytes(costs.memory, work.jobs)
    pending = work.most_pending * (costs.memory.pending_job_bytes + costs.memory.payload_bytes)
    return Needs(
        seconds=work.jobs / work.rate,
        per_run=run,
        worker_cores=worker_cores,
        executor_cores=executor_cores,
        cores=max(1, math.ceil((worker_cores + executor_cores) / BUSY)),
        at_once=at_once,
        workers=workers,
        worker_memory_bytes=workers * (costs.memory.worker_bytes + costs.memory.executor_bytes),
        redis_core=work.rate * run.redis_cpu_us / 1e6,
        redis_ops_per_s=work.rate * run.redis_commands,
        redis_round_trips_per_s=work.rate * run.redis_round_trips,
        redis_net_bytes_per_s=work.rate * run.redis_net_bytes,
        redis_memory_bytes=costs.memory.redis_base_bytes + keys + pending,
        redis_keys_bytes=keys,
        redis_pending_bytes=pending,
        storage_requests=work.jobs * run.storage_files,
        storage_bytes=work.jobs * (run.storage_bytes + work.events * work.row_bytes),
        traffic_bytes=work.jobs * work.page_bytes,
        seeding_cpu_s=work.jobs * costs.seed_cpu_us / 1e6,
        close_s=work.jobs * costs.close_us / 1e6,
    )


def seen_key_bytes(memory: Memory, keys: float) -> float:
    """Give the bytes a seen key costs at so many keys.

    Between two measured sizes it is interpolated over the logarithm of the keys; outside it is that of the
    nearest, and where buckets are no longer compact that of a wide key.
    """
    if keys > memory.compact_keys:
        return memory.wide_key_bytes
    curve = memory.seen_key_bytes
    if keys <= curve[0][0]:
        return curve[0][1]
    for (low, low_bytes), (high, high_bytes) in pairwise(curve):
        if keys <= high:
            share = math.log(keys / low) / math.log(high / low)
            return low_bytes + share * (high_bytes - low_bytes)
    return curve[-1][1]


def machine_rate(costs: Costs, work: Workload, *, cores: float) -> float:
    """Give the runs a second at which so many cores are all busy with workers, executors and Redis."""
    run = cost_of_run(costs, work)
    return cores * 1e6 / (run.worker_cpu_us + run.executor_cpu_us + run.redis_cpu_us)
