"""What runs print while they share a process."""

from __future__ import annotations

from tests.executor.support import Serving, write_script

MIB = 1024 * 1024


async def test_prints_go_to_the_run_that_printed(tmp_path):
    """From tasks and threads of the run too; what can't be attributed goes to the process log."""
    source = """
import asyncio, sys, threading
async def task():
    print("task")
async def run(ctx):
    print("out", ctx.run.run_id)
    print("err", file=sys.stderr)
    await asyncio.create_task(task())
    await asyncio.to_thread(print, "thread")
    thread = threading.Thread(target=lambda: print("nobody's"))
    thread.start(); thread.join()
"""
    script = write_script(tmp_path, source)
    async with Serving() as executor:
        for number in range(10):
            executor.start(f"run-{number}", script)
        await executor.ended(*(f"run-{number}" for number in range(10)))
        for number in range(10):
            assert executor.printed(f"run-{number}") == f"out run-{number}\nerr\ntask\nthread\n"
    assert executor.log.count("nobody's") == 10


async def test_a_flood_of_prints_is_bounded(tmp_path):
    """A run that prints 50 MiB without a pause keeps the end, says what it dropped, and memory stays flat."""
    source = """
async def run(ctx):
    before = ctx.memory.snapshot().process
    for n in range(50_000):
        print(f"{n:>1000}")
    print("\\ud800 the end")
    await ctx.emit.item("grown", {"bytes": ctx.memory.snapshot().process - before})
"""
    async with Serving() as executor:
        executor.start("run", write_script(tmp_path, source))
        await executor.ended("run")
        assert executor.printed("run").endswith(r"\ud800 the end" + "\n")
        assert "characters dropped" in executor.printed("run")
        assert len(executor.printed("run")) < MIB
        assert executor.items("run")[0]["bytes"] < 8 * MIB
