"""The runtime with Quarry's own executor, in both modes."""

from __future__ import annotations

import asyncio

import pytest

from quarry.runtime import ExecutorPool, SingleShot, validate_script
from tests.runtime.support import MemoryFiles, MemoryPolicy, make_spec, rss_bytes

SCRIPT = """
from quarry import Context

async def run(ctx: Context) -> None:
    print("printed by", ctx.run.run_id)
    for number in range(ctx.job.get("events", 2)):
        await ctx.emit.item("x", {"n": number, "text": "y" * ctx.job.get("size", 10)})
    key = await ctx.storage.put("a.txt", b"hi", "text/plain")
    await ctx.emit.artifact("n", b"12345", "t/x")
    await ctx.emit.enqueue("d.py", {"key": key})
    if ctx.job.get("fail"):
        raise ValueError("asked to fail")
"""
TYPES = ["item", "item", "artifact", "enqueue", "run_complete"]


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return str(path)


@pytest.fixture(params=["single", "pool"])
async def runner(request):
    """Both ways to execute a run with the own executor."""
    if request.param == "single":
        yield SingleShot()
        return
    pool = ExecutorPool(capacity=64)
    await pool.start()
    yield pool
    await pool.close(0)


async def test_success(runner, script):
    """Events, artifact, file and print arrive in both modes alike."""
    policy, files = MemoryPolicy(), MemoryFiles()
    report = await runner.execute(make_spec(script), policy=policy, put_file=files)
    assert report.outcome.status == "success", (report.outcome, report.stderr_tail)
    assert policy.types() == TYPES
    assert policy.events[3].payload["params"] == {"key": "prefix/a.txt"}
    assert files.files == {"a.txt": ("text/plain", b"hi")}
    assert (report.artifacts.count, report.artifacts.bytes) == (1, 5)
    assert "printed by run-1" in report.stderr_tail


async def test_script_error(runner, script):
    """An exception of the script is a script error with its stack; a missing script is a crash that names it."""
    report = await runner.execute(
        make_spec(script, job={"fail": True}), policy=MemoryPolicy(), put_file=MemoryFiles()
    )
    assert (report.outcome.status, report.outcome.error_type) == ("script_error", "ValueError")
    assert "asked to fail" in report.outcome.message
    assert "script.py" in report.outcome.stack
    report = await runner.execute(
        make_spec(f"{script}x.py", run_id="other"), policy=MemoryPolicy(), put_file=MemoryFiles()
    )
    assert report.outcome.status == "executor_crash"
    assert "script.pyx.py" in report.outcome.message


@pytest.mark.clause("RUN-10")
async def test_slow_storage(runner, script):
    """With 50 ms a write neither side's memory grows with what is emitted (130 MB here)."""
    policy = MemoryPolicy(delay_s=0.05, keep=False)
    peak = before = rss_bytes()
    job = {"events": 2000, "size": 65536}
    task = asyncio.create_task(
        runner.execute(make_spec(script, job=job), policy=policy, put_file=MemoryFiles())
    )
    executor_peak = 0
    while not task.done():
        peak = max(peak, rss_bytes())
        if isinstance(runner, ExecutorPool):
            executor_peak = max(executor_peak, rss_bytes(runner.pids[0]))
        await asyncio.sleep(0.02)
    report = await task
    assert report.outcome.status == "success", report.outcome
    assert policy.kept == 2003
    assert peak - before < 64 * 1024 * 1024
    assert max(executor_peak, report.peak_rss_bytes or 0) < 100 * 1024 * 1024


async def test_64_runs_in_one_process(script):
    """64 runs at once share one executor process, and none sees another's events."""
    pool = ExecutorPool(capacity=64)
    await pool.start()
    policies = [MemoryPolicy() for _ in range(64)]
    reports = await asyncio.gather(
        *[
            pool.execute(make_spec(script, run_id=f"r{n}"), policy=policy, put_file=MemoryFiles())
            for n, policy in enumerate(policies)
        ]
    )
    assert {report.outcome.status for report in reports} == {"success"}
    assert {report.pid for report in reports} == set(pool.pids)
    assert all(policy.types() == TYPES for policy in policies)
    assert [{event.run_id for event in policy.events} for policy in policies] == [
        {f"r{n}"} for n in range(64)
    ]
    await pool.close(1)


async def test_validate(script, tmp_path):
    """Valid and broken scripts are told apart; nothing is run."""
    assert (await validate_script(script)).valid
    broken = tmp_path / "broken.py"
    broken.write_text("def run(:\n")
    result = await validate_script(str(broken))
    assert (result.valid, result.started) == (False, True)
    assert "broken.py" in result.error


async def test_cancel_and_deadline(runner, tmp_path):
    """A sleeping script is ended at its deadline, and when it is cancelled."""
    path = tmp_path / "sleeper.py"
    path.write_text(
        "import asyncio\nasync def run(ctx):\n    await ctx.emit.item('x', {})\n    await asyncio.sleep(600)\n"
    )
    report = await runner.execute(
        make_spec(str(path), timeout_ms=700), policy=MemoryPolicy(), put_file=MemoryFiles()
    )
    assert (report.outcome.status, report.outcome.error_type) == ("executor_crash", "timeout")
    cancel = asyncio.Event()
    asyncio.get_running_loop().call_later(0.7, cancel.set)
    report = await runner.execute(
        make_spec(str(path), run_id="other"), policy=MemoryPolicy(), put_file=MemoryFiles(), cancel=cancel
    )
    assert (report.outcome.status, report.outcome.error_type) == ("executor_crash", "cancelled")
    assert report.duration_ms < 5500
