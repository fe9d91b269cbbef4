"""Workers on machines of their own: scripts, storage and profiles; and a crawl of one machine that goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

import quarry.lode
from tests.e2e.harness import assert_balanced, marked, wait_for
from tests.fleet.fleet import SCRIPT, running_fleet


def scripts_of(folder: Path, *, change: str = "") -> dict[str, str]:
    """A machine's own copy of the scripts; the environment that names it."""
    folder.mkdir()
    text = Path(SCRIPT).read_text()
    (folder / "node.py").write_text(text + change)
    return {"QUARRY_SCRIPTS_ROOT": str(folder)}


@pytest.mark.clause("RUN-46")
def test_each_worker_executes_the_scripts_of_its_own_root(tmp_path):
    """The folder is another one on each machine; keys and results are the same."""
    with running_fleet(tmp_path, workers=0) as fleet:
        fleet.start_worker("a", env=scripts_of(tmp_path / "a"))
        fleet.start_worker("b", env=scripts_of(tmp_path / "b"))
        fleet.wait_ready()
        done = fleet.run(
            {"fan": 20, "each": {"fan": 2, "sleep_s": 0.05}},
            "--depth",
            "2",
            "--run-id",
            "o1",
            "--parallel",
            "8",
        )
        assert done.code == 0, done.stderr
        assert done.result["fanout"]["succeeded"] == 1 + 20 + 40
        records = quarry.lode.open(fleet.storage).runs(crawl="o1")
        assert {Path(record.script).parent.name for record in records} == {"a", "b"}
        assert {record.target for record in records} == {"node.py"}
        assert len({record.script_sha256 for record in records}) == 1


@pytest.mark.clause("RUN-46", "LEDGER-40")
def test_a_worker_with_another_version_of_the_script_does_not_execute_it(tmp_path):
    """A clear outcome, counted, and named in the summary with the machine."""
    with running_fleet(tmp_path, workers=0) as fleet:
        fleet.start_worker("old", env=scripts_of(tmp_path / "old", change="\n# an older version\n"))
        fleet.wait_ready()
        done = fleet.run({"fan": 3}, "--depth", "1", "--run-id", "v1")
        assert done.code == 2
        (group,) = done.result["failures"]
        assert (group["error_type"], group["count"]) == ("script_mismatch", 1)
        assert "give every worker the same scripts" in group["example"]["message"]
        assert done.result["rows"].get("item") is None


@pytest.mark.clause("RUN-46")
def test_a_worker_without_the_script_says_so(tmp_path):
    """As does one whose root the target lies outside of."""
    (tmp_path / "empty").mkdir()
    with running_fleet(tmp_path, workers=0) as fleet:
        fleet.start_worker("bare", env={"QUARRY_SCRIPTS_ROOT": str(tmp_path / "empty")})
        fleet.wait_ready()
        done = fleet.run({}, "--run-id", "u1")
        assert done.code == 2
        (group,) = done.result["failures"]
        assert group["error_type"] == "unresolved_target"
        assert str(tmp_path / "empty") in group["example"]["message"]


@pytest.mark.clause("LODE-35")
def test_a_worker_that_does_not_see_the_storage_of_a_crawl_writes_nothing(tmp_path):
    """The folder of that name is its own: the crawl waits for a worker that sees the mark."""
    with running_fleet(tmp_path, workers=1) as fleet:
        gate = tmp_path / "gate"
        job = json.dumps({"fan": 2, "each": {"gate": str(gate)}})
        watcher = fleet.begin("run", "--script", SCRIPT, "--job", job, "--depth", "1", "--run-id", "w1")
        wait_for(lambda: fleet.counters("w1").get("leased"), what="a run")
        mark = next(fleet.storage.rglob("begun.json"))
        hidden = mark.with_name("hidden")
        mark.rename(hidden)
        fleet.start_worker("blind")
        fleet.wait_ready("blind")
        gate.touch()
        wait_for(lambda: "is not the storage that crawl w1" in fleet.log("blind"), what="its word")
        hidden.rename(mark)
        done = watcher.wait()
        assert done.code == 0, done.stderr
        assert_balanced(done.result["fanout"])


