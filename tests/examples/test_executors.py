"""The example executors through the real command: one run, and a crawl of what they discover."""

from __future__ import annotations

import json
import sys

import pytest

import quarry.lode
from tests.examples.quarry_command import EXAMPLES, run_quarry

FOLDER = EXAMPLES / "executors"


@pytest.fixture(params=["python", "node"])
def executor_and_script(request, tmp_path, require_service):
    """Path of an executor and of a script for it."""
    if request.param == "node":
        require_service("node")
        return FOLDER / "node_executor.mjs", FOLDER / "countdown.mjs"
    path = tmp_path / "python_executor.py"  # with this interpreter, which has msgpack
    path.write_text(f"#!{sys.executable} -I\n{(FOLDER / 'python_executor.py').read_text()}")
    path.chmod(0o755)
    return path, FOLDER / "countdown.py"


@pytest.mark.clause("IPC-01")
def test_foreign_executor_runs_one_job(tmp_path, executor_and_script):
    """Its events are stored with the lineage that it left out; its enqueue is only persisted."""
    executor, script = executor_and_script
    done = run_quarry(
        "run", script, "--job", '{"n": 3}', "--executor", executor, "--run-id", "one", cwd=tmp_path
    )
    result = done.assert_success()
    assert result["fanout"] is None
    reader = quarry.lode.open(tmp_path / "quarry-data")
    rows = reader.read("one").to_pylist()
    assert [row["type"] for row in rows][:3] == ["item", "enqueue", "run_complete"]
    assert {row["root_run_id"] for row in rows} == {"one"}
    assert reader.run("one").executor == str(executor)


@pytest.mark.clause("IPC-01")
def test_foreign_executor_crawls_what_it_discovers(tmp_path, executor_and_script):
    """Each run is a process of its own; the crawl ends at the bound of its depth."""
    executor, script = executor_and_script
    done = run_quarry(
        "run",
        script,
        "--job",
        '{"n": 9}',
        "--executor",
        executor,
        "--depth",
        "4",
        "--max-runs",
        "50",
        cwd=tmp_path,
    )
    result = done.assert_success()
    fanout = result["fanout"]
    assert (fanout["succeeded"], fanout["beyond_depth"], fanout["received"]) == (5, 1, 6)
    rows = quarry.lode.open(tmp_path / "quarry-data").scan(event_type="item").to_pylist()
    assert sorted(json.loads(row["data"])["square"] for row in rows) == [25, 36, 49, 64, 81]


def test_foreign_executor_validates_its_script(tmp_path, executor_and_script):
    """--dry-run asks the executor itself."""
    executor, script = executor_and_script
    done = run_quarry("run", script, "--executor", executor, "--dry-run", cwd=tmp_path)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["valid"] is True
    assert not (tmp_path / "quarry-data").exists()
