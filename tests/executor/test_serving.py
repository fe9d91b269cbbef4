"""Many runs at once in one process."""

from __future__ import annotations

import asyncio
import json

import pytest

from quarry import CONTRACT_VERSION
from quarry.ipc import Credit, ProxyFrame, UnknownFrame
from tests.executor.support import Serving, write_script

BARRIER = """
import asyncio
arrived = 0
everybody = asyncio.Event()
async def run(ctx):
    global arrived
    arrived += 1
    if arrived == ctx.job["n"]:
        everybody.set()
    await everybody.wait()
    await ctx.emit.item("met", {"arrived": arrived, "run": ctx.run.run_id})
"""


async def test_64_runs_are_in_flight_at_once(tmp_path):
    """Each waits until all 64 have begun: they can only end together. One process, one hello."""
    script = write_script(tmp_path, BARRIER)
    async with Serving() as executor:
        assert executor.hello.contract_version == CONTRACT_VERSION
        assert (executor.hello.capacity, executor.hello.pid) == (64, executor.process.pid)
        runs = [f"run-{number}" for number in range(64)]
        for run_id in runs:
            executor.start(run_id, script, job={"n": 64})
        await executor.ended(*runs)
        for run_id in runs:
            assert executor.items(run_id) == [{"arrived": 64, "run": run_id}]
            assert [event.seq for event in executor.events(run_id)] == [1, 2]
            assert executor.result(run_id).outcome["status"] == "completed"
    assert executor.code == 0


async def test_64_runs_meet_at_a_web_server(tmp_path):
    """64 requests are open at the server at the same moment before it answers the first."""
    waiting, everybody = 0, asyncio.Event()

    async def answer(reader, writer):
        nonlocal waiting
        await reader.readuntil(b"\r\n\r\n")
        waiting += 1
        if waiting == 64:
            everybody.set()
        await everybody.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=128)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    source = "async def run(ctx):\n    r = await ctx.http.get(ctx.job['url'], retries=0)\n    await ctx.emit.item('a', {'t': r.text})\n"
    script = write_script(tmp_path, source)
    async with server, Serving() as executor:
        runs = [f"run-{number}" for number in range(64)]
        for run_id in runs:
            executor.start(run_id, script, job={"url": url})
        await executor.ended(*runs)
        assert [executor.items(run_id) for run_id in runs] == [[{"t": "ok"}]] * 64


@pytest.mark.clause("EMIT-09")
@pytest.mark.clause("EMIT-12")
async def test_neighbours_fail_alone(tmp_path):
    """Errors, exits and crashes of runs leave the process and the other runs as they are."""
    source = """
import asyncio, sys
async def leave():
    sys.exit(9)
def prepare(job, run):
    import quarry
    if job == "prepare":
        raise OSError("no")
    return quarry.Continue(job)
async def run(ctx):
    if ctx.job == "raise": raise ValueError("x")
    if ctx.job == "exit": sys.exit(3)
    if ctx.job == "interrupt": raise KeyboardInterrupt
    if ctx.job == "task": await asyncio.wait([asyncio.create_task(leave())])
"""
    script = write_script(tmp_path, source)
    jobs = {"raise": "error", "exit": "error", "interrupt": "error", "prepare": "crash", "task": "completed"}
    async with Serving() as executor:
        executor.start(
            "bystander",
            write_script(
                tmp_path, "import asyncio\nasync def run(ctx):\n    await asyncio.Event().wait()\n", "wait.py"
            ),
        )
        for job in jobs:
            executor.start(job, script, job=job)
        await executor.ended(*jobs)
        assert {job: executor.result(job).outcome["status"] for job in jobs} == jobs
        assert executor.result("bystander") is None
        assert executor.process.returncode is None
        executor.cancel("bystander")
        await executor.ended("bystander")


async def test_puts_of_runs_get_their_own_answers(tmp_path):
    """Every run counts its writes from 1; answers find their run."""
    source = """
async def run(ctx):
    keys = [await ctx.storage.put(f"{ctx.run.run_id}-{n}", b"x") for n in range(3)]
    await ctx.emit.item("keys", {"keys": keys})
"""
    script = write_script(tmp_path, source)
    async with Serving() as executor:
        runs = [f"r{number}" for number in range(5)]
        for run_id in runs:
            executor.start(run_id, script)
        await executor.ended(*runs)
        for run_id in runs:
            assert executor.items(run_id) == [{"keys": [f"files/{run_id}-{n}" for n in range(3)]}]


async def test_requests_that_cannot_be_served_are_crashes_of_their_own(tmp_path):
    """Beyond capacity, without script, with a wrong proxy, with a script that is missing."""
    wait = write_script(tmp_path, "import asyncio\nasync def run(ctx):\n    await asyncio.Event().wait()\n")
    async with Serving(capacity=1) as executor:
        executor.start("no-script", None)
        executor.start("no-file", str(tmp_path / "absent.py"))
        executor.start("bad-proxy", wait, proxy={"protocol": "ftp", "host": "h", "port": 1})
        await executor.ended("no-script", "no-file", "bad-proxy")
        executor.start("waiting", wait)
        executor.start("too-many", wait)
        outcomes = {}
        for run_id in ("no-script", "no-file", "bad-proxy", "too-many"):
            outcomes[run_id] = await executor.ended(run_id)
            assert outcomes[run_id]["status"] == "crash"
        assert "names no script" in outcomes["no-script"]["message"]
        assert "No such file" in outcomes["no-file"]["message"]
        assert "proxy.protocol" in outcomes["bad-proxy"]["message"]
        assert "1 runs are under way" in outcomes["too-many"]["message"]
        assert executor.result("waiting") is None


async def test_frames_that_concern_nobody_are_ignored(tmp_path):
    """Unknown types, and credits, cancels and proxies that crossed the end of their run."""
    script = write_script(tmp_path, "async def run(ctx):\n    pass\n")
    async with Serving() as executor:
        executor.send(UnknownFrame(type="later_invention", fields={"x": 1}))
        executor.send(Credit(run_id="gone", bytes=5))
        executor.send(ProxyFrame(run_id="gone", proxy=None))
        executor.cancel("gone")
        executor.start("run", script)
        assert (await executor.ended("run"))["status"] == "completed"


async def test_proxies_are_told_without_their_password(tmp_path):
    """The result says which proxy was used; the answer to rotate_proxy replaces it."""
    proxy = {"protocol": "http", "host": "127.0.0.1", "port": 9, "username": "u", "password": "hush"}
    source = """
import asyncio
async def run(ctx):
    ctx.http
    await ctx.emit.rotate_proxy("banned")
    assert ctx.http.proxy.port == 10
"""
    async with Serving() as executor:
        executor.start("run", write_script(tmp_path, source), proxy=proxy)
        await executor.until(lambda: executor.events("run"))
        executor.send(ProxyFrame(run_id="run", proxy={**proxy, "port": 10}))
        await executor.ended("run")
        assert executor.result("run").proxy_used == {
            "protocol": "http",
            "host": "127.0.0.1",
            "port": 10,
            "username": "u",
        }
    assert "hush" not in json.dumps(executor.log)
