"""The executor pool over a real serving process, well-behaved and otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

import pytest

from quarry.errors import LeaseLostError, VersionMismatchError
from quarry.runtime import ExecutorPool, ExecutorStartError
from tests.runtime.support import MemoryFiles, MemoryPolicy, alive, make_spec, rss_bytes, until


@contextlib.asynccontextmanager
async def open_pool(serving_argv, **changes):
    pool = ExecutorPool(**{"capacity": 8, "argv": serving_argv, **changes})
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close(0)


class Runs:
    """Give runs of a pool distinct names."""

    def __init__(self, pool):
        self.pool = pool
        self.count = 0

    async def __call__(self, behaviour, *, policy=None, files=None, on_enqueue=None, cancel=None, **changes):
        self.count += 1
        policy = policy if policy is not None else MemoryPolicy()
        spec = make_spec(behaviour, **{"run_id": f"run-{self.count}", **changes})
        report = await self.pool.execute(
            spec, policy=policy, put_file=files or MemoryFiles(), on_enqueue=on_enqueue, cancel=cancel
        )
        return report, policy


async def test_many_runs_share_a_process(serving_argv):
    """64 runs at once in one process, each with its own events."""
    async with open_pool(serving_argv, capacity=64) as pool:
        run = Runs(pool)
        results = await asyncio.gather(*[run("good") for _ in range(64)])
        assert {report.outcome.status for report, _ in results} == {"success"}
        assert all(policy.types() == ["item", "run_complete"] for _, policy in results)
        assert {report.pid for report, _ in results} == set(pool.pids)
        assert {report.exit_code for report, _ in results} == {None}


OUTCOMES = [
    ("crash_status", "executor_crash", "ImportError", "no such script"),
    ("error_status", "script_error", "ValueError", "bad"),
    ("seq_fault", "executor_crash", "protocol", "seq 2 was due, 7 came"),
    ("die", "executor_crash", "executor_crash", "ended with exit code 41; its last words: about to die"),
    ("garbage", "executor_crash", "executor_crash", "broke the wire contract"),
    ("nameless", "executor_crash", "executor_crash", "names no run"),
]


@pytest.mark.clause("RUN-03")
@pytest.mark.parametrize(("behaviour", "status", "error_type", "message"), OUTCOMES)
async def test_outcomes(serving_argv, behaviour, status, error_type, message):
    """Each way to end has its outcome; the pool goes on afterwards."""
    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        report, _ = await run(behaviour)
        assert report.outcome.status == status
        assert report.outcome.error_type == error_type
        assert message in report.outcome.message
        report, _ = await run("good")
        assert report.outcome.status == "success"


async def test_file_acks_and_stderr_find_their_run(serving_argv):
    """Acks carry the run; what a run prints is in its own report; frames of nobody are dropped."""
    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        (_, policy), (noisy, _), (stray, _) = await asyncio.gather(run("put"), run("noisy"), run("stray"))
        acks = policy.items()[0]["n"]
        assert [(ack["run_id"], ack["ok"]) for ack in acks] == [("run-1", True), ("run-1", False)]
        assert noisy.stderr_tail == "said by run-2\n"
        assert (stray.outcome.status, stray.stderr_tail) == ("success", "")


@pytest.mark.clause("IPC-13")
async def test_killed_process_ends_its_runs_only(serving_argv):
    """kill -9 of one process ends its runs as executor_crash; the other process's runs go on, and it is replaced."""
    async with open_pool(serving_argv, processes=2) as pool:
        run = Runs(pool)
        cancel = asyncio.Event()
        policies = [MemoryPolicy() for _ in range(6)]
        tasks = [asyncio.create_task(run("wait", policy=policy, cancel=cancel)) for policy in policies]
        await until(lambda: all(policy.items() for policy in policies))
        pids = [policy.items()[0]["n"] for policy in policies]
        assert sorted(pids.count(pid) for pid in set(pids)) == [3, 3], "least loaded first"
        os.kill(pids[0], signal.SIGKILL)
        lost = [task for task, pid in zip(tasks, pids, strict=True) if pid == pids[0]]
        for task in lost:
            report, _ = await task
            assert report.outcome.status == "executor_crash"
            assert "killed by SIGKILL" in report.outcome.message
            assert report.exit_code == -9
        assert not any(task.done() for task in tasks if task not in lost)
        report, _ = await run("good")
        assert report.outcome.status == "success"
        cancel.set()
        await asyncio.gather(*tasks)
        assert pids[0] not in pool.pids


