"""The measurement itself, small: a real Redis, real workers, real files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.fleet import report
from bench.fleet.results import checks
from bench.fleet.shapes import Shape
from quarry.simulate import default_costs

MEASURE = Path(__file__).parents[2] / "bench/fleet/measure.py"


def measure(tmp_path, *arguments):
    out = tmp_path / "out.json"
    argv = [
        sys.executable,
        str(MEASURE),
        *arguments,
        "--storage",
        str(tmp_path),
        "--out",
        str(out),
        "--interval",
        "0.2",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=170, check=False)
    assert out.exists(), done.stderr
    return done, json.loads(out.read_text())


@pytest.mark.clause("SIMULATE-12")
@pytest.mark.parametrize(("shape", "jobs"), [(("tiny",), 60), (("links", "--each", "3"), 40)], ids=str)
def test_a_small_crawl_is_measured_and_checked(tmp_path, require_service, shape, jobs):
    """Counts, equations, records; CPU, Redis, memory and storage are there; nothing is left but the result."""
    require_service("redis-server")
    done, found = measure(tmp_path, "--jobs", str(jobs), "--shape", *shape, "--slots", "4", "--parallel", "8")
    assert done.returncode == 0, done.stderr
    assert found["complete"] is True
    assert all(check["ok"] for check in found["checks"])
    assert found["counts"]["succeeded"] == jobs
    assert found["cpu_ms_per_run"]["workers"] > 0
    assert found["cpu_ms_per_run"]["executors"] > 0
    assert found["redis"]["round_trips"] >= 4
    assert found["redis"]["commands"] > found["redis"]["round_trips"]
    assert found["storage"]["by_tree"]["runs"]["files"] == jobs
    assert min(worker["highest_bytes"] for worker in found["memory"]["workers"]) > 10_000_000
    predicted = report.compare(default_costs(), found)
    files = next(figure for figure in predicted if figure[0] == "files")
    assert files[1] == pytest.approx(files[2])
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    if shape == ("tiny",):
        wrong = checks(
            {**found, "counts": {**found["counts"], "succeeded": jobs - 1}}, Shape(name="tiny", jobs=jobs)
        )
        assert [check["name"] for check in wrong if not check["ok"]] == ["counts", "admitted"]
