"""Redis is away while runs choose: they wait, and nothing goes out without a proxy meanwhile."""

from __future__ import annotations

import os
import time
from collections import defaultdict

import pytest

import quarry.lode
from quarry.recency.redis import WAIT_S
from tests.e2e.harness import assert_balanced, wait_for
from tests.proxies.failing import FailingProxy
from tests.proxies.rig import running_rig
from tests.proxies.servers import HOST

POOLS = {"pool": {"strategy": "round_robin", "health": "off"}}


def _begin_gated(rig, crawl, count, *, at_once):
    """A crawl whose runs wait between their first request and their choice of another proxy."""
    gate = rig.folder / f"{crawl}.gate"
    jobs = rig.jobs(crawl, count, then=["on"], gate=str(gate))
    watcher = rig.fleet.begin(*rig.crawl_arguments(crawl, jobs, "pool", at_once))
    wait_for(lambda: len(rig.site.of(f"/{crawl}/")) == at_once, what="the first requests")
    return watcher, gate


@pytest.mark.slow
@pytest.mark.clause("PROXY-14", "PROXY-15", "PROXY-16")
def test_runs_that_choose_while_redis_is_away_go_on_when_it_is_back(tmp_path):
    """Killed with -9 and started again on its file: every run has its answer, none sends anything before."""
    with running_rig(tmp_path, POOLS, proxies=3, workers=2) as rig:
        watcher, gate = _begin_gated(rig, "back", 24, at_once=12)
        rig.fleet.kill_redis()
        gate.touch()
        time.sleep(2)  # the proof that nothing comes
        assert len(rig.site.of("/back/")) == 12
        rig.fleet.start_redis()
        done = watcher.wait()
        assert done.code == 0, done.stderr
        assert_balanced(done.result["fanout"])
        assert done.result["fanout"]["succeeded"] == 24
        by_run = defaultdict(list)
        for request in rig.site.of("/back/"):
            by_run[request.path].append(request.peer)
        assert {len(peers) for peers in by_run.values()} == {2}
        assert all(first != second for first, second in by_run.values())
        assert HOST not in {request.peer for request in rig.site.seen}
        # Runs that begin: killed somewhere among their claims, choices and reports.
        jobs = rig.jobs("among", 300)
        watcher = rig.fleet.begin(*rig.crawl_arguments("among", jobs, "pool", 12))
        wait_for(lambda: len(rig.site.of("/among/")) >= 60, what="60 requests")
        rig.fleet.kill_redis()
        at = len(rig.site.of("/among/"))
        rig.fleet.start_redis()
        done = watcher.wait()
        print(f"Redis was killed at request {at} of 300")
        assert done.code == 0, done.stderr
        assert_balanced(done.result["fanout"])
        assert len({request.path for request in rig.site.of("/among/")}) == 300
        assert HOST not in {request.peer for request in rig.site.seen}
        assert len(rig.marks("pool")) >= 48 + 300


@pytest.mark.slow
@pytest.mark.clause("PROXY-14")
def test_a_redis_that_stays_away_ends_the_wait_and_the_run_is_delivered_again(tmp_path):
    """After 30 s the worker says so and gives the runs up without a record; later they are carried out."""
    with running_rig(tmp_path, POOLS, proxies=2, kinds=(FailingProxy,), workers=1) as rig:
        rig.fleet.env["QUARRY_LEASE"] = "6s"
        watcher, gate = _begin_gated(rig, "away", 3, at_once=3)
        rig.fleet.kill_redis()
        gate.touch()
        began = time.monotonic()
        wait_for(
            lambda: rig.fleet.log("w0").count(f"Redis did not answer for {WAIT_S:g} s") >= 3,
            timeout_s=WAIT_S * 3,
            what="three runs to be given up",
        )
        print(f"given up after {time.monotonic() - began:.1f} s")
        assert time.monotonic() - began >= WAIT_S - 5
        assert len(rig.site.of("/away/")) == 3
        assert watcher.process.poll() is None
        rig.fleet.start_redis()
        done = watcher.wait(170)
        assert done.code == 0, done.stderr
        assert_balanced(done.result["fanout"])
        records = quarry.lode.open(rig.fleet.storage).runs(crawl="away")
        assert [record.deliveries for record in records] == [2, 2, 2]
        assert HOST not in {request.peer for request in rig.site.seen}


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("QUARRY_LONG") != "1", reason="the larger form: QUARRY_LONG=1")
@pytest.mark.clause("PROXY-14", "PROXY-15")
def test_a_redis_that_never_comes_back_ends_the_command(tmp_path):
    """With a word of what is missing, and no request that went out without a proxy."""
    with running_rig(tmp_path, POOLS, proxies=2, kinds=(FailingProxy,), workers=1) as rig:
        watcher, gate = _begin_gated(rig, "never", 3, at_once=3)
        rig.fleet.kill_redis()
        gate.touch()
        done = watcher.wait(170)
        print(done.result["message"])
        assert (done.code, done.result["outcome"]) == (4, "unfinished")
        assert "the broker does not answer" in done.stderr
        assert "did not answer" in done.result["message"]
        assert len(rig.site.of("/never/")) == 3
        assert HOST not in {request.peer for request in rig.site.seen}