@pytest.mark.clause("RUN-05")
async def test_deadline_of_an_obedient_run(serving_argv):
    """At the deadline a run is cancelled; its neighbour is not touched; the process is recycled afterwards."""
    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        first = pool.pids[0]
        policy = MemoryPolicy()
        neighbour = asyncio.create_task(run("wait", policy=policy, cancel=(cancel := asyncio.Event())))
        await until(policy.items)
        report, _ = await run("wait", timeout_ms=300)
        assert (report.outcome.status, report.outcome.error_type) == ("executor_crash", "timeout")
        assert report.duration_ms < 3000
        assert not neighbour.done()
        report, after = await run("good")
        assert after.items()[0]["n"] != first
        cancel.set()
        report, _ = await neighbour
        assert report.outcome.error_type == "cancelled"
        await until(lambda: not alive(first))


@pytest.mark.clause("RUN-05")
async def test_deadline_of_a_stubborn_run(serving_argv):
    """A run that does not obey costs its process five seconds later, and its neighbours say why they ended."""
    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        neighbour = asyncio.create_task(run("wait"))
        report, _ = await run("stubborn", timeout_ms=300)
        assert report.outcome.error_type == "timeout"
        assert 5000 <= report.duration_ms < 9000
        report, _ = await neighbour
        assert report.outcome.status == "executor_crash"
        assert "did not end when it was told to" in report.outcome.message


@pytest.mark.clause("RUN-12")
async def test_cancel_before_and_while(serving_argv):
    """A run is cancelled before it starts, or while it runs; the same id may be executed again at once."""
    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        cancel = asyncio.Event()
        policy = MemoryPolicy()
        task = asyncio.create_task(run("wait", policy=policy, cancel=cancel, run_id="same"))
        await until(policy.items)
        again = asyncio.create_task(run("good", run_id="same"))
        cancel.set()
        report, _ = await task
        assert report.outcome.error_type == "cancelled"
        report, _ = await again
        assert report.outcome.status == "success"
        report, policy = await run("good", cancel=cancel)
        assert (report.outcome.error_type, policy.events) == ("cancelled", [])


async def test_cancelled_task(serving_argv):
    """A cancelled task returns at once; its run is wound down behind it, and its id is free again then."""
    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        policy = MemoryPolicy()
        task = asyncio.create_task(run("wait", policy=policy, run_id="same"))
        await until(policy.items)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        report, _ = await run("good", run_id="same")
        assert report.outcome.status == "success"
        assert policy.types() == ["item"]


@pytest.mark.clause("IPC-12")
async def test_slow_storage_blocks_only_its_own_run(serving_argv):
    """One run's storage takes 50 ms a write: memory stays bounded by its credit, and neighbours go on."""
    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        slow = MemoryPolicy(delay_s=0.05, keep=False)
        before = rss_bytes()
        task = asyncio.create_task(run("flood", policy=slow, job={"events": 3000}))
        await until(lambda: slow.kept > 10)
        peak = 0
        fast = 0
        while not task.done():
            started = time.monotonic()
            report, _ = await run("good")
            assert report.outcome.status == "success"
            assert time.monotonic() - started < 2
            fast += 1
            peak = max(peak, rss_bytes())
        report, _ = await task
        assert report.outcome.status == "success", report.outcome
        assert slow.kept == 3001
        assert fast > 20
        assert peak - before < 64 * 1024 * 1024
        assert rss_bytes(pool.pids[0]) < 128 * 1024 * 1024


@pytest.mark.clause("IPC-12")
async def test_more_than_the_credit_is_a_fault(serving_argv):
    """A run that sends on without credit is ended before it fills the memory."""
    async with open_pool(serving_argv) as pool:
        report, policy = await Runs(pool)("over_credit", policy=MemoryPolicy(delay_s=0.5))
        assert (report.outcome.status, report.outcome.error_type) == ("executor_crash", "protocol")
        assert "credit" in report.outcome.message
        assert policy.items()


