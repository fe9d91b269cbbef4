"""What a fleet's Redis says at one moment, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quarry.types import Counts

STATUSES = ("seeding", "open", "stopped", "closed")
"""What a crawl can be."""


@dataclass(frozen=True, kw_only=True)
class CrawlFigures:
    """One crawl.

    Attributes:
        crawl: Its id.
        status: One of STATUSES.
        counts: Its counters, read in one step.
        parallel: Bound of the runs at once.
        created_ms: Redis time of its first seeds.
        closed_ms: Redis time of its close, or None.
    """

    crawl: str
    status: str
    counts: Counts
    parallel: int
    created_ms: int
    closed_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class PoolUse:
    """One definition of a proxy pool.

    Attributes:
        pool: Its name.
        digest: Of the definition.
        endpoints: How many it has.
        choices: Choices of the whole fleet so far.
        resting: Endpoints that nobody gets now: they rest, or one run tries them.
    """

    pool: str
    digest: str
    endpoints: int
    choices: int
    resting: int


@dataclass(frozen=True, kw_only=True)
class FleetFigures:
    """A Redis and its crawls.

    Attributes:
        crawls: The open ones and the latest of the ended ones, in no order.
        unreadable: Crawls that were named but could not be read.
        queues: Messages by name of the broker's list.
        memory_bytes: Memory that Redis uses.
        evicts_keys: Whether a full memory would make it forget keys.
        append_only: Whether it keeps an append-only file.
        pools: Definitions of proxy pools that were taken into use within a week, the latest.
        pools_unreadable: Those that could not be read.
    """

    crawls: Sequence[CrawlFigures] = ()
    unreadable: int = 0
    queues: Mapping[str, int] = field(default_factory=dict)
    memory_bytes: int = 0
    evicts_keys: bool = False
    append_only: bool = False
    pools: Sequence[PoolUse] = ()
    pools_unreadable: int = 0
