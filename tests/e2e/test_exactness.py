"""Bounds are exact, and a job is one job however it is written."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from pathlib import Path

import pytest

import quarry.lode
from tests.e2e.harness import assert_balanced, running
from tests.e2e.scripts.twins import SAME

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.slow
@pytest.mark.clause("LEDGER-09")
@pytest.mark.parametrize("parallel", [1, 8])
@pytest.mark.parametrize("cap", [1, 2, 7, 100])
def test_max_runs_executes_exactly_so_many_distinct_jobs(tmp_path, cap, parallel):
    """The cap is met to the job: not one more, not one fewer, whatever runs in parallel."""
    arguments = ["--script", str(SCRIPTS / "wide.py"), "--job", '{"count": 150}', "--depth", "1"]
    with running(tmp_path, *arguments, "--max-runs", str(cap), "--parallel", str(parallel)) as crawl:
        done = crawl.wait()
    assert done.code == 0, done.stderr
    fanout = done.result["fanout"]
    assert_balanced(fanout)
    assert fanout["succeeded"] == fanout["admitted"] == cap
    # 150 leaves, every third said twice in other clothes; what leaves say lies beyond the depth.
    assert fanout["received"] == 1 + 150 + 50 + (cap - 1)
    assert fanout["beyond_depth"] == cap - 1
    assert fanout["duplicate"] + fanout["over_cap"] == 200 - (cap - 1)
    reader = quarry.lode.open(crawl.storage)
    rows = reader.scan(event_type="item", crawl=done.result["crawl"]).to_pylist()
    names = Counter(json.loads(row["data"])["name"] for row in rows)
    assert len(names) == cap
    assert set(names.values()) == {1}


@pytest.mark.slow
@pytest.mark.clause("LEDGER-34")
def test_jobs_that_differ_only_in_clothes_are_one_job(tmp_path):
    """Key order, 1.0 and 1, escapes: one job. Integers above 2^53 that differ by one: two."""
    arguments = [
        "--script",
        str(SCRIPTS / "twins.py"),
        "--job",
        '{"root": 1}',
        "--depth",
        "1",
        "--parallel",
        "4",
    ]
    with running(tmp_path, *arguments) as crawl:
        done = crawl.wait()
    assert done.code == 0, done.stderr
    fanout = done.result["fanout"]
    assert_balanced(fanout)
    assert fanout["admitted"] == 1 + len(SAME)
    assert fanout["duplicate"] == sum(len(group) - 1 for group in SAME)


@pytest.mark.slow
@pytest.mark.clause("RUN-34")
@pytest.mark.parametrize("how", ["file", "pipe"])
def test_seeds_are_roots_up_to_the_cap(tmp_path, how):
    """Each distinct line is a root; in the batch that meets the cap further lines are unread; a pipe is spooled."""
    lines = [json.dumps({"n": n % 30}) for n in range(40)]
    path = tmp_path / "seeds"
    if how == "pipe":
        os.mkfifo(path)
        writer = threading.Thread(target=lambda: path.write_text("\n".join(lines)), daemon=True)
        writer.start()
    else:
        path.write_text("\n".join(lines))
    arguments = [
        "--script",
        str(SCRIPTS / "wide.py"),
        "--seeds",
        str(path),
        "--max-runs",
        "25",
        "--depth",
        "0",
    ]
    with running(tmp_path / "crawl", *arguments, "--parallel", "4") as crawl:
        done = crawl.wait()
    assert done.code == 0, done.stderr
    fanout = done.result["fanout"]
    assert_balanced(fanout)
    assert (fanout["seeds"], fanout["unread"], fanout["succeeded"]) == (25, 15, 25)
    assert fanout["beyond_depth"] == 25
