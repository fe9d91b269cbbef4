"""A pool with another strategy than its own (``--proxy-strategy``)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from quarry.types.proxy import Sticky

if TYPE_CHECKING:
    from quarry.types.proxy import ProxyPool


def with_strategy(pool: ProxyPool, strategy: str | None) -> ProxyPool:
    """Give the pool with this strategy; a pure function, so that command and workers make the same one.

    Args:
        pool: As the configuration defines it.
        strategy: ``round_robin``, ``random`` or ``sticky``; None leaves the pool as it is.

    Returns:
        The pool itself where it has that strategy; else another one: sticky by job, no recency window.
    """
    if strategy is None or strategy == pool.strategy:
        return pool
    return dataclasses.replace(
        pool,
        strategy=strategy,
        sticky=Sticky() if strategy == "sticky" else None,
        recency_window=0,
    )
