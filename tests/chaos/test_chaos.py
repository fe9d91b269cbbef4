"""The chaos suite, shortened: each fault alone, all together, what must be noticed, and a row of the table again."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys

import pytest

from tests.chaos.answer import answer
from tests.chaos.document import REPEATABLE, read_document, write_document
from tests.chaos.fleet import ROOT
from tests.chaos.report import Row
from tests.chaos.scenario import FAULTS, Scenario
from tests.chaos.scripts.graph import Graph
from tests.chaos.switches import SHOWN_BY, SWITCHES
from tests.chaos.table import SWITCH_SEEDS, noticed, plan_table

PAGE = ROOT / "docs" / "reliability.md"
ZERO = dict.fromkeys(REPEATABLE, 0)


def chaos(*arguments: object) -> tuple[int, dict[str, str], str]:
    """Make one run by the command; its exit code, the fields of its line, and all that it said."""
    argv = [sys.executable, "-m", "tests.chaos", *(str(argument) for argument in arguments)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=175)
    print(done.stdout, done.stderr[-2000:])
    line = next((line for line in done.stdout.splitlines() if line.startswith("fault=")), "")
    return done.returncode, dict(re.findall(r"(\w+)=(\S+)", line)), done.stdout + done.stderr


def compared(said: dict[str, str]) -> dict[str, int]:
    return {name: int(said[name]) for name in REPEATABLE}


GROUPS = (
    "worker-kill+executor-kill+watcher-kill",
    "worker-pause+half-open",
    "redis-kill+client-kill+redis-rollback",
    "broker-emptied+messages-twice",
    "storage-fails+storage-hangs+disk-full",
)
"""Faults that share a crawl here, for the time that it takes; the table has each alone."""


@pytest.mark.slow
@pytest.mark.clause("LEDGER-03")
@pytest.mark.parametrize("faults", [*GROUPS, "all"])
def test_a_crawl_survives(faults, require_service):
    """Exact counts, nothing lost, nothing twice, nothing left; and each fault was felt."""
    require_service("redis-server")
    code, said, text = chaos("--fault", faults, "--seed", 1, "--jobs", 200)
    assert code == 0, text
    assert compared(said) == ZERO


def test_every_fault_is_in_a_group():
    """None is forgotten in the shortened form."""
    assert sorted(name for group in GROUPS for name in group.split("+")) == sorted(FAULTS)


@pytest.mark.slow
@pytest.mark.parametrize("switch", ["deterministic-ids", "claim"])
def test_the_suite_notices_what_is_taken_out(switch, require_service):
    """A part of the protocol is missing in the workers: the run is a violation (all five: the table)."""
    require_service("redis-server")
    code, _, text = chaos("--fault", SHOWN_BY[switch], "--switch", switch, "--seed", 1, "--jobs", 100)
    assert code == 1
    assert "VIOLATED" in text
    assert "no effect" not in text


@pytest.mark.slow
def test_a_row_of_the_table_comes_out_again(require_service):
    """One row of docs/reliability.md (CHAOS_ROW chooses it), at its own seed: the same where it can be compared."""
    require_service("redis-server")
    rows = [row for row in read_document(PAGE.read_text()) if row[0].jobs <= 1000]
    scenario, written = random.Random(os.environ.get("CHAOS_ROW", "1")).choice(rows)
    code, said, text = chaos(
        "--fault", scenario.fault, "--seed", scenario.seed, "--jobs", min(scenario.jobs, 400)
    )
    assert code == 0, text
    assert compared(said) == written


def test_the_page_has_every_run_of_the_table():
    """All rows that were planned are in it, each with zero lost, twice, hung and orphaned."""
    rows = read_document(PAGE.read_text())
    assert [row[0] for row in rows] == plan_table(quick=False)
    assert all(values == ZERO for _, values in rows)


def test_what_is_written_is_read_again():
    """Rows go through the page."""
    rows = [Row(fault="all", seed=7, jobs=2000, kills=3, twice=2, wall_s=1.25, wrong=["a | b"])]
    switched = [Row(fault="half-open", seed=1, jobs=9, switch="adoption", wrong=["no effect: half-open"])]
    page = write_document(rows, switched, machine="m", redis="7", made="2026-01-02")
    assert read_document(page) == [(Scenario(fault="all", seed=7, jobs=2000), {**ZERO, "twice": 2})]
    assert "1 runs broke a promise" in page
    assert "none at this seed" in page


def test_a_fault_that_was_not_felt_is_no_violation_of_a_promise():
    """For a switch only what breaks a promise counts as noticed."""
    assert not noticed(Row(fault="half-open", seed=1, jobs=9, wrong=["no effect: half-open"]))
    assert noticed(Row(fault="half-open", seed=1, jobs=9, wrong=["no effect: half-open", "a job is lost"]))
    assert set(SHOWN_BY) == set(SWITCHES)
    assert SWITCH_SEEDS >= 3


@pytest.mark.parametrize("jobs", [60, 100, 2000])
def test_the_graph_has_the_jobs_that_it_says(jobs):
    """Every job is reached, at its own depth alone; some are named twice, some lie too deep, some fail."""
    for seed in range(3):
        graph = Graph(seed, jobs)
        right = answer(graph, max_attempts=2)
        assert right.admitted == jobs
        assert sorted(right.jobs.values()) == list(range(jobs))
        assert right.received == right.admitted + right.duplicate + right.beyond_depth
        assert right.duplicate > 0
        assert right.beyond_depth > 0
        if jobs >= 100:
            assert {graph.fate(n) for n in range(jobs)} == {"success", "fails", "fails_first"}
        for n in range(jobs):
            assert all(c < 0 or graph.depth(c) == graph.depth(n) + 1 for c in graph.children(n))