@pytest.mark.clause("LEDGER-39")
def test_a_script_of_the_browser_profile_runs_on_browser_workers_only(tmp_path):
    """Its jobs wait for one; other jobs go on meanwhile."""
    config = tmp_path / "quarry.yaml"
    config.write_text(
        f"scripts:\n  page:\n    path: {tmp_path / 'page.py'}\n    profile: browser\nscripts_root: {tmp_path}\n"
    )
    (tmp_path / "page.py").write_text(
        "import os\n\n\nasync def run(ctx):\n    await ctx.emit.item('page', {'by': os.environ['WHO']})\n"
    )
    (tmp_path / "start.py").write_text(
        "async def run(ctx):\n    await ctx.emit.enqueue('page', {})\n    await ctx.emit.enqueue('leaf.py', {})\n"
    )
    (tmp_path / "leaf.py").write_text((tmp_path / "page.py").read_text())
    with running_fleet(tmp_path, workers=0) as fleet:
        fleet.start_worker("plain", app="workers.http", env={"WHO": "plain"})
        fleet.wait_ready()
        watcher = fleet.begin(
            *(
                "run",
                "--script",
                str(tmp_path / "start.py"),
                "--depth",
                "1",
                "--run-id",
                "p1",
                "--parallel",
                "4",
            ),
            *("--config", str(config)),
        )
        wait_for(lambda: fleet.counters("p1").get("succeeded") == 2, what="start and leaf")
        assert fleet.client.llen("quarry.browser") == 1
        fleet.start_worker("pages", app="workers.browser", env={"WHO": "pages"}, slots=1)
        done = watcher.wait()
        assert done.code == 0, done.stderr
        rows = quarry.lode.open(fleet.storage).scan(event_type="item", crawl="p1").to_pylist()
        by = {
            Path(quarry.lode.open(fleet.storage).run(row["run_id"]).script).name: json.loads(row["data"])[
                "by"
            ]
            for row in rows
        }
        assert by == {"page.py": "pages", "leaf.py": "plain"}


@pytest.mark.clause("RUN-45", "RUN-44", "RUN-50")
def test_a_crawl_of_one_machine_goes_on_after_its_command_was_killed(tmp_path):
    """Same ledger, same bounds: every job once, none lost; a second resume has nothing to do."""
    gate = tmp_path / "gate"
    seeds = tmp_path / "seeds.ndjson"
    seeds.write_text("".join(json.dumps({"name": f"s{n}", "gate": str(gate)}) + "\n" for n in range(60)))
    with running_fleet(tmp_path, workers=0) as fleet:
        del fleet.env["QUARRY_BROKER"]
        command = fleet.begin(
            "run", "--script", SCRIPT, "--seeds", str(seeds), "--run-id", "z1", "--parallel", "4"
        )
        wait_for(lambda: list(fleet.storage.glob("datasets/quarry/live/*/*/*")), what="runs in flight")
        beside = fleet.quarry("run", "--resume", "z1")
        assert (beside.code, beside.stdout) == (64, "")
        assert "still running crawl z1" in beside.stderr
        os.kill(command.pid, signal.SIGKILL)
        command.process.wait()
        server = fleet._server
        assert server is not None
        wait_for(lambda: set(marked(fleet.mark)) <= {server.pid}, what="the end of what it started")
        gate.touch()
        done = fleet.quarry("run", "--resume", "z1")
        assert done.code == 0, done.stderr
        assert_balanced(done.result["fanout"])
        assert (done.result["fanout"]["succeeded"], done.result["fanout"]["seeds"]) == (60, 60)
        reader = quarry.lode.open(fleet.storage)
        assert reader.scan(event_type="item", crawl="z1").num_rows == 60
        assert reader.verify() == []
        assert list((tmp_path / "state" / "quarry" / "crawls").iterdir()) == []
        again = fleet.quarry("run", "--resume", "z1")
        assert again.code == 64
        assert "nothing of it to go on with" in again.stderr
        shutil.rmtree(fleet.storage)


@pytest.mark.clause("LODE-35", "LODE-36")
def test_storage_that_is_moved_away_is_not_made_anew(tmp_path):
    """No record is put where nobody finds it, and no job is settled: they wait until it is back."""
    gate = tmp_path / "gate"
    with running_fleet(tmp_path, workers=1) as fleet:
        job = {"fan": 6, "each": {"gate": str(gate)}}
        fleet.run(job, "--depth", "1", "--run-id", "y1", "--parallel", "3", "--detach")
        wait_for(lambda: fleet.counters("y1").get("succeeded") == 1, what="the root")
        wait_for(lambda: fleet.counters("y1").get("leased") == 3, what="three runs")
        wait_for(lambda: fleet.client.zcard("q:{y1}:unclaimed") == 0, what="their claims")
        away = tmp_path / "away"
        fleet.storage.rename(away)
        gate.touch()
        wait_for(lambda: "is not the storage that crawl y1" in fleet.log("w0"), what="the worker's word")
        counters = fleet.counters("y1")
        assert (counters["succeeded"], counters["failed"]) == (1, 0)
        assert list(fleet.storage.glob("datasets/quarry/runs/*/*/*.json")) == []
        assert len(quarry.lode.open(away).runs(crawl="y1")) == 1
        # Until the third has given up too: it would write into what is removed here.
        wait_for(
            lambda: fleet.log("w0").count('"event": "delivery.failed"') >= 3, what="the end of all three"
        )
        shutil.rmtree(fleet.storage, ignore_errors=True)
        away.rename(fleet.storage)
        wait_for(lambda: fleet.counters("y1").get("succeeded") == 7, what="all runs, once it is back")
        assert quarry.lode.open(fleet.storage).verify() == []
