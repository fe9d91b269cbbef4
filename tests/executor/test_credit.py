"""Credit windows: what a run may have unacknowledged."""

from __future__ import annotations

import pytest

from tests.executor.support import Serving, write_script

MIB = 1024 * 1024


@pytest.mark.clause("EMIT-22")
@pytest.mark.parametrize("credit", [10_000, 4 * MIB])
async def test_a_run_never_exceeds_its_credit(tmp_path, credit):
    """Nothing is acknowledged until the run stands still; then it goes on by just what it was given."""
    source = """
async def run(ctx):
    for n in range(ctx.job["n"]):
        await ctx.emit.item("a", {"n": n, "x": "y" * ctx.job["size"]})
"""
    size = credit // 9
    script = write_script(tmp_path, source)
    async with Serving(pay=False) as executor:
        executor.start("run", script, job={"n": 40, "size": size}, credit_bytes=credit)
        await executor.until(lambda: executor.sizes["run"] > credit - size - 400, "a full window")
        executor.start("other", script, job={"n": 1, "size": 10}, credit_bytes=credit)
        await executor.ended("other")  # the process goes on; a run that waits does not hold it up
        assert credit - size - 400 < executor.sizes["run"] <= credit
        for _ in range(100):
            if executor.result("run"):
                break
            before = len(executor.frames["run"])
            executor.pay_all("run")
            await executor.until(lambda before=before: len(executor.frames["run"]) > before)
        assert [item["n"] for item in executor.items("run")] == list(range(40))
        assert executor.most_outstanding["run"] <= credit


@pytest.mark.clause("EMIT-22")
async def test_a_frame_larger_than_the_credit_goes_alone(tmp_path):
    """It waits until nothing is outstanding, and the next waits for its acknowledgement."""
    source = """
async def run(ctx):
    for size in (10, 50_000, 10):
        await ctx.emit.item("a", {"x": "y" * size})
"""
    async with Serving(pay=False) as executor:
        executor.start("run", write_script(tmp_path, source), credit_bytes=5_000)
        for count in (1, 2, 3):
            await executor.until(lambda count=count: len(executor.events("run")) >= count)
            executor.start(
                f"probe-{count}", write_script(tmp_path, "async def run(ctx):\n    pass\n", "p.py")
            )
            await executor.ended(f"probe-{count}")
            assert len(executor.events("run")) == count or count == 3
            executor.pay_all("run")
        await executor.ended("run")


@pytest.mark.clause("EMIT-22")
async def test_every_kind_of_frame_counts_but_results_and_prints(tmp_path):
    """Chunks and files are charged too, prints are not: a run that only prints needs no credit."""
    source = """
import asyncio
async def run(ctx):
    print("x" * 1000)
    if ctx.job == "artifact":
        await ctx.emit.artifact("a", b"x" * 3_000_000)
    if ctx.job == "files":
        await asyncio.gather(*(ctx.storage.put(f"f{n}", b"x" * 1_000_000) for n in range(4)))
"""
    script = write_script(tmp_path, source)
    async with Serving() as executor:
        for job in ("artifact", "files", "none"):
            executor.start(job, script, job=job, credit_bytes=1_200_000)
        await executor.ended("artifact", "files", "none")
        for job in ("artifact", "files"):
            assert 1_000_000 < executor.most_outstanding[job] <= 1_200_000
            assert executor.sizes[job] > 3_000_000
        assert executor.sizes["none"] < 400
        assert executor.printed("none") == "x" * 1000 + "\n"


@pytest.mark.clause("EMIT-02")
@pytest.mark.clause("EMIT-08")
async def test_waiting_verbs_keep_their_order_and_a_cancelled_one_leaves_no_gap(tmp_path):
    """Twenty tasks wait for credit; some give up; the rest arrive in order of the calls, as they were then."""
    source = """
import asyncio
async def run(ctx):
    datas = [{"n": n, "x": "y" * 1000} for n in range(20)]
    tasks = [asyncio.create_task(ctx.emit.item("a", data)) for data in datas]
    await asyncio.sleep(0)
    for data in datas:
        data["x"] = "changed"
    for n in (7, 13, 19):
        tasks[n].cancel()
    await asyncio.wait(tasks)
    await ctx.emit.item("end", {"n": -1})
"""
    async with Serving() as executor:
        executor.start("run", write_script(tmp_path, source), credit_bytes=2_500)
        await executor.ended("run")
        events = executor.events("run")
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        items = executor.items("run")
        assert [item["n"] for item in items] == [n for n in range(20) if n not in {7, 13, 19}] + [-1]
        assert all(item["x"] == "y" * 1000 for item in items[:-1])