async def test_frame_larger_than_the_credit(serving_argv):
    """A frame larger than the whole credit passes when nothing is outstanding."""
    async with open_pool(serving_argv, credit_bytes=100_000) as pool:
        report, policy = await Runs(pool)("big_frame")
        assert report.outcome.status == "success", report.outcome
        assert len(policy.items()) == 3


@pytest.mark.clause("RUN-11")
async def test_recycled_after_a_number_of_runs(serving_argv):
    """A process gets its number of runs, then a successor takes over, and the old one ends."""
    async with open_pool(serving_argv, max_runs_per_process=3) as pool:
        run = Runs(pool)
        pids = [(await run("good"))[1].items()[0]["n"] for _ in range(7)]
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
        await until(lambda: not [pid for pid in pids[:6] if alive(pid)])


@pytest.mark.clause("RUN-11")
async def test_recycled_above_the_memory_limit(serving_argv):
    """A process that has grown is replaced."""
    async with open_pool(serving_argv, max_rss_bytes=60 * 1024 * 1024) as pool:
        run = Runs(pool)
        first = (await run("grow"))[1].items()[0]["n"]
        deadline = time.monotonic() + 20
        while (await run("good"))[1].items()[0]["n"] == first:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


@pytest.mark.clause("RUN-02")
async def test_policy_failure(serving_argv):
    """A storage that fails at ingest or at flush ends that run."""
    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        report, _ = await run("wait", policy=MemoryPolicy(fail_ingest_at=1))
        assert (report.outcome.status, report.outcome.error_type) == ("policy_failure", "storage_no_space")
        report, _ = await run("good", policy=MemoryPolicy(fail_flush=True))
        assert report.outcome.status == "policy_failure"


async def test_start_failures(serving_argv):
    """A process that can't start, or speaks another version, is named at start; nothing is left."""
    env = {**os.environ, "STUB_MUTE": "1"}
    pool = ExecutorPool(capacity=2, processes=2, argv=serving_argv, env=env)
    with pytest.raises(
        ExecutorStartError, match="exit code 4 before it announced itself: cannot start: no luck"
    ):
        await pool.start()
    pool = ExecutorPool(capacity=2, argv=serving_argv, env={**os.environ, "STUB_VERSION": "9"})
    with pytest.raises(VersionMismatchError, match="'9'"):
        await pool.start()


async def test_start_failure_while_running(serving_argv, monkeypatch):
    """A successor that can't be started is the outcome of the run that needed it."""
    env = dict(os.environ)
    async with open_pool(serving_argv, env=env) as pool:
        run = Runs(pool)
        env["STUB_MUTE"] = "1"
        await run("die")
        report, _ = await run("good")
        assert (report.outcome.status, report.outcome.error_type) == ("executor_crash", "executor_start")
        del env["STUB_MUTE"]
        report, _ = await run("good")
        assert report.outcome.status == "success"


async def test_close_lets_runs_end_first(serving_argv):
    """Closing waits for runs within the grace, then ends them as cancelled; afterwards nothing is executed."""
    pool = ExecutorPool(capacity=4, argv=serving_argv)
    await pool.start()
    run = Runs(pool)
    policy = MemoryPolicy()
    task = asyncio.create_task(run("wait", policy=policy))
    await until(policy.items)
    started = time.monotonic()
    await pool.close(0.3)
    assert 0.3 <= time.monotonic() - started < 4
    report, _ = await task
    assert report.outcome.error_type == "cancelled"
    report, _ = await run("good")
    assert report.outcome.error_type == "cancelled"


@pytest.mark.clause("RUN-13")
async def test_on_enqueue_can_end_the_run(serving_argv):
    """A lost lease ends the run as cancelled; any other error passes through once the run has ended."""

    async def lost(events):
        raise LeaseLostError("gone")

    async def broken(events):
        raise RuntimeError("broken")

    async with open_pool(serving_argv) as pool:
        run = Runs(pool)
        report, policy = await run("enqueue", on_enqueue=lost)
        assert (report.outcome.error_type, policy.events) == ("cancelled", [])
        with pytest.raises(RuntimeError, match="broken"):
            await run("enqueue", on_enqueue=broken)


async def test_completing_in_the_grace_counts(serving_argv):
    """A run that was told to end at its deadline, and then completes, has completed."""
    async with open_pool(serving_argv) as pool:
        report, _ = await Runs(pool)("complete_without_result", timeout_ms=300)
        assert report.outcome.status == "success"
