"""Figures of the measurements, from samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fleet import figures, report
from bench.fleet.results import worker_memory
from bench.fleet.shapes import Shape

pytestmark = pytest.mark.clause("SIMULATE-13")


@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=30, unique=True),
    st.integers(-100, 100),
    st.integers(0, 10**6),
)
def test_the_slope_of_a_line_is_its_slope(runs, slope, start):
    """Whatever the order and the distances of its points."""
    assert figures.slope([(x, start + slope * x) for x in runs]) == pytest.approx(slope, abs=1e-6)


def test_a_slope_needs_two_points():
    """Otherwise it is nothing."""
    assert figures.slope([]) == figures.slope([(1, 2)]) == figures.slope([(1, 2), (1, 5)]) == 0.0


def test_a_long_crawl_is_watched_over_its_last_20000_runs_a_short_one_over_its_last_two_fifths():
    """Of one worker."""
    long = [(float(n), 0.0) for n in range(0, 100_001, 1000)]
    assert figures.watched(long, 100_000)[0][0] == 80_000
    short = [(float(n), 0.0) for n in range(0, 1001, 100)]
    assert figures.watched(short, 1000)[0][0] == 600


def test_a_leak_is_seen_though_the_close_is_left_out():
    """2 KB a run; at the end one worker reads all records."""

    class Options:
        workers = 2

    samples = [
        {
            "runs": n,
            "worker_pss": [10**8 + 1024 * n, 10**8],
            "worker_anonymous": [10**7, 10**7],
            "executors_pss": [5, 5],
        }
        for n in range(0, 40_001, 100)
    ]
    samples.append({**samples[-1], "worker_pss": [10**9, 10**9]})
    found = worker_memory(samples, Options())
    assert [worker["slope_bytes_per_run"] for worker in found["workers"]] == [2048, 0]
    assert found["workers"][1]["highest_bytes_at_close"] == 10**9
    assert found["judged"] is True


def test_commands_that_lua_calls_are_no_round_trips():
    """But they are executed."""
    before = {"cmdstat_evalsha": {"calls": 1, "usec": 10}}
    after = {
        "cmdstat_evalsha": {"calls": 31, "usec": 3010},
        "cmdstat_hget": {"calls": 100, "usec": 900},
        "cmdstat_brpop": {"calls": 10, "usec": 50},
        "cmdstat_ping": {"calls": 0, "usec": 0},
    }
    stats = figures.commands(before, after)
    assert set(stats) == {"evalsha", "hget", "brpop"}
    assert figures.add_up(stats, runs=10) == {"round_trips": 4.0, "commands": 14.0, "usec": 305.0}


def test_the_steady_rate_leaves_out_start_and_end():
    """Three seconds of nothing, then ten runs a second, then a last straggler."""
    points = [(float(t), float(max(0, 10 * (t - 3)))) for t in range(14)] + [(60.0, 101.0)]
    assert figures.steady_rate(points) == pytest.approx(10.0)


@pytest.mark.parametrize("jobs", [1, 2, 7, 100, 1001])
@pytest.mark.parametrize("each", [1, 2, 5, 20])
def test_the_linked_site_has_as_many_pages_as_it_says(jobs, each):
    """All reached from the first; so the expected counts are right."""
    found, waiting = {0}, [0]
    while waiting:
        n = waiting.pop()
        new = {(n * each + link) % jobs for link in range(each)} - found
        found |= new
        waiting += new
    expected = Shape(name="links", jobs=jobs, each=each).expected()
    if each > 1:
        assert len(found) == jobs
    assert expected["received"] == 1 + jobs * each
    assert expected["received"] == expected["admitted"] + expected["duplicate"]


def test_a_table_is_put_between_its_marks():
    """And nothing else changes; a document without the marks is refused."""
    text = "a\n<!-- table: x -->\nold\n<!-- end -->\nb\n<!-- table: y -->\n<!-- end -->\n"
    done = report.put_table(text, "x", ["| 1 |"])
    assert done == "a\n<!-- table: x -->\n\n| 1 |\n\n<!-- end -->\nb\n<!-- table: y -->\n<!-- end -->\n"
    assert report.put_table(done, "x", ["| 1 |"]) == done
    with pytest.raises(ValueError, match="no place"):
        report.put_table(text, "z", [])
