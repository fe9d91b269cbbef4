"""The metrics of the proxies that one worker process uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

REASONS = ("free", "sticky", "least_recent", "given_up", "banned", "resting")
"""Why an endpoint was chosen."""

OTHER_REASON = "other"


class ProxyCounters:
    """Counts by pool and endpoint; who calls bounds the number of both.

    Args:
        registry: Takes the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        by = ["pool", "endpoint"]
        self._choices = Counter("quarry_proxy_choices", "Endpoints given to runs.", by, registry=registry)
        self._reasons = Counter(
            "quarry_proxy_choice_reasons", "The same by why.", ["pool", "reason"], registry=registry
        )
        self._requests = Counter(
            "quarry_proxy_requests", "Requests through an endpoint.", [*by, "result"], registry=registry
        )
        self._latency = Counter(
            "quarry_proxy_latency_seconds", "Time of the requests that it carried.", by, registry=registry
        )
        self._rests = Counter("quarry_proxy_rests", "Rests that began.", by, registry=registry)

    def know(self, pool: str) -> None:
        """Show a pool before its first choice: a series that appears with its first event hides it."""
        for reason in (*REASONS, OTHER_REASON):
            self._reasons.labels(pool, reason)

    def chosen(self, pool: str, endpoint: str, reason: str) -> None:
        """Count a choice."""
        self._choices.labels(pool, endpoint).inc()
        self._reasons.labels(pool, reason if reason in REASONS else OTHER_REASON).inc()
        for result in ("ok", "failed"):
            self._requests.labels(pool, endpoint, result)
        self._latency.labels(pool, endpoint)
        self._rests.labels(pool, endpoint)

    def reported(self, pool: str, endpoint: str, *, ok: int, failed: int, latency_s: float) -> None:
        """Count how the requests of a run ended."""
        self._requests.labels(pool, endpoint, "ok").inc(ok)
        self._requests.labels(pool, endpoint, "failed").inc(failed)
        self._latency.labels(pool, endpoint).inc(latency_s)

    def rested(self, pool: str, endpoint: str) -> None:
        """Count a rest."""
        self._rests.labels(pool, endpoint).inc()
