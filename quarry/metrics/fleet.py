"""The metrics of a fleet, made anew at each scrape from what Redis says then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from quarry.metrics.figures import STATUSES
from quarry.version import CONTRACT_VERSION, __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.core import Metric

    from quarry.metrics.figures import CrawlFigures, FleetFigures, PoolUse
    from quarry.types import Counts

_COUNTERS = {
    "received": "Seeds and enqueue events that the ledger was told of.",
    "admitted": "Distinct jobs.",
    "replayed": "Received events that no standing record accounts for.",
    "seeds": "Seeds received, duplicates among them.",
    "unread": "Seed lines offered and not received: after a stop, or in the batch that met max_runs.",
    "redeliveries": "Deliveries that followed one whose lease was lost.",
}
_VERDICTS = ("admitted", "duplicate", "beyond_depth", "over_cap")
_STATES = ("pending", "leased", "committing", "succeeded", "failed", "not_executed")
_RESULTS = ("succeeded", "failed", "not_executed")


class FleetCollector(Collector):
    """Reads at scrape time. A read that fails is `quarry_up` 0, never an exception.

    Args:
        read: Gives what Redis says now; None where it does not answer in time. May block.
        clock: Monotonic seconds.
    """

    def __init__(
        self, read: Callable[[], FleetFigures | None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Make all metrics of this moment."""
        started = self._clock()
        found = self._read()
        yield _gauge("quarry_up", "1 where Redis answered in time.", int(found is not None))
        yield _gauge(
            "quarry_scrape_duration_seconds", "Time that it took to read Redis.", self._clock() - started
        )
        info = GaugeMetricFamily("quarry_build_info", "Always 1.", labels=("version", "contract"))
        info.add_metric((__version__, CONTRACT_VERSION), 1)
        yield info
        if found is not None:
            yield from _of_redis(found)
            yield from _of_pools(found.pools)
            yield from _of_crawls(found.crawls)


def make_fleet_registry(read: Callable[[], FleetFigures | None]) -> CollectorRegistry:
    """Make a registry that holds a fleet's metrics and nothing of this process."""
    registry = CollectorRegistry()
    registry.register(FleetCollector(read))
    return registry


def _of_redis(found: FleetFigures) -> Iterator[Metric]:
    yield _gauge("quarry_redis_memory_bytes", "Memory that Redis uses.", found.memory_bytes)
    yield _gauge(
        "quarry_redis_evicts_keys", "1 where a full Redis would forget keys.", int(found.evicts_keys)
    )
    yield _gauge(
        "quarry_redis_append_only", "1 where Redis keeps an append-only file.", int(found.append_only)
    )
    yield _gauge("quarry_crawls_unreadable", "Crawls that are named but could not be read.", found.unreadable)
    yield _gauge(
        "quarry_proxy_pools_unreadable",
        "Proxy pools that are named but could not be read.",
        found.pools_unreadable,
    )
    queues = GaugeMetricFamily(
        "quarry_queue_messages", "Messages in a list of the broker.", labels=("queue",)
    )
    for name, length in found.queues.items():
        queues.add_metric((name,), length)
    yield queues
    crawls = GaugeMetricFamily("quarry_crawls", "Crawls that are shown here.", labels=("status",))
    for status in STATUSES:
        crawls.add_metric((status,), sum(each.status == status for each in found.crawls))
    yield crawls


def _of_pools(pools: Sequence[PoolUse]) -> Iterator[Metric]:
    labels = ("pool", "digest")
    choices = CounterMetricFamily(
        "quarry_proxy_pool_choices", "Endpoints given to runs of the whole fleet.", labels=labels
    )
    endpoints = GaugeMetricFamily("quarry_proxy_pool_endpoints", "Endpoints of a pool.", labels=labels)
    resting = GaugeMetricFamily(
        "quarry_proxy_pool_resting", "Endpoints that rest, or that one run tries.", labels=labels
    )
    for each in pools:
        name = (each.pool, each.digest)
        choices.add_metric(name, each.choices)
        endpoints.add_metric(name, each.endpoints)
        resting.add_metric(name, each.resting)
    yield from (choices, endpoints, resting)


def _of_crawls(crawls: Sequence[CrawlFigures]) -> Iterator[Metric]:
    for name, told in _COUNTERS.items():
        counter = CounterMetricFamily(f"quarry_crawl_{name}", told, labels=("crawl",))
        for each in crawls:
            counter.add_metric((each.crawl,), getattr(each.counts, name))
        yield counter
    told = "What became of received events; the sum is received."
    yield _counter_by("quarry_crawl_verdicts", told, "verdict", _VERDICTS, crawls)
    yield _counter_by("quarry_crawl_settled", "Jobs that have ended.", "result", _RESULTS, crawls)
    jobs = GaugeMetricFamily(
        "quarry_crawl_jobs", "Jobs by where they stand; the sum is admitted.", labels=("crawl", "state")
    )
    status = GaugeMetricFamily(
        "quarry_crawl_status", "1 for the crawl's status, 0 for the others.", labels=("crawl", "status")
    )
    imbalance = GaugeMetricFamily(
        "quarry_crawl_imbalance", "Left minus right side of a ledger equation.", labels=("crawl", "equation")
    )
    for each in crawls:
        for state in _STATES:
            jobs.add_metric((each.crawl, state), getattr(each.counts, state))
        for name in STATUSES:
            status.add_metric((each.crawl, name), int(each.status == name))
        for equation, difference in differences(each.counts).items():
            imbalance.add_metric((each.crawl, equation), difference)
    yield from (jobs, status, imbalance)
    yield from _of_heads(crawls)


def _of_heads(crawls: Sequence[CrawlFigures]) -> Iterator[Metric]:
    parallel = GaugeMetricFamily("quarry_crawl_parallel", "Bound of the runs at once.", labels=("crawl",))
    depth = GaugeMetricFamily(
        "quarry_crawl_max_depth", "Depth of the deepest admitted job.", labels=("crawl",)
    )
    created = GaugeMetricFamily(
        "quarry_crawl_created_timestamp_seconds", "Redis time of the first seeds.", labels=("crawl",)
    )
    closed = GaugeMetricFamily(
        "quarry_crawl_closed_timestamp_seconds",
        "Redis time of the close; ended crawls only.",
        labels=("crawl",),
    )
    for each in crawls:
        labels = (each.crawl,)
        parallel.add_metric(labels, each.parallel)
        depth.add_metric(labels, each.counts.max_depth_seen)
        created.add_metric(labels, each.created_ms / 1000)
        if each.closed_ms is not None:
            closed.add_metric(labels, each.closed_ms / 1000)
    yield from (parallel, depth, created, closed)


def differences(counts: Counts) -> dict[str, int]:
    """Give left minus right side of both ledger equations, by their left side; each is to be 0."""
    return {
        "received": counts.received - sum(getattr(counts, name) for name in _VERDICTS),
        "admitted": counts.admitted - sum(getattr(counts, name) for name in _STATES),
    }


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _counter_by(
    name: str, told: str, label: str, values: Sequence[str], crawls: Sequence[CrawlFigures]
) -> Metric:
    family = CounterMetricFamily(name, told, labels=("crawl", label))
    for each in crawls:
        for value in values:
            family.add_metric((each.crawl, value), getattr(each.counts, value))
    return family
