"""Bounds over a fleet: max-runs and parallel to the run, several crawls in turn, a seeder that waits."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.e2e.harness import assert_balanced, wait_for
from tests.fleet.fleet import SCRIPT, running_fleet


@pytest.mark.slow
@pytest.mark.clause("LEDGER-09", "LEDGER-43", "LEDGER-05")
@pytest.mark.parametrize("cap", [1, 7, 100, *([5000] if os.environ.get("QUARRY_LONG") else [])])
def test_max_runs_is_met_and_parallel_never_exceeded_on_four_workers(tmp_path, cap):
    """Never one more; the ledger's own maximum of leases says so of parallel."""
    with running_fleet(tmp_path, workers=4, slots=16) as fleet:
        done = fleet.run(
            {"fan": 80, "each": {"fan": 80}},
            *("--depth", "2", "--parallel", "32", "--run-id", "e1", "--max-runs", str(cap)),
            timeout_s=170,
        )
        assert done.code == 0, done.stderr
        assert_balanced(done.result["fanout"])
        assert done.result["fanout"]["succeeded"] == cap
        (row,) = json.loads(fleet.quarry("list", "crawls").stdout)
        assert row["peak_leased"] <= 32
        if cap >= 100:
            assert row["peak_leased"] == 32


@pytest.mark.slow
@pytest.mark.clause("RUN-47")
def test_a_small_slow_crawl_is_not_starved_by_a_large_quick_one(tmp_path):
    """It ends while thousands of the other's jobs still wait; with QUARRY_LONG, within 1.5 times of its time alone."""
    with running_fleet(tmp_path, workers=2, slots=8) as fleet:
        many, few = (5000, 50) if os.environ.get("QUARRY_LONG") else (3000, 24)
        slow = {"fan": few - 1, "each": {"sleep_s": 0.5}}
        bounds = ("--depth", "1", "--parallel", "4")
        alone = fleet.run(slow, *bounds, "--run-id", "alone")
        quick = json.dumps({"fan": many - 1})
        other = fleet.begin(
            *(
                "run",
                "--script",
                SCRIPT,
                "--job",
                quick,
                "--depth",
                "1",
                "--parallel",
                "12",
                "--run-id",
                "quick",
            )
        )
        wait_for(lambda: fleet.counters("quick").get("succeeded", 0) > 50, what="the quick crawl")
        beside = fleet.run(slow, *bounds, "--run-id", "beside")
        still_running = fleet.counters("quick")["pending"]
        fleet.quarry("stop", "quick")
        other.wait()
        assert alone.code == beside.code == 0
        assert still_running > 0, "the quick crawl ended too early to compare"
        times = alone.result["duration_ms"], beside.result["duration_ms"]
        print(f"slow crawl alone {times[0]} ms, beside {times[1]} ms, {still_running} quick jobs left")
        if os.environ.get("QUARRY_LONG"):  # a time: only on a machine that does nothing else
            assert times[1] <= 1.5 * times[0]


@pytest.mark.clause("RUN-44")
def test_at_the_high_water_mark_only_the_seeder_waits_and_one_that_died_is_followed(tmp_path):
    """Pending stays at the mark plus a batch; the next seeder goes on at the offset, each line once."""
    gate = tmp_path / "gate"
    seeds = tmp_path / "seeds.ndjson"
    lines = [json.dumps({"name": f"s{n}", "gate": str(gate)}) for n in range(3200)]
    seeds.write_text("\n".join(lines) + "\n")
    with running_fleet(tmp_path, workers=1, slots=8) as fleet:
        fleet.env["QUARRY_HIGH_WATER"] = "1000"
        arguments = ("--script", SCRIPT, "--seeds", str(seeds), "--run-id", "h1", "--parallel", "8")
        seeder = fleet.begin("run", *arguments, "--max-runs", "2500")
        wait_for(lambda: fleet.counters("h1").get("pending", 0) >= 1000, what="the mark")
        settled = fleet.counters("h1")["received"]
        time.sleep(1)  # the proof that nothing comes: more than two looks of the seeder
        assert fleet.counters("h1")["received"] == settled <= 1500
        seeder.kill()
        gate.touch()
        wait_for(lambda: fleet.counters("h1")["pending"] == 0, what="all that was seeded", timeout_s=100)
        assert fleet.counters("h1")["seeding"] == 1
        done = fleet.quarry("run", "--attach", "h1", timeout_s=160)
        assert done.code == 0, done.stderr
        fanout = done.result["fanout"]
        assert_balanced(fanout)
        assert (fanout["succeeded"], fanout["seeds"], fanout["duplicate"]) == (2500, 2500, 0)


@pytest.mark.clause("RUN-44")
def test_seeds_that_changed_are_refused_by_whoever_goes_on(tmp_path):
    """By line they would mean other jobs."""
    gate = tmp_path / "gate"
    seeds = tmp_path / "seeds.ndjson"
    seeds.write_text("".join(json.dumps({"name": f"s{n}", "gate": str(gate)}) + "\n" for n in range(1500)))
    with running_fleet(tmp_path, workers=1) as fleet:
        fleet.env["QUARRY_HIGH_WATER"] = "400"
        seeder = fleet.begin("run", "--script", SCRIPT, "--seeds", str(seeds), "--run-id", "g1")
        wait_for(lambda: fleet.counters("g1").get("pending", 0) >= 400, what="the mark")
        seeder.kill()
        with seeds.open("a") as file:
            file.write('{"name": "another"}\n')
        refused = fleet.quarry("run", "--attach", "g1")
        assert refused.code == 64
        assert "changed since the crawl began" in refused.stderr
        gate.touch()
        assert fleet.quarry("stop", "g1").code == 0
        done = fleet.quarry("run", "--attach", "g1")
        assert done.code == 4
        assert_balanced(done.result["fanout"])
