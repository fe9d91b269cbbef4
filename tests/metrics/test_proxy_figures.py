"""The figures of the proxies that a worker process uses."""

from __future__ import annotations

import pytest

from quarry.crawl.figures import NoFigures
from quarry.crawl.proxy_figures import NAMED_ENDPOINTS, OTHER, ProxyFigures
from quarry.metrics.worker import WorkerFigures
from quarry.testing.recency import make_pool


@pytest.fixture
def figures():
    return WorkerFigures()


def value(figures: WorkerFigures, name: str, **labels: str) -> float | None:
    return figures.registry.get_sample_value(f"quarry_proxy_{name}", labels)


@pytest.mark.clause("METRICS-18")
def test_choices_requests_latency_and_rests_are_counted_by_endpoint(figures):
    pool = make_pool(2, name="shop")
    first, second = (endpoint.identity for endpoint in pool.endpoints)
    watcher = ProxyFigures(figures, {"shop": pool})
    watcher.chosen("shop", first, "free")
    watcher.chosen("shop", second, "resting")
    watcher.chosen("shop", second, "made-up")
    watcher.reported("shop", first, ok=3, failed=1, latency_ms=1_500)
    watcher.rested("shop", second)
    assert value(figures, "choices_total", pool="shop", endpoint=second) == 2
    assert value(figures, "requests_total", pool="shop", endpoint=first, result="ok") == 3
    assert value(figures, "requests_total", pool="shop", endpoint=first, result="failed") == 1
    assert value(figures, "requests_total", pool="shop", endpoint=second, result="failed") == 0
    assert value(figures, "latency_seconds_total", pool="shop", endpoint=first) == 1.5
    assert value(figures, "rests_total", pool="shop", endpoint=second) == 1
    assert value(figures, "rests_total", pool="shop", endpoint=first) == 0
    for reason, count in (("free", 1), ("resting", 1), ("other", 1), ("sticky", 0)):
        assert value(figures, "choice_reasons_total", pool="shop", reason=reason) == count


@pytest.mark.clause("METRICS-18")
def test_of_a_large_pool_the_first_endpoints_of_its_list_are_named(figures):
    """Whatever the order of use: all workers name the same; the number of series is bounded."""
    pool = make_pool(NAMED_ENDPOINTS + 300, name="big")
    watcher = ProxyFigures(figures, {"big": pool})
    for endpoint in reversed(pool.endpoints):
        watcher.chosen("big", endpoint.identity, "free")
        watcher.reported("big", endpoint.identity, ok=1, failed=0, latency_ms=1)
    assert value(figures, "choices_total", pool="big", endpoint=OTHER) == 300
    assert value(figures, "requests_total", pool="big", endpoint=OTHER, result="ok") == 300
    last_named = pool.endpoints[NAMED_ENDPOINTS - 1].identity
    assert value(figures, "choices_total", pool="big", endpoint=last_named) == 1
    assert value(figures, "choices_total", pool="big", endpoint=pool.endpoints[-1].identity) is None
    series = [
        sample
        for metric in figures.registry.collect()
        if metric.name.startswith("quarry_proxy_")
        for sample in metric.samples
    ]
    assert len(series) == 5 * (NAMED_ENDPOINTS + 1) + 7


@pytest.mark.clause("METRICS-18")
def test_who_counts_nothing_may_be_told():
    watcher = ProxyFigures(NoFigures(), {"shop": make_pool(1, name="shop")})
    watcher.chosen("shop", "e", "free")
    watcher.reported("shop", "e", ok=1, failed=0, latency_ms=1)
    watcher.rested("unknown", "e")
