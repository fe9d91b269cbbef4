"""The metrics of one worker process: counted as things happen, served to Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import structlog
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from quarry.metrics.proxies import ProxyCounters
from quarry.metrics.server import MetricsServer
from quarry.types import EVENT_TYPES, OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Upper bounds of the histogram of runs: a run of ten milliseconds and one at the default deadline differ."""

DELIVERIES = (
    "committed",
    "adopted",
    "retry_ok",
    "retry_lost",
    "given_up",
    "handed_back",
    "not_claimed_busy",
    "not_claimed_gone",
    "crawl_gone",
    "error",
)
"""How a delivery ends."""

OTHER = "other"
"""Stands for a value that is not known here: what scripts and later versions make up makes no new series."""


class WorkerFigures:
    """Counts for one worker process.

    Attributes:
        registry: Holds the metrics.
    """

    def __init__(self) -> None:
        # Else each counter has a second series, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the client forgot its annotation
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._server: MetricsServer | None = None
        self._running = Gauge("quarry_worker_deliveries_running", "Deliveries at work.", registry=registry)
        self._deliveries = Counter(
            "quarry_worker_deliveries", "Deliveries that have ended, by how.", ["how"], registry=registry
        )
        self._runs = Counter(
            "quarry_worker_runs", "Runs executed to their outcome.", ["outcome"], registry=registry
        )
        self._seconds = Histogram(
            "quarry_worker_run_seconds", "Wall time of runs.", buckets=RUN_SECONDS, registry=registry
        )
        self._events = Counter("quarry_worker_events", "Events received.", ["type"], registry=registry)
        self._dropped = Counter(
            "quarry_worker_events_dropped", "Events that a policy did not keep.", ["type"], registry=registry
        )
        self._bytes = Counter(
            "quarry_worker_stored_bytes", "Bytes of the files that runs left.", registry=registry
        )
        self._redeliveries = Counter(
            "quarry_worker_redeliveries", "Claimed runs that had been delivered before.", registry=registry
        )
        self._leases_lost = Counter(
            "quarry_worker_leases_lost", "Leases that went to others while we worked.", registry=registry
        )
        self._executors = Counter(
            "quarry_worker_executors_started", "Executor processes started.", registry=registry
        )
        self._proxies = ProxyCounters(registry)
        # A series that appears with its first event hides that event from `rate`.
        for how in (*DELIVERIES, OTHER):
            self._deliveries.labels(how)
        for outcome in OutcomeStatus:
            self._runs.labels(outcome.value)
        for kind in (*sorted(EVENT_TYPES), OTHER):
            self._events.labels(kind)
            self._dropped.labels(kind)

    @classmethod
    def served(cls, *, host: str, port: int) -> Self:
        """Make figures that Prometheus can ask for.

        Raises:
            ConfigError: Nobody can listen there.
        """
        made = cls()
        made._server = MetricsServer(made.registry, host=host, port=port)
        structlog.get_logger("quarry.metrics").info("metrics.serving", url=made._server.url)
        return made

    def delivery_began(self) -> None:
        """Count a delivery that begins."""
        self._running.inc()

    def delivery_ended(self, how: str) -> None:
        """Count a delivery that ended."""
        self._running.dec()
        self._deliveries.labels(how if how in DELIVERIES else OTHER).inc()

    def redelivered(self) -> None:
        """Count a claimed run that had been delivered before."""
        self._redeliveries.inc()

    def run_ended(
        self,
        outcome: str,
        seconds: float,
        *,
        received: Mapping[str, int],
        dropped: Mapping[str, int],
        stored_bytes: int,
    ) -> None:
        """Count a run, its events and its bytes."""
        self._runs.labels(outcome).inc()
        self._seconds.observe(seconds)
        for counter, events in ((self._events, received), (self._dropped, dropped)):
            for kind, count in events.items():
                counter.labels(kind if kind in EVENT_TYPES else OTHER).inc(count)
        self._bytes.inc(stored_bytes)

    def lease_lost(self) -> None:
        """Count a lease that is not ours any more."""
        self._leases_lost.inc()

    def executor_started(self) -> None:
        """Count an executor process."""
        self._executors.inc()

    def proxy_pool_known(self, pool: str) -> None:
        """Show a pool."""
        self._proxies.know(pool)

    def proxy_chosen(self, pool: str, endpoint: str, reason: str) -> None:
        """Count a choice."""
        self._proxies.chosen(pool, endpoint, reason)

    def proxy_reported(self, pool: str, endpoint: str, *, ok: int, failed: int, latency_s: float) -> None:
        """Count how requests through an endpoint ended."""
        self._proxies.reported(pool, endpoint, ok=ok, failed=failed, latency_s=latency_s)

    def proxy_rested(self, pool: str, endpoint: str) -> None:
        """Count a rest."""
        self._proxies.rested(pool, endpoint)

    def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
