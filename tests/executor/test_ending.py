"""How runs and the serving process end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

import pytest

from quarry.ipc import FrameDecoder, RunRequest, RunResultFrame, encode_frame
from tests.executor.support import DEADLINE_S, Serving, write_script


@pytest.mark.clause("EMIT-13")
async def test_a_cancelled_run_ends_as_a_crash(tmp_path):
    """Also one that swallows its cancellation once; cleanup gets its time; no terminal event is emitted."""
    source = """
import asyncio
async def run(ctx):
    await ctx.emit.item("up", {})
    for _ in range(ctx.job):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("swallowed")
    await asyncio.Event().wait()
async def cleanup(ctx):
    print("cleaned")
    await asyncio.Event().wait()
"""
    script = write_script(tmp_path, source)
    async with Serving() as executor:
        for stubborn in (0, 1):
            executor.start(f"run-{stubborn}", script, job=stubborn)
            await executor.until(lambda run_id=f"run-{stubborn}": executor.events(run_id))
            executor.cancel(f"run-{stubborn}")
        await executor.ended("run-0", "run-1")
        for run_id in ("run-0", "run-1"):
            outcome = executor.result(run_id).outcome
            assert (outcome["status"], outcome["error_type"]) == ("crash", "cancelled")
            assert [event.type for event in executor.events(run_id)] == ["item"]
            assert "cleaned" in executor.printed(run_id)
        assert "swallowed" in executor.printed("run-1")


@pytest.mark.clause("EMIT-13")
async def test_a_run_that_returns_after_its_cancellation_is_cancelled_all_the_same(tmp_path):
    """The runtime has decided; the script can't undo it."""
    source = """
import asyncio
async def run(ctx):
    await ctx.emit.item("up", {})
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return
"""
    async with Serving() as executor:
        executor.start("run", write_script(tmp_path, source))
        await executor.until(lambda: executor.events("run"))
        executor.cancel("run")
        assert (await executor.ended("run"))["error_type"] == "cancelled"
        assert [event.type for event in executor.events("run")] == ["item"]


SLOW_CLEANUP = """
import asyncio, time
async def run(ctx):
    await ctx.emit.item("up", {})
    if not ctx.job.get("done"):
        await asyncio.Event().wait()
async def cleanup(ctx):
    print("cleaning", flush=True)
    start = time.monotonic()
    try:
        while (spent := time.monotonic() - start) < ctx.job["cleanup_s"]:
            await asyncio.sleep(ctx.job["cleanup_s"] - spent)
    except asyncio.CancelledError:
        print("cut off after", round(time.monotonic() - start, 1), flush=True)
        if ctx.job.get("stubborn"):
            await asyncio.Event().wait()
        raise
    print("cleaned", flush=True)
"""


@pytest.mark.clause("EMIT-13")
async def test_the_cleanup_of_a_cancelled_run_has_its_two_seconds_when_serving(tmp_path):
    """One that needs 1.7 s ends by itself; one that needs longer is cut off, and ends if it ignores that."""
    script = write_script(tmp_path, SLOW_CLEANUP)
    jobs = {
        "fits": {"cleanup_s": 1.7},
        "long": {"cleanup_s": 60},
        "stubborn": {"cleanup_s": 60, "stubborn": True},
    }
    async with Serving() as executor:
        for run_id, job in jobs.items():
            executor.start(run_id, script, job=job)
            await executor.until(lambda run_id=run_id: executor.events(run_id))
            executor.cancel(run_id)
        await executor.ended(*jobs)
        assert executor.printed("fits") == "cleaning\ncleaned\n"
        for run_id in ("long", "stubborn"):
            assert "cut off after 2.0" in executor.printed(run_id)
        for run_id in jobs:
            assert executor.result(run_id).outcome["error_type"] == "cancelled"
            assert [event.type for event in executor.events(run_id)] == ["item"]


@pytest.mark.clause("EMIT-13")
async def test_the_cleanup_of_a_cancelled_run_has_its_two_seconds_single_shot(tmp_path):
    """Also when the signal comes again meanwhile."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quarry.executor", write_script(tmp_path, SLOW_CLEANUP)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    process.stdin.write(b'{"run_id": "r", "attempt": 1, "job": {"cleanup_s": 1.7}}\n')
    try:
        async with asyncio.timeout(DEADLINE_S):
            head = await process.stdout.readexactly(1)
            process.send_signal(signal.SIGTERM)
            assert await process.stderr.readline() == b"cleaning\n"
            process.send_signal(signal.SIGTERM)
            stdout, stderr = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert stderr == b"cleaned\n"
    *events, result = [frame for frame, _ in FrameDecoder(serving=False).feed(head + stdout)]
    assert [event.type for event in events] == ["item"]
    assert isinstance(result, RunResultFrame)
    assert (process.returncode, result.outcome["error_type"]) == (2, "cancelled")


@pytest.mark.clause("EMIT-13")
async def test_a_cancel_that_comes_during_the_cleanup_leaves_it_two_seconds(tmp_path):
    """The run's terminal event stands; a cleanup that ends in time changes nothing, another is cut off."""
    script = write_script(tmp_path, SLOW_CLEANUP)
    jobs = {"fits": {"cleanup_s": 1.7, "done": True}, "long": {"cleanup_s": 60, "done": True}}
    async with Serving() as executor:
        for run_id, job in jobs.items():
            executor.start(run_id, script, job=job)
            await executor.until(lambda run_id=run_id: "cleaning" in executor.printed(run_id))
            executor.cancel(run_id)
        await executor.ended(*jobs)
        assert executor.printed("fits") == "cleaning\ncleaned\n"
        assert executor.result("fits").outcome["status"] == "completed"
        assert "cut off after 2" in executor.printed("long")
        assert executor.result("long").outcome["error_type"] == "cancelled"


