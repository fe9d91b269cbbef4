"""kill -9 of an executor, of the worker, of Redis and of the command: right counts, nothing visible twice."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

import quarry.lode
from tests.e2e.harness import (
    Crawl,
    assert_balanced,
    assert_exact,
    children,
    command_line,
    marked,
    running,
    wait_for,
)
from tests.e2e.phases import PHASES, kill_in_phase, phases_in_flight
from tests.e2e.site import Site, serving

SCRIPT = str(Path(__file__).parent / "scripts" / "fan.py")
BRANCHES, LEAVES = 6, 60
JOBS = 1 + BRANCHES + LEAVES
EXPECTED = Counter(
    ["root-0"] + [f"branch-{n}" for n in range(BRANCHES)] + [f"leaf-{n}" for n in range(LEAVES)]
)
MOMENTS = list(enumerate([*PHASES, "frames"]))


def arguments(url: str, *more: str) -> list[str]:
    job = f'{{"url": "{url}", "count": {LEAVES}, "branches": {BRANCHES}}}'
    return ["--script", SCRIPT, "--job", job, "--depth", "5", "--max-runs", "1000", "--parallel", "4", *more]


def in_flight(crawl: Crawl) -> dict[str, str]:
    return phases_in_flight(crawl.storage)


def half_done(site: Site) -> bool:
    return sum(site.requests.values()) > JOBS // 2


@pytest.mark.slow
@pytest.mark.clause("RUN-27")
@pytest.mark.parametrize("victim", ["worker", "server"])
@pytest.mark.parametrize(("seed", "wanted"), MOMENTS)
def test_a_kill_with_runs_in_flight_loses_and_doubles_nothing(tmp_path, victim, seed, wanted):
    """Whatever phase the worker or Redis dies in: every item is visible once and every count is right.

    The private server comes back on its file; workers wait and go on.
    """
    with serving(0.02) as site, running(tmp_path, *arguments(site.url)) as crawl:
        wait_for(lambda: site.requests, what="the first request")
        hit = kill_in_phase(
            getattr(crawl, victim),
            phases=lambda: in_flight(crawl),
            wanted=wanted,
            seed=seed,
            hurry=lambda: half_done(site),
        )
        print(f"{victim} killed in phase {hit} (wanted {wanted})")
        done = crawl.wait()
        assert done.code == 0, done.stderr
        result = done.result
        assert_balanced(result["fanout"])
        assert result["fanout"]["succeeded"] == JOBS
        assert result["fanout"]["failed"] == 0
        assert_exact(crawl.storage, result["crawl"], items=EXPECTED, field="name")
        assert crawl.left() == []


@pytest.mark.slow
@pytest.mark.clause("RUN-27")
@pytest.mark.parametrize("seed", range(5))
def test_executor_killed_is_a_crash_that_attempts_repair(tmp_path, seed):
    """Runs of a killed executor crash; with attempts left every item is there once in the end."""
    with serving(0.05) as site, running(tmp_path, *arguments(site.url, "--max-attempts", "4")) as crawl:
        wait_for(lambda: sum(site.requests.values()) > 5 * seed, what="requests")
        hit = kill_in_phase(
            lambda: next(iter(crawl.executors()), None),
            phases=lambda: (
                {k: v for k, v in in_flight(crawl).items() if v == "frames"}
                or ({"waiting": "request"} if sum(site.requests.values()) < JOBS else {})
            ),
            wanted=["frames", "request"][seed % 2],
            seed=seed,
            timeout_s=5,
            hurry=lambda: half_done(site),
        )
        print(f"executor killed in phase {hit}")
        done = crawl.wait()
        assert done.code == 0, done.stderr
        result = done.result
        assert_balanced(result["fanout"])
        assert result["fanout"]["succeeded"] == JOBS
        assert_exact(crawl.storage, result["crawl"], items=EXPECTED, field="name")
        attempts = quarry.lode.open(crawl.storage).attempts()
        assert all(a.outcome.status == "executor_crash" for a in attempts)
        assert crawl.left() == []


@pytest.mark.slow
@pytest.mark.clause("RUN-28")
@pytest.mark.parametrize("seed", range(5))
def test_command_killed_leaves_no_process_and_no_half_run(tmp_path, seed):
    """After kill -9 of the command nothing of it runs on, and what was committed is readable."""
    with serving(0.02) as site, running(tmp_path, *arguments(site.url)) as crawl:
        wait_for(lambda: sum(site.requests.values()) > 6 * seed, what="requests")
        hit = kill_in_phase(
            lambda: crawl.pid,
            phases=lambda: in_flight(crawl),
            wanted=PHASES[seed % 4],
            seed=seed,
            hurry=lambda: half_done(site),
        )
        print(f"command killed in phase {hit}")
        crawl.process.wait()
        wait_for(lambda: not crawl.left(), timeout_s=20, what=f"the end of {crawl.left()}")
        reader = quarry.lode.open(crawl.storage)
        assert reader.verify() == []
        runs = reader.runs()
        assert len({run.key for run in runs}) == len(runs)
        for run in runs:
            assert reader.read(run.run_id).num_rows == sum(run.rows.values())


@pytest.mark.slow
@pytest.mark.clause("RUN-29")
def test_first_interrupt_finishes_what_is_in_flight_and_exits_4(tmp_path):
    """Ctrl-C once: no further job starts, what runs is finished and committed, the rest is not executed."""
    with serving(0.2) as site, running(tmp_path, *arguments(site.url)) as crawl:
        wait_for(lambda: sum(site.requests.values()) > 8, what="requests")
        os.kill(crawl.pid, signal.SIGINT)
        done = crawl.wait()
        assert done.code == 4, done.stderr
        fanout = done.result["fanout"]
        assert_balanced(fanout)
        assert fanout["not_executed"] > 0
        assert fanout["failed"] == 0
        assert fanout["succeeded"] == sum(site.requests.values())
        assert crawl.left() == []


@pytest.mark.slow
@pytest.mark.clause("RUN-29")
def test_second_interrupt_ends_now_with_130(tmp_path):
    """Ctrl-C twice: everything ends at once, no half run is visible."""
    with serving(0.05) as site, running(tmp_path, *arguments(site.url)) as crawl:
        wait_for(lambda: sum(site.requests.values()) > 8, what="requests")
        site.gate.clear()
        os.kill(crawl.pid, signal.SIGINT)
        wait_for(
            lambda: "interrupt again" in crawl.err.read_text(), what="the word about the second interrupt"
        )
        os.kill(crawl.pid, signal.SIGINT)
        done = crawl.wait(30)
        assert done.code == 130, done.stderr
        assert crawl.left() == []
        reader = quarry.lode.open(crawl.storage)
        assert reader.verify() == []
        # The result says what was committed, and where the ledger stood.
        assert done.result["event_count"] == sum(run.event_count for run in reader.runs()) > 0
        assert done.result["fanout"]["succeeded"] <= len(reader.runs())


@pytest.mark.slow
@pytest.mark.clause("RUN-29")
def test_second_interrupt_of_a_single_run_ends_it_at_once(tmp_path):
    """Even where the script swallows its cancellation."""
    script = tmp_path / "stubborn.py"
    script.write_text(
        "import asyncio\n\n\nasync def run(ctx):\n    await ctx.http.get(ctx.job['url'])\n    while True:\n"
        "        try:\n            await asyncio.sleep(3600)\n        except BaseException:\n            pass\n"
    )
    job = ["--job", "{}"]
    with serving() as site:
        job[1] = f'{{"url": "{site.url}"}}'
        with running(tmp_path, "--script", str(script), *job) as crawl:
            wait_for(lambda: site.requests, what="the run")
            os.kill(crawl.pid, signal.SIGINT)
            wait_for(
                lambda: "interrupt again" in crawl.err.read_text(), what="the word about the second interrupt"
            )
            began = time.monotonic()
            os.kill(crawl.pid, signal.SIGINT)
            done = crawl.wait(30)
            assert done.code == 130, done.stderr
            assert time.monotonic() - began < 4  # the grace of a deadline alone would be 5 s
            assert crawl.left() == []
            assert quarry.lode.open(crawl.storage).runs() == []


def test_harness_sees_processes_that_were_left_behind(tmp_path):
    """The check for survivors can fail: it finds a marked process."""
    import subprocess

    child = subprocess.Popen(["sleep", "60"], env={**os.environ, "CRAWL_TEST_MARK": "seen"})
    try:
        # Between fork and exec's end its environment can't be read yet.
        wait_for(lambda: child.pid in marked("seen"), timeout_s=10, what="its environment")
        assert child.pid in children(os.getpid())
        assert "sleep" in command_line(child.pid)
    finally:
        child.kill()
        child.wait()
