"""Crawls over a fleet, as the commands show them: begin, leave, come back, stop, retry, forget."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter

import pytest

import quarry.lode
from tests.e2e.harness import assert_balanced, assert_exact, wait_for
from tests.fleet.fleet import SCRIPT, running_fleet


def names(count: int) -> Counter[str]:
    """What a root with that many children emits, all in all."""
    return Counter(["root", *(f"root.{n}" for n in range(count))])


@pytest.mark.clause("RUN-38")
def test_a_crawl_is_executed_by_the_workers_of_its_broker(tmp_path):
    """The command seeds and watches; its result is that of a crawl on one machine."""
    with running_fleet(tmp_path) as fleet:
        done = fleet.run({"fan": 30}, "--depth", "1", "--parallel", "6", "--run-id", "c1")
        assert done.code == 0, done.stderr
        assert_balanced(done.result["fanout"])
        assert done.result["fanout"]["succeeded"] == 31
        assert_exact(fleet.storage, "c1", items=names(30), field="name")
        listed = json.loads(fleet.quarry("list", "crawls").stdout)
        assert [(row["crawl"], row["status"], row["imbalances"]) for row in listed] == [("c1", "closed", [])]


@pytest.mark.clause("RUN-38")
def test_with_a_broker_and_no_bounds_it_is_a_crawl_of_one_job(tmp_path):
    """Depth 0 unless given: enqueue events are counted as beyond the depth."""
    with running_fleet(tmp_path, workers=1) as fleet:
        done = fleet.run({"fan": 3})
        assert done.code == 0, done.stderr
        assert (done.result["fanout"]["succeeded"], done.result["fanout"]["beyond_depth"]) == (1, 3)


@pytest.mark.clause("RUN-39", "CLI-33")
def test_a_detached_crawl_goes_on_and_can_be_watched_again(tmp_path):
    """--detach leaves with exit code 0; an attached watcher may be killed and another one come."""
    gate = tmp_path / "gate"
    with running_fleet(tmp_path, workers=1) as fleet:
        left = fleet.run(
            {"fan": 8, "each": {"gate": str(gate)}},
            "--depth",
            "1",
            "--parallel",
            "4",
            "--run-id",
            "d1",
            "--detach",
        )
        assert (left.code, left.result["outcome"], left.result["crawl"]) == (0, "detached", "d1")
        assert left.result["fanout"]["seeds"] == 1
        wait_for(lambda: fleet.counters("d1").get("succeeded") == 1, what="the root")
        first = fleet.begin("run", "--attach", "d1")
        wait_for(lambda: "in flight" in first.err.read_text(), what="progress of the watcher")
        first.kill()
        second = fleet.begin("run", "--attach", "d1")
        live = json.loads(fleet.quarry("inspect", "crawl", "d1").stdout)
        assert live["ledger"]["status"] == "open"
        assert live["fanout"]["leased"] == 4
        gate.touch()
        done = second.wait()
        assert done.code == 0, done.stderr
        assert done.result["fanout"]["succeeded"] == 9
        again = fleet.quarry("run", "--attach", "d1")
        assert (again.code, again.result["fanout"]) == (0, done.result["fanout"])


@pytest.mark.clause("RUN-39")
def test_an_interrupt_of_a_watcher_leaves_the_crawl_to_its_workers(tmp_path):
    """Ctrl-C detaches with exit code 4 and says how to come back; nothing is stopped."""
    gate = tmp_path / "gate"
    with running_fleet(tmp_path, workers=1) as fleet:
        job = json.dumps({"fan": 4, "each": {"gate": str(gate)}})
        watcher = fleet.begin("run", "--script", SCRIPT, "--job", job, "--depth", "1", "--run-id", "i1")
        wait_for(lambda: fleet.counters("i1").get("succeeded") == 1, what="the root")
        os.kill(watcher.pid, signal.SIGINT)
        left = watcher.wait()
        assert left.code == 4
        assert "--attach i1" in left.result["message"]
        gate.touch()
        assert fleet.quarry("run", "--attach", "i1").result["fanout"]["succeeded"] == 5


@pytest.mark.clause("RUN-40", "CLI-33")
def test_stop_finishes_what_is_in_flight_and_executes_nothing_more(tmp_path):
    """Exit code 4 of the watcher, which says who stopped it; stopping again changes nothing."""
    gate = tmp_path / "gate"
    with running_fleet(tmp_path, workers=1) as fleet:
        job = json.dumps({"fan": 10, "each": {"gate": str(gate)}})
        watcher = fleet.begin(
            "run", "--script", SCRIPT, "--job", job, "--depth", "1", "--parallel", "3", "--run-id", "s1"
        )
        wait_for(lambda: fleet.counters("s1").get("leased") == 3, what="three runs")
        wait_for(lambda: fleet.client.zcard("q:{s1}:unclaimed") == 0, what="their claims")
        said = fleet.quarry("stop", "s1")
        assert (said.code, said.result["status"], said.result["in_flight"]) == (0, "stopped", 3)
        gate.touch()
        done = watcher.wait()
        assert done.code == 4
        assert "quarry stop" in done.result["message"]
        fanout = done.result["fanout"]
        assert_balanced(fanout)
        assert (fanout["succeeded"], fanout["not_executed"], fanout["failed"]) == (4, 7, 0)
        again = fleet.quarry("stop", "s1")
        assert (again.code, again.result["status"]) == (0, "already ended")
        (listed,) = json.loads(fleet.quarry("list", "crawls").stdout)
        assert (listed["status"], listed["closed_at"] is not None) == ("stopped", True)
        assert json.loads(fleet.quarry("inspect", "crawl", "s1").stdout)["state"] == "stopped"


@pytest.mark.clause("RUN-40")
def test_stop_now_ends_what_is_in_flight_through_records_that_say_so(tmp_path):
    """Whatever executes is ended within a beat, whatever waits for a worker at once."""
    gate = tmp_path / "gate"  # never opened
    with running_fleet(tmp_path, workers=1, slots=2) as fleet:
        job = json.dumps({"fan": 10, "each": {"gate": str(gate)}})
        watcher = fleet.begin(
            "run", "--script", SCRIPT, "--job", job, "--depth", "1", "--parallel", "4", "--run-id", "n1"
        )
        wait_for(lambda: fleet.counters("n1").get("leased") == 4, what="four leases")
        wait_for(lambda: fleet.client.zcard("q:{n1}:unclaimed") == 2, what="two of them claimed")
        fleet.quarry("stop", "n1", "--now")
        done = watcher.wait(60)
        assert done.code == 4, done.stderr
        fanout = done.result["fanout"]
        assert_balanced(fanout)
        assert (fanout["succeeded"], fanout["failed"], fanout["not_executed"]) == (1, 4, 6)
        failed = json.loads(fleet.quarry("list", "failed", "n1").stdout)
        assert {row["reason"] for row in failed} == {"stopped"}
        assert quarry.lode.open(fleet.storage).verify() == []


@pytest.mark.clause("RUN-41")
def test_a_crawl_is_stopped_at_its_max_duration_by_its_workers(tmp_path):
    """Nobody needs to watch; the summary says why."""
    with running_fleet(tmp_path, workers=1) as fleet:
        fleet.run(
            {"fan": 50, "each": {"sleep_s": 0.3}},
            *("--depth", "1", "--parallel", "1", "--run-id", "m1", "--detach", "--max-duration", "2s"),
        )
        done = fleet.quarry("run", "--attach", "m1")
        assert done.code == 4, done.stderr
        assert "--max-duration" in done.result["message"]
        assert_balanced(done.result["fanout"])
        assert done.result["fanout"]["not_executed"] > 0


@pytest.mark.clause("RUN-42", "CLI-32")
def test_failed_jobs_are_retried_in_a_crawl_of_their_own(tmp_path):
    """Next attempt, after their last run, same job; the first crawl's records stay as they are."""
    with running_fleet(tmp_path, workers=1) as fleet:
        job = {"children": ["good"], "fails": True}
        done = fleet.run(job, "--depth", "1", "--run-id", "r1", "--parallel", "2")
        assert done.code == 1
        (failed,) = json.loads(fleet.quarry("list", "failed", "r1").stdout)
        assert failed["log"] == ["info: end of root"]
        assert (failed["error_type"], failed["attempt"]) == ("ValueError", 1)
        again = fleet.quarry("retry", "r1", failed["job"], "--run-id", "r2")
        assert again.code == 0, again.stderr
        assert again.result["fanout"]["failed"] == 1
        reader = quarry.lode.open(fleet.storage)
        records = {record.depth: record for record in reader.runs(crawl="r2")}
        assert (records[0].attempt, records[0].parent_run_id) == (2, failed["run_id"])
        assert records[0].key == failed["job"]
        assert records[1].outcome.status == "success"  # its child is discovered again: one level was left
        assert len(reader.runs(crawl="r1")) == 2
        assert reader.verify() == []
        wrong = fleet.quarry("retry", "r1", "nothing", records[0].run_id)
        assert wrong.code == 64
        assert wrong.stderr.count("no job of the crawl") == 2


