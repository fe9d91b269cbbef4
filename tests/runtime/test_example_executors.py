"""The example executors in Python and Node: neither imports Quarry, both speak the wire."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from quarry.runtime import SingleShot, validate_script
from tests.runtime.support import MemoryFiles, MemoryPolicy, make_spec

EXECUTORS = Path(__file__).parents[2] / "examples" / "executors"

PYTHON = {
    "good": "async def run(job, emit):\n    print('noise')\n    emit('item', item_type='t', data=job)\n"
    "    emit('enqueue', target='x', params={'deep': [1, 2.5, None, True, 'é']})\n",
    "error": "async def run(job, emit):\n    raise ValueError('bad value')\n",
    "broken": "def run(:\n",
}
NODE = {
    "good": "export default async function run({ job, emit }) {\n  console.log('noise');\n"
    "  emit('item', { item_type: 't', data: job });\n"
    "  emit('enqueue', { target: 'x', params: { deep: [1, 2.5, null, true, 'é'] } });\n}\n",
    "error": "export default async function run() { throw new TypeError('bad value'); }\n",
    "broken": "export default async function run( {\n",
}


@pytest.fixture(params=["python", "node"])
def example(request, tmp_path, require_service):
    """Path of an executor, and a function that writes a script for it."""
    suffix, scripts = (".py", PYTHON) if request.param == "python" else (".mjs", NODE)
    if request.param == "python":
        source = (EXECUTORS / "python_executor.py").read_text()
        path = tmp_path / "python_executor.py"  # with this interpreter, which has msgpack
        path.write_text(f"#!{sys.executable} -I\n{source}")
        path.chmod(0o755)
    else:
        require_service("node")
        path = EXECUTORS / "node_executor.mjs"

    def write(name):
        script = tmp_path / f"{name}{suffix}"
        script.write_text(scripts[name])
        return str(script)

    return str(path), write


@pytest.mark.clause("IPC-01")
async def test_example_runs(example):
    """A script runs through a foreign executor: its events, its errors, what it prints."""
    executor, write = example
    runner = SingleShot(executor=executor)
    policy = MemoryPolicy()
    report = await runner.execute(
        make_spec(write("good"), job={"url": "http://x/é", "n": 3}), policy=policy, put_file=MemoryFiles()
    )
    assert report.outcome.status == "success", (report.outcome, report.stderr_tail)
    assert policy.types() == ["item", "enqueue", "run_complete"]
    assert policy.items() == [{"url": "http://x/é", "n": 3}]
    assert policy.events[1].payload["params"] == {"deep": [1, 2.5, None, True, "é"]}
    assert (policy.events[0].seq, policy.events[0].depth) == (1, 0)
    assert "noise" in report.stderr_tail
    report = await runner.execute(make_spec(write("error")), policy=MemoryPolicy(), put_file=MemoryFiles())
    assert (report.outcome.status, report.outcome.message) == ("script_error", "bad value")
    assert report.outcome.error_type in {"ValueError", "TypeError"}
    assert report.outcome.stack
    report = await runner.execute(make_spec(write("broken")), policy=MemoryPolicy(), put_file=MemoryFiles())
    assert (report.outcome.status, report.exit_code) == ("executor_crash", 2)
    assert "SyntaxError" in report.outcome.message


@pytest.mark.clause("IPC-14")
async def test_example_validates(example):
    """--validate says of each script whether it can be loaded."""
    executor, write = example
    good = await validate_script(write("good"), executor=executor)
    assert (good.valid, good.started, good.exports) == (True, True, {"default": True, "hooks": []})
    broken = await validate_script(write("broken"), executor=executor)
    assert (broken.valid, broken.started) == (False, True)
    assert "SyntaxError" in broken.error


def test_examples_import_nothing_of_quarry():
    """Thirty lines each, more or less, executable, and without Quarry."""
    for path in EXECUTORS.glob("*_executor.*"):
        text = path.read_text()
        assert "import quarry" not in text
        assert "from quarry" not in text
        assert path.stat().st_mode & 0o111
    assert shutil.which("sh")
