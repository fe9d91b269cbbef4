"""The figures of one worker process."""

from __future__ import annotations

import pytest

from quarry.crawl.figures import NoFigures, open_figures
from quarry.errors import ConfigError
from quarry.metrics.worker import WorkerFigures
from quarry.types import OutcomeStatus
from tests.metrics.conftest import scrape
from tests.workers.kit import free_port


@pytest.fixture
def figures():
    return WorkerFigures()


def value(figures: WorkerFigures, name: str, **labels: str) -> float | None:
    return figures.registry.get_sample_value(name, labels)


@pytest.mark.clause("METRICS-14")
def test_runs_events_and_bytes_are_counted(figures):
    figures.run_ended("success", 0.2, received={"item": 3, "log": 2}, dropped={"log": 1}, stored_bytes=1_000)
    figures.run_ended("script_error", 70, received={"item": 1}, dropped={}, stored_bytes=0)
    assert value(figures, "quarry_worker_runs_total", outcome="success") == 1
    assert value(figures, "quarry_worker_runs_total", outcome="script_error") == 1
    assert value(figures, "quarry_worker_events_total", type="item") == 4
    assert value(figures, "quarry_worker_events_dropped_total", type="log") == 1
    assert value(figures, "quarry_worker_stored_bytes_total") == 1_000
    assert value(figures, "quarry_worker_run_seconds_sum") == pytest.approx(70.2)
    assert value(figures, "quarry_worker_run_seconds_bucket", le="0.25") == 1
    assert value(figures, "quarry_worker_run_seconds_bucket", le="120.0") == 2


@pytest.mark.clause("METRICS-14")
def test_deliveries_are_counted_by_how_they_end(figures):
    figures.delivery_began()
    figures.delivery_began()
    figures.delivery_ended("adopted")
    assert value(figures, "quarry_worker_deliveries_running") == 1
    assert value(figures, "quarry_worker_deliveries_total", how="adopted") == 1
    figures.lease_lost()
    figures.redelivered()
    figures.executor_started()
    for name in ("leases_lost", "redeliveries", "executors_started"):
        assert value(figures, f"quarry_worker_{name}_total") == 1


@pytest.mark.clause("METRICS-15")
def test_what_is_made_up_makes_no_series(figures):
    before = sum(len(metric.samples) for metric in figures.registry.collect())
    figures.run_ended(
        "success", 1, received={f"made-up-{n}": 1 for n in range(50)}, dropped={}, stored_bytes=0
    )
    for n in range(50):
        figures.delivery_began()
        figures.delivery_ended(f"made-up-{n}")
    assert sum(len(metric.samples) for metric in figures.registry.collect()) == before
    assert value(figures, "quarry_worker_events_total", type="other") == 50
    assert value(figures, "quarry_worker_deliveries_total", how="other") == 50


def test_every_series_is_there_before_its_first_event(figures):
    """`rate` sees no growth in a series that appears with its first value."""
    for status in OutcomeStatus:
        assert value(figures, "quarry_worker_runs_total", outcome=status.value) == 0


@pytest.mark.clause("METRICS-14")
def test_figures_are_served_where_the_environment_asks_for_it():
    assert isinstance(open_figures({}), NoFigures)
    port = free_port()
    figures = open_figures({"QUARRY_METRICS_PORT": str(port)})
    try:
        figures.lease_lost()
        assert scrape(port)[("quarry_worker_leases_lost_total",)] == 1
        assert ("process_resident_memory_bytes",) in scrape(port)
        with pytest.raises(ConfigError, match="choose another port"):
            open_figures({"QUARRY_METRICS_PORT": str(port)})
    finally:
        figures.close()
    assert scrape(port) == {}


@pytest.mark.parametrize("text", ["x", "-1", "65536", "1.5"])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="QUARRY_METRICS_PORT"):
        open_figures({"QUARRY_METRICS_PORT": text})
