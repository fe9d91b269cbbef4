"""The metrics of a fleet, from plain values."""

from __future__ import annotations

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from quarry.metrics import CrawlFigures, FleetFigures, PoolUse
from quarry.metrics.fleet import differences, make_fleet_registry
from quarry.types import Counts

COUNTS = Counts(
    seeds=2,
    received=20,
    admitted=14,
    duplicate=3,
    beyond_depth=2,
    over_cap=1,
    replayed=4,
    pending=1,
    leased=2,
    committing=3,
    succeeded=5,
    failed=2,
    not_executed=1,
    unread=7,
    redeliveries=6,
    max_depth_seen=9,
)


def shown(figures: FleetFigures | None) -> dict[str, float]:
    text = generate_latest(make_fleet_registry(lambda: figures)).decode()
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def crawl(name: str = "c", **changes) -> CrawlFigures:
    made = {"status": "open", "counts": COUNTS, "parallel": 8, "created_ms": 1_500, "closed_ms": None}
    return CrawlFigures(crawl=name, **{**made, **changes})


@pytest.mark.clause("METRICS-09")
def test_each_counter_of_a_crawl_is_shown():
    found = shown(FleetFigures(crawls=[crawl()]))
    for name in ("received", "admitted", "replayed", "seeds", "unread", "redeliveries"):
        assert found[f"quarry_crawl_{name}_total c"] == getattr(COUNTS, name)
    for name in ("admitted", "duplicate", "beyond_depth", "over_cap"):
        assert found[f"quarry_crawl_verdicts_total c {name}"] == getattr(COUNTS, name)
    for name in ("pending", "leased", "committing", "succeeded", "failed", "not_executed"):
        assert found[f"quarry_crawl_jobs c {name}"] == getattr(COUNTS, name)
    assert found["quarry_crawl_settled_total c failed"] == 2
    assert found["quarry_crawl_max_depth c"] == 9
    assert found["quarry_crawl_parallel c"] == 8
    assert found["quarry_crawl_created_timestamp_seconds c"] == 1.5


@pytest.mark.clause("METRICS-09")
def test_the_differences_of_both_equations_are_shown():
    """0 where they hold; else by how much the left side is too large."""
    assert differences(COUNTS) == {"received": 0, "admitted": 0}
    off = Counts(received=5, admitted=3, duplicate=1, pending=5)
    found = shown(FleetFigures(crawls=[crawl(), crawl("off", counts=off)]))
    assert found["quarry_crawl_imbalance c received"] == found["quarry_crawl_imbalance c admitted"] == 0
    assert found["quarry_crawl_imbalance off received"] == 1
    assert found["quarry_crawl_imbalance off admitted"] == -2


@pytest.mark.clause("METRICS-09")
def test_status_and_close_are_shown():
    found = shown(FleetFigures(crawls=[crawl("a"), crawl("b", status="closed", closed_ms=2_500)]))
    assert found["quarry_crawl_status a open"] == found["quarry_crawl_status b closed"] == 1
    assert found["quarry_crawl_status a closed"] == 0
    assert found["quarry_crawls open"] == found["quarry_crawls closed"] == 1
    assert found["quarry_crawl_closed_timestamp_seconds b"] == 2.5
    assert "quarry_crawl_closed_timestamp_seconds a" not in found


@pytest.mark.clause("METRICS-09")
def test_redis_and_lists_are_shown():
    figures = FleetFigures(queues={"quarry": 3, "quarry.browser": 0}, memory_bytes=77, append_only=True)
    found = shown(figures)
    assert found["quarry_up"] == 1
    assert found["quarry_queue_messages quarry"] == 3
    assert found["quarry_queue_messages quarry.browser"] == 0
    assert found["quarry_redis_memory_bytes"] == 77
    assert (found["quarry_redis_append_only"], found["quarry_redis_evicts_keys"]) == (1, 0)


@pytest.mark.clause("METRICS-10")
def test_a_redis_that_is_away_leaves_only_that():
    found = shown(None)
    assert found["quarry_up"] == 0
    assert {name.split(" ")[0] for name in found} == {
        "quarry_up",
        "quarry_scrape_duration_seconds",
        "quarry_build_info",
    }


def test_a_crawl_id_may_hold_anything_that_an_id_may():
    found = shown(FleetFigures(crawls=[crawl("a.b_c-d:e@f+g=h~i")]))
    assert found["quarry_crawl_received_total a.b_c-d:e@f+g=h~i"] == 20


@pytest.mark.clause("METRICS-19")
def test_definitions_of_pools_are_shown_apart():
    """Two of one name have figures of their own."""
    pools = [
        PoolUse(pool="shop", digest="d1", endpoints=12, choices=600, resting=2),
        PoolUse(pool="shop", digest="d2", endpoints=3, choices=1, resting=0),
    ]
    found = shown(FleetFigures(pools=pools, pools_unreadable=1))
    # Labels by name: digest, then pool.
    assert found["quarry_proxy_pool_choices_total d1 shop"] == 600
    assert found["quarry_proxy_pool_endpoints d1 shop"] == 12
    assert found["quarry_proxy_pool_resting d1 shop"] == 2
    assert found["quarry_proxy_pool_choices_total d2 shop"] == 1
    assert found["quarry_proxy_pools_unreadable"] == 1
