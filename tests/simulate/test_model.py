"""What a crawl needs: arithmetic against cases computed by hand, and that nothing shrinks as crawls grow."""

from __future__ import annotations

from dataclasses import asdict, replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.simulate import default_costs
from quarry.simulate.model import (
    HIGH_WATER,
    Workload,
    compute_needs,
    cost_of_run,
    machine_rate,
    seen_key_bytes,
)
from tests.simulate.sample_costs import COSTS


@pytest.mark.clause("SIMULATE-06")
def test_the_cost_of_a_run_is_the_sum_of_its_parts():
    """Empty run, two event types, three events, ten enqueues, a page of 20 kB."""
    cost = cost_of_run(COSTS, Workload(jobs=1, rate=1, events=3, enqueues=10, page_bytes=20_000))
    assert cost.worker_cpu_us == 1000 + 2 * 100 + 3 * 10 + 10 * 40
    assert cost.executor_cpu_us == 500 + 3 * 5 + 300 + 20 * 20
    assert cost.redis_cpu_us == 200 + 10 * 5
    assert cost.redis_commands == 50 + 10 * 2
    assert cost.storage_files == 3 + 2
    assert cost.storage_bytes == 8000 + 2 * 3000 + 3 * 100 + 10 * 200


@pytest.mark.clause("SIMULATE-06")
def test_a_run_that_emits_nothing_has_no_further_file():
    """A type of event costs only where there is one."""
    assert cost_of_run(COSTS, Workload(jobs=1, rate=1, events=0)) == COSTS.run


@pytest.mark.clause("SIMULATE-07")
def test_workers_are_enough_for_slots_and_for_cpu():
    """Seconds, cores and processes; 100 runs/s of 2 s need 200 slots; 0.111 cores of workers need one process."""
    needs = compute_needs(COSTS, Workload(jobs=360_000, rate=100, duration_ms=2000, slots=64))
    assert needs.seconds == 3600
    assert needs.at_once == 200
    assert needs.workers == 4
    assert needs.worker_cores == pytest.approx(0.111)
    assert needs.executor_cores == pytest.approx(0.0505)
    assert needs.cores == 1
    assert needs.worker_memory_bytes == 4 * 150_000_000
    quick = compute_needs(COSTS, Workload(jobs=1, rate=2000, duration_ms=1))
    assert quick.at_once == 2
    assert quick.workers == 3  # 2.22 cores of Python, each process at most 75 % of one


@pytest.mark.clause("SIMULATE-06")
def test_redis_and_storage_by_hand():
    """Rate times cost, jobs times cost."""
    work = Workload(jobs=1_000_000, rate=500, events=2, row_bytes=50, page_bytes=10_000)
    needs = compute_needs(COSTS, work)
    assert needs.redis_core == pytest.approx(0.1)
    assert needs.redis_ops_per_s == 25_000
    assert needs.redis_round_trips_per_s == 2000
    assert needs.redis_net_bytes_per_s == 2_000_000
    assert needs.storage_requests == 4_000_000
    assert needs.storage_bytes == 1_000_000 * (8000 + 3000 + 200 + 100)
    assert needs.traffic_bytes == 10_000_000_000
    assert needs.seeding_cpu_s == 50
    assert needs.close_s == 300


@pytest.mark.clause("SIMULATE-08")
def test_memory_of_redis_by_hand():
    """An empty one, keys at their price, and pending jobs: seeds up to the high-water mark, else what may come."""
    seeds = compute_needs(COSTS, Workload(jobs=1_000_000, rate=1))
    assert seeds.redis_memory_bytes == 2_000_000 + 1_000_000 * 20 + HIGH_WATER * 800
    worst = compute_needs(COSTS, Workload(jobs=1_000_000, rate=1, enqueues=1))
    assert worst.redis_pending_bytes == 1_000_000 * 800
    bounded = compute_needs(COSTS, Workload(jobs=1_000_000, rate=1, enqueues=1, pending=10))
    assert bounded.redis_pending_bytes == 8000
    few = compute_needs(COSTS, Workload(jobs=7, rate=1, pending=10))
    assert few.redis_pending_bytes == 7 * 800


@pytest.mark.clause("SIMULATE-08")
@pytest.mark.parametrize(
    ("keys", "bytes_each"),
    [(1, 100), (10_000, 100), (100_000, 60), (1_000_000, 20), (8_000_000, 20), (8_000_001, 90), (10**9, 90)],
)
def test_bytes_a_key_follow_the_measured_curve(keys, bytes_each):
    """Interpolated over the logarithm; the nearest outside; wide ones beyond the compact form."""
    assert seen_key_bytes(COSTS.memory, keys) == pytest.approx(bytes_each)


def test_the_rate_of_a_machine_is_that_at_which_its_cores_are_busy():
    """1,811 µs a run on two cores, of which everything is busy."""
    run = Workload(jobs=1, rate=1)
    assert machine_rate(COSTS, run, cores=2) == pytest.approx(2e6 / (1110 + 505 + 200))


WORK = st.builds(
    Workload,
    jobs=st.integers(1, 10**10),
    rate=st.floats(0.001, 1e6),
    events=st.integers(0, 1000),
    enqueues=st.integers(0, 1000),
    row_bytes=st.integers(0, 10**6),
    page_bytes=st.integers(0, 10**7),
    duration_ms=st.floats(1, 1e6),
    slots=st.integers(1, 4096),
)
GROWING = ("jobs", "rate", "events", "enqueues", "row_bytes", "page_bytes", "duration_ms")


@pytest.mark.clause("SIMULATE-06")
@given(WORK, st.sampled_from(GROWING), st.floats(1.0, 100.0), st.integers(0, 10))
def test_nothing_shrinks_when_a_crawl_grows(work, what, factor, more):
    """But the time that a faster crawl takes."""
    grown_value = type(getattr(work, what))(getattr(work, what) * factor + more)
    grown = replace(work, **{what: grown_value})
    for costs in (COSTS, default_costs()):
        before, after = asdict(compute_needs(costs, work)), asdict(compute_needs(costs, grown))
        before_run, after_run = (msgspec.to_builtins(needs.pop("per_run")) for needs in (before, after))
        if what == "rate":
            before.pop("seconds")
            after.pop("seconds")
        for name, value in {**before, **before_run}.items():
            assert {**after, **after_run}[name] >= value * (1 - 1e-9), name