@pytest.mark.clause("EMIT-10")
async def test_a_verb_that_was_cancelled_has_sent_nothing(tmp_path):
    """Wherever the channel lets others run: what it sent, it sent before it could be cancelled."""
    source = """
import asyncio
from quarry import TerminalEventError
async def run(ctx):
    for n in range(ctx.job):
        await ctx.emit.item("a", {"n": n})
    ending = asyncio.create_task(ctx.emit.run_complete())
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait([ending])
    try:
        await ctx.emit.item("a", {"n": ctx.job})
    except TerminalEventError:
        print("refused")
"""
    script = write_script(tmp_path, source)
    counts = [*range(60, 68), *range(126, 131)]
    reopened = []
    async with Serving() as executor:
        for count in counts:
            executor.start(f"run-{count}", script, job=count)
        await executor.ended(*(f"run-{count}" for count in counts))
        for count in counts:
            run_id = f"run-{count}"
            refused = executor.printed(run_id) == "refused\n"
            reopened += [] if refused else [count]
            assert [item["n"] for item in executor.items(run_id)] == list(range(count + (not refused)))
            types = [event.type for event in executor.events(run_id)]
            assert types.index("run_complete") == len(types) - 1, count
            assert executor.result(run_id).outcome["status"] == "completed"
    assert reopened, "no verb was cancelled before it had sent its event"


@pytest.mark.clause("EMIT-02")
async def test_a_verb_that_lets_others_run_keeps_its_place_and_its_data(tmp_path):
    """Items of many tasks arrive in call order, as they were at the call."""
    source = """
import asyncio
async def emit(ctx, data):
    await ctx.emit.item("a", data)
async def run(ctx):
    sent = [{"n": n} for n in range(300)]
    tasks = [asyncio.create_task(emit(ctx, data)) for data in sent]
    await asyncio.sleep(0)
    for data in sent:
        data["n"] = "changed"
    await asyncio.gather(*tasks)
"""
    async with Serving() as executor:
        executor.start("run", write_script(tmp_path, source))
        await executor.ended("run")
        assert executor.items("run") == [{"n": n} for n in range(300)]
        assert [event.seq for event in executor.events("run")] == list(range(1, 302))


@pytest.mark.clause("EMIT-10")
async def test_tasks_left_behind_end_with_their_run(tmp_path):
    """They are cancelled before the result is sent, and can emit nothing meanwhile."""
    source = """
import asyncio
alive = set()
async def linger(ctx, name):
    alive.add(name)
    try:
        await asyncio.Event().wait()
    finally:
        alive.discard(name)
        try:
            await ctx.emit.item("late", {})
        except Exception as error:
            print(type(error).__name__)
async def run(ctx):
    await ctx.emit.item("alive", {"names": sorted(alive)})
    asyncio.create_task(linger(ctx, ctx.run.run_id))
    await asyncio.sleep(0)
"""
    script = write_script(tmp_path, source)
    async with Serving() as executor:
        for run_id in ("first", "second"):
            executor.start(run_id, script)
            await executor.ended(run_id)
            assert executor.items(run_id) == [{"names": []}]
            assert executor.printed(run_id) == "TerminalEventError\n"


@pytest.mark.clause("EMIT-16")
async def test_the_process_ends_when_stdin_does(tmp_path):
    """Pending puts fail first, so that the run can still tell; runs that wait are ended."""
    source = """
from quarry import StoragePutError
import asyncio
async def run(ctx):
    try:
        await ctx.storage.put("a", b"x")
    except StoragePutError as error:
        print(error)
        raise
"""
    async with Serving() as executor:
        executor.ack = lambda write: executor.process.stdin.close() or (True, "too late")
        executor.send = lambda frame: (
            None if executor.process.stdin.is_closing() else Serving.send(executor, frame)
        )
        executor.start("run", write_script(tmp_path, source))
        await executor.ended("run")
        assert "closed stdin" in executor.printed("run")
    assert executor.code == 0


async def test_the_process_ends_when_nobody_reads(tmp_path):
    """A broken stdout ends it, however many runs emit."""
    source = "import asyncio\nasync def run(ctx):\n    while True:\n        await ctx.emit.item('a', {})\n        await asyncio.sleep(0.001)\n"
    script = write_script(tmp_path, source)
    read_fd, write_fd = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quarry.executor", "--serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=write_fd,
    )
    os.close(write_fd)
    os.read(read_fd, 1)
    process.stdin.write(encode_frame(RunRequest(run_id="r", attempt=1, job={}, script=script)))
    os.close(read_fd)
    async with asyncio.timeout(DEADLINE_S):
        await process.wait()
    process.stdin.close()


async def test_sigterm_ends_the_runs_and_the_process(tmp_path):
    """Each run is told as cancelled before the process leaves."""
    script = write_script(
        tmp_path,
        "import asyncio\nasync def run(ctx):\n    await ctx.emit.item('up', {})\n    await asyncio.Event().wait()\n",
    )
    async with Serving() as executor:
        executor.start("run", script)
        await executor.until(lambda: executor.events("run"))
        executor.process.send_signal(signal.SIGTERM)
        assert (await executor.ended("run"))["error_type"] == "cancelled"
    assert executor.code == 0
