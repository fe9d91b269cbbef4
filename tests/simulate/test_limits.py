"""Where a crawl stops scaling."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.simulate import Prices, Workload, answer
from quarry.simulate.limits import FLOWER_RUNS_PER_S, PLACES, find_limits, most_jobs
from quarry.simulate.model import compute_needs
from tests.simulate.sample_costs import COSTS

GB = 1e9


def by_name(work, redis_bytes=64 * GB):
    return {limit.name: limit for limit in find_limits(COSTS, work, redis_bytes=redis_bytes)}


@pytest.mark.clause("SIMULATE-10")
def test_limits_by_hand():
    """Redis' core at 80 %, four files a run under one prefix, an hour of close."""
    found = by_name(Workload(jobs=1000, rate=1))
    assert found["redis_core"].runs_per_s == pytest.approx(0.8e6 / 200)
    assert found["storage_prefix"].runs_per_s == pytest.approx(3500 / 4)
    assert found["flower"].runs_per_s == FLOWER_RUNS_PER_S
    assert found["close"].jobs == 12_000_000
    assert found["compact_keys"].jobs == 8_000_000
    assert found["order_of_pending"].jobs == PLACES
    assert not any(limit.reached for limit in found.values())


@pytest.mark.clause("SIMULATE-10")
def test_limits_stand_with_the_nearest_first_and_say_what_is_passed():
    """Those of the rate, then those of the number of jobs."""
    found = find_limits(COSTS, Workload(jobs=10**9, rate=5000), redis_bytes=64 * GB)
    rates = [limit.runs_per_s for limit in found if limit.runs_per_s is not None]
    jobs = [limit.jobs for limit in found if limit.jobs is not None]
    assert [limit.runs_per_s for limit in found][: len(rates)] == rates == sorted(rates)
    assert jobs == sorted(jobs)
    assert {limit.name for limit in found if limit.reached} == {
        *("redis_core", "flower", "storage_prefix", "compact_keys", "close", "redis_memory")
    }


@pytest.mark.clause("SIMULATE-10")
@given(st.floats(0.003, 1000), st.booleans())
def test_the_most_jobs_just_fit(gigabytes, enqueues):
    """One more does not."""
    work = Workload(jobs=1, rate=1, enqueues=int(enqueues))
    most = most_jobs(COSTS, work, redis_bytes=gigabytes * GB)
    assert compute_needs(COSTS, replace(work, jobs=max(most, 1))).redis_memory_bytes <= gigabytes * GB
    more = compute_needs(COSTS, replace(work, jobs=most + 1))
    assert more.redis_memory_bytes > gigabytes * GB


@pytest.mark.clause("SIMULATE-09")
def test_one_redis_suffices_by_core_and_by_memory():
    """Either may be what is missing."""

    def said(work, redis_bytes):
        return answer(COSTS, Prices(), work, redis_bytes=redis_bytes)["redis"]["one_suffices"]

    small = Workload(jobs=1000, rate=10)
    assert said(small, GB) is True
    assert said(replace(small, rate=4001), GB) is False
    assert said(replace(small, jobs=100_000_000), GB) is False


@pytest.mark.clause("SIMULATE-10")
def test_the_first_limit_is_one_without_which_no_crawl_can_do():
    """Neither Flower nor one prefix of a store."""
    assert answer(COSTS, Prices(), Workload(jobs=1, rate=1), redis_bytes=GB)["first_limit"] == "redis_core"