@pytest.mark.clause("LEDGER-30", "LEDGER-41", "RUN-43", "RUN-50")
def test_an_ended_crawl_expires_and_can_be_forgotten_an_open_one_cannot(tmp_path):
    """Every key of it has its end from the close on, none before; forget leaves none."""
    gate = tmp_path / "gate"
    with running_fleet(tmp_path, workers=1) as fleet:
        job = json.dumps({"fan": 3, "each": {"gate": str(gate)}})
        watcher = fleet.begin("run", "--script", SCRIPT, "--job", job, "--depth", "1", "--run-id", "f1")
        wait_for(lambda: fleet.counters("f1").get("leased"), what="a run")
        client = fleet.client
        assert {client.pttl(key) for key in client.scan_iter("q:{f1}:*")} == {-1}
        refused = fleet.quarry("forget", "f1")
        assert (refused.code, "quarry stop f1" in refused.stderr) == (64, True)
        kept = tmp_path / "state" / "quarry" / "crawls" / "f1"
        assert kept.is_dir()
        watcher.kill()
        gate.touch()
        wait_for(lambda: quarry.lode.open(fleet.storage).summary("f1"), what="the close by its worker")
        wait_for(lambda: client.zscore("quarry:ended", "f1"), what="its announcement")
        assert kept.is_dir()
        lives = [client.pttl(key) for key in client.scan_iter("q:{f1}:*")]
        assert lives
        assert all(0 < life <= 7 * 24 * 3600 * 1000 for life in lives)
        assert fleet.quarry("forget", "f1").code == 0
        assert not kept.exists()
        assert list(client.scan_iter("q:{f1}:*")) == []
        assert fleet.quarry("forget", "f1").code == 1
        assert json.loads(fleet.quarry("list", "crawls").stdout) == []
        assert quarry.lode.open(fleet.storage).summary("f1") is not None


@pytest.mark.clause("RUN-39")
def test_a_watcher_that_comes_while_redis_is_away_waits_for_it(tmp_path):
    """It may be starting again; a crawl that begins hears of it at once."""
    gate = tmp_path / "gate"
    with running_fleet(tmp_path, workers=1) as fleet:
        fleet.run({"fan": 2, "each": {"gate": str(gate)}}, "--depth", "1", "--run-id", "a1", "--detach")
        wait_for(lambda: fleet.counters("a1").get("succeeded") == 1, what="the root")
        fleet.kill_redis()
        watcher = fleet.begin("run", "--attach", "a1")
        refused = fleet.run({}, "--run-id", "a2")
        assert (refused.code, "cannot be reached" in refused.stderr) == (64, True)
        fleet.start_redis()
        gate.touch()
        done = watcher.wait()
        assert done.code == 0, done.stderr
        assert done.result["fanout"]["succeeded"] == 3
