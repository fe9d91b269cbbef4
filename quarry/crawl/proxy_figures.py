"""Choices and rests of a worker's proxies, told to whoever counts them, under a bounded number of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.proxy import ProxyWatcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.crawl.figures import Figures
    from quarry.types.proxy import ProxyPool

NAMED_ENDPOINTS = 200
"""Endpoints of a pool that are counted by name: a series lives as long as its label, and costs memory."""

OTHER = "other"
"""Stands for all endpoints after these."""


class ProxyFigures(ProxyWatcher):
    """Counts for one worker process.

    The first of the pool's list are named, not the first that this process uses: all workers name the same.

    Args:
        figures: Counts.
        pools: Of this machine.
    """

    def __init__(self, figures: Figures, pools: Mapping[str, ProxyPool]) -> None:
        self._figures = figures
        self._named = {
            name: frozenset(endpoint.identity for endpoint in pool.endpoints[:NAMED_ENDPOINTS])
            for name, pool in pools.items()
        }
        for name in pools:
            figures.proxy_pool_known(name)

    def chosen(self, pool: str, endpoint: str, reason: str) -> None:
        """Count a choice."""
        self._figures.proxy_chosen(pool, self._label(pool, endpoint), reason)

    def reported(self, pool: str, endpoint: str, *, ok: int, failed: int, latency_ms: int) -> None:
        """Count how the requests of a run through an endpoint ended."""
        self._figures.proxy_reported(
            pool, self._label(pool, endpoint), ok=ok, failed=failed, latency_s=latency_ms / 1000
        )

    def rested(self, pool: str, endpoint: str) -> None:
        """Count a rest."""
        self._figures.proxy_rested(pool, self._label(pool, endpoint))

    def _label(self, pool: str, endpoint: str) -> str:
        return endpoint if endpoint in self._named.get(pool, ()) else OTHER
