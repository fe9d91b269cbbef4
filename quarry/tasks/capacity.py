"""How many runs a worker takes on at once, where nobody said. Pure: figures in, a number out.

A run of the http profile waits for the network most of its time and costs a few megabytes; one of the browser
profile keeps a page open, whose renderers cost hundreds and most of a core while it loads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

MIB = 1 << 20

USABLE = 0.8
"""Share of the memory that runs may plan with; the rest is for the system and for peaks."""

WORKER_BYTES = 256 * MIB
"""Memory of the worker's own process, storage writers included."""

EXECUTOR_BYTES = 192 * MIB
"""Memory of one executor process without its runs; there is one a core."""

GROWTH = 4
"""How many times its first concurrency a worker can be grown to by remote control."""


class Profile(StrEnum):
    """Kind of runs that a worker serves."""

    HTTP = "http"
    BROWSER = "browser"
    ALL = "all"
    """Both: sized so that all of them may be browser runs, as far as memory goes."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What this process may use of the machine.

    Attributes:
        cores: Cores, after affinity and the control group's quota; fractions count.
        memory_bytes: Memory, after the control group's limit.
    """

    cores: float
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What runs of a profile need.

    Attributes:
        per_core: Runs that keep one core busy.
        run_bytes: Memory of one run.
        most: Runs at once in one worker, however large the machine is.
    """

    per_core: int
    run_bytes: int
    most: int


DEMANDS = {
    Profile.HTTP: Demand(per_core=64, run_bytes=16 * MIB, most=512),
    Profile.BROWSER: Demand(per_core=2, run_bytes=384 * MIB, most=32),
    Profile.ALL: Demand(per_core=8, run_bytes=384 * MIB, most=64),
}


def decide_concurrency(figures: Figures, profile: Profile) -> int:
    """Decide the runs at once of a worker.

    The smallest of: runs a core times cores; what is left of the usable memory beside worker and executors,
    in runs; the most that one worker takes. At least 1.

    Args:
        figures: What this process may use.
        profile: The runs that it serves.
    """
    demand = DEMANDS[profile]
    executors = max(1, math.ceil(figures.cores))
    left_bytes = figures.memory_bytes * USABLE - WORKER_BYTES - executors * EXECUTOR_BYTES
    by_cores = math.floor(demand.per_core * figures.cores)
    by_memory = math.floor(left_bytes / demand.run_bytes)
    return max(1, min(by_cores, by_memory, demand.most))
