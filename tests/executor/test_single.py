"""The public contract: one request on stdin, one run, one exit code."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys

import pytest

from quarry import CONTRACT_VERSION
from quarry.ipc import ArtifactChunk, FileWrite
from tests.executor.support import DEADLINE_S, run_single, write_script

EVERYTHING = """
from quarry import Context

async def run(ctx: Context) -> None:
    print("this goes to stderr")
    await ctx.emit.item("a", {"job": ctx.job, "run": ctx.run.run_id, "depth": ctx.run.depth})
    await ctx.emit.artifact("x.bin", b"x" * 3_000_000)
    key = await ctx.storage.put("f.txt", b"hello", "text/plain")
    await ctx.emit.enqueue("b.py", {"key": key})
"""


@pytest.mark.clause("EMIT-01")
@pytest.mark.clause("EMIT-02")
@pytest.mark.clause("EMIT-09")
async def test_a_run_from_request_to_exit(tmp_path):
    """Envelopes are complete, in order and stamped with the request's lineage; prints stay off the wire."""
    result = await run_single(
        write_script(tmp_path, EVERYTHING),
        request={
            "run_id": "child",
            "attempt": 2,
            "job": {"url": "u"},
            "job_id": "j",
            "parent_run_id": "p",
            "root_run_id": "r",
            "depth": 3,
            "unknown": 1,
        },
    )
    assert result.code == 0
    assert result.outcome == {"status": "completed", "message": ""}
    assert result.types == ["item", "artifact", "enqueue", "run_complete"]
    assert [event.seq for event in result.events] == [1, 2, 3, 4]
    assert len({event.event_id for event in result.events}) == 4
    for event in result.events:
        assert event.contract_version == CONTRACT_VERSION
        assert (event.run_id, event.attempt, event.job_id) == ("child", 2, "j")
        assert (event.parent_run_id, event.root_run_id, event.depth) == ("p", "r", 3)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.ts)
    assert result.items() == [{"job": {"url": "u"}, "run": "child", "depth": 3}]
    assert [chunk.is_last for chunk in result.frames if isinstance(chunk, ArtifactChunk)] == [
        False,
        False,
        True,
    ]
    assert result.events[2].payload["params"] == {"key": "files/f.txt"}
    assert "this goes to stderr" in result.stderr


@pytest.mark.clause("EMIT-09")
async def test_a_script_that_raises(tmp_path):
    """Exit 1; class, message and the script's own traceback are in the event and in the result."""
    script = write_script(
        tmp_path, "async def run(ctx):\n    await ctx.emit.item('a', {})\n    raise KeyError('x')\n"
    )
    result = await run_single(script)
    assert result.code == 1
    assert result.types == ["item", "run_error"]
    payload = result.events[-1].payload
    assert (payload["error_type"], payload["message"]) == ("KeyError", "'x'")
    assert f'File "{script}", line 3, in run' in payload["stack"]
    assert "quarry/executor" not in payload["stack"]
    assert result.outcome == {"status": "error", **payload}


@pytest.mark.clause("EMIT-09")
@pytest.mark.parametrize(
    ("body", "code", "types"),
    [
        ("await ctx.emit.run_complete({'n': 1})", 0, ["run_complete"]),
        ("await ctx.emit.run_error('Blocked', 'm')", 1, ["run_error"]),
        ("await ctx.emit.run_complete(); raise ValueError('late')", 0, ["run_complete"]),
        ("await ctx.emit.run_error('E', 'm'); raise ValueError('late')", 1, ["run_error"]),
        ("await ctx.emit.run_complete(); await ctx.emit.item('a', {})", 0, ["run_complete"]),
    ],
)
async def test_the_scripts_own_terminal_event_decides(tmp_path, body, code, types):
    """What is raised after it is only told on stderr."""
    result = await run_single(write_script(tmp_path, f"async def run(ctx):\n    {body}\n"))
    assert (result.code, result.types) == (code, types)
    assert ("raised after its terminal event" in result.stderr) == (";" in body)


@pytest.mark.clause("EMIT-12")
@pytest.mark.parametrize("raised", ["SystemExit(7)", "KeyboardInterrupt()"])
async def test_leaving_the_process_is_a_script_error(tmp_path, raised):
    """sys.exit() does not choose the exit code."""
    result = await run_single(write_script(tmp_path, f"async def run(ctx):\n    raise {raised}\n"))
    assert result.code == 1
    assert result.events[-1].payload["error_type"] == raised.partition("(")[0]


@pytest.mark.clause("EMIT-05")
@pytest.mark.clause("EMIT-06")
async def test_nan_is_refused_at_the_line_that_emits_it(tmp_path):
    """The error of the run names the file, the line and the place inside the data."""
    source = (
        "async def run(ctx):\n    data = {'p': [1.0, float('nan')]}\n    await ctx.emit.item('a', data)\n"
    )
    script = write_script(tmp_path, source)
    result = await run_single(script)
    assert result.code == 1
    assert result.events[-1].payload["error_type"] == "EmitError"
    assert result.events[-1].payload["message"] == (
        f"emit.item: data.p[1] is NaN, which JSON doesn't have; use None ({script}:3)"
    )


@pytest.mark.clause("EMIT-07")
@pytest.mark.clause("EMIT-02")
async def test_an_event_of_17_mib_is_refused_and_uses_no_seq(tmp_path):
    """The script may catch that and go on."""
    source = """
from quarry import EmitError
async def run(ctx):
    try:
        await ctx.emit.item("a", {"x": "y" * (17 << 20)})
    except EmitError as error:
        await ctx.emit.warn(str(error))
    await ctx.emit.item("b", {"x": "y" * (15 << 20)})
"""
    result = await run_single(write_script(tmp_path, source))
    assert result.code == 0
    assert [event.seq for event in result.events] == [1, 2, 3]
    assert "exceeds the limit" in result.logs()[0]["message"]


@pytest.mark.clause("EMIT-16")
async def test_a_refused_put_leaves_the_run_usable(tmp_path):
    """The error carries the runtime's reason; concurrent puts get their own answers."""
    source = """
import asyncio
from quarry import StoragePutError
async def run(ctx):
    answers = await asyncio.gather(*(ctx.storage.put(n, b"x") for n in "abc"), return_exceptions=True)
    await ctx.emit.item("a", {"answers": [str(answer) for answer in answers]})
"""

    def ack(write):
        return (False, "duplicate name") if write.filename == "b" else (True, f"k/{write.filename}")

    result = await run_single(write_script(tmp_path, source), ack=ack)
    assert result.code == 0
    assert result.items() == [{"answers": ["k/a", "storage.put of 'b' was refused: duplicate name", "k/c"]}]
    writes = [frame for frame in result.frames if isinstance(frame, FileWrite)]
    assert [write.write_id for write in writes] == [1, 2, 3]


@pytest.mark.clause("EMIT-16")
async def test_a_put_fails_when_stdin_ends(tmp_path):
    """No answer can come any more: the pending put and later ones fail, the run goes on."""
    source = """
from quarry import StoragePutError
async def run(ctx):
    for name in "ab":
        try:
            await ctx.storage.put(name, b"x")
        except StoragePutError as error:
            await ctx.emit.item("a", {"error": str(error)})
"""
    result = await run_single(write_script(tmp_path, source), close_stdin=True)
    assert result.code == 0
    assert len(result.items()) == 2
    assert all("closed stdin" in item["error"] for item in result.items())


@pytest.mark.clause("EMIT-06")
async def test_a_script_in_a_folder_named_asyncio_gets_its_line(tmp_path):
    """Only the real package's lines are passed over."""
    source = """
import asyncio
async def verb(ctx):
    await ctx.emit.item("a", {"x": {1}})
async def run(ctx):
    await asyncio.create_task(verb(ctx))
"""
    script = write_script(tmp_path, source, "asyncio/script.py")
    result = await run_single(script)
    assert f"({script}:4)" in result.events[-1].payload["message"]


@pytest.mark.clause("EMIT-13")
async def test_sigterm_cancels_the_run(tmp_path):
    """The result says so, cleanup is called, no terminal event is emitted, the exit code is 2."""
    source = """
import asyncio, sys
async def run(ctx):
    print("up", file=sys.stderr)
    await asyncio.Event().wait()
async def cleanup(ctx):
    print("cleaned", file=sys.stderr)
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quarry.executor", write_script(tmp_path, source)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    process.stdin.write(b'{"run_id": "r", "attempt": 1, "job": {}}\n')
    assert await process.stderr.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(DEADLINE_S):
        stdout, stderr = await process.communicate()
    assert process.returncode == 2
    assert b"cleaned" in stderr
    assert b"SIGTERM" in stdout
    assert b"run_complete" not in stdout
    assert b"run_error" not in stdout


async def test_what_was_emitted_before_a_kill_has_left(tmp_path):
    """A verb that returned has handed its event to the kernel."""
    source = """
import os, signal
async def run(ctx):
    for n in range(5):
        await ctx.emit.item("a", {"n": n})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    result = await run_single(write_script(tmp_path, source))
    assert result.code == -signal.SIGKILL
    assert result.items() == [{"n": n} for n in range(5)]


@pytest.mark.clause("EMIT-22")
async def test_a_runtime_that_does_not_read_stops_the_script(tmp_path):
    """The script waits in its emit with little more than a pipe and a megabyte on the way."""
    source = """
import sys
async def run(ctx):
    for n in range(400):
        await ctx.emit.item("a", {"x": "y" * 100_000})
        print(n, file=sys.stderr)
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quarry.executor", write_script(tmp_path, source)),
        stdin=asyncio.subprocess.PIPE,
        stdout=(pipe := os.pipe())[1],
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(pipe[1])
    try:
        process.stdin.write(b'{"run_id": "r", "attempt": 1, "job": {}}\n')
        async with asyncio.timeout(DEADLINE_S):
            seen = [int(await process.stderr.readline())]
        while True:
            try:
                async with asyncio.timeout(1.0):  # silence is what is waited for
                    seen.append(int(await process.stderr.readline()))
            except TimeoutError:
                break
        assert len(seen) < 20
        os.close(pipe[0])  # nobody reads any more: the executor ends by itself
        async with asyncio.timeout(DEADLINE_S):
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 2


async def test_printing_cannot_tear_a_frame(tmp_path):
    """Prints, writes to descriptor 1 and child processes all end up on stderr; stdin is empty for them."""
    source = """
import os, subprocess, sys
async def run(ctx):
    print("printed"); sys.stdout.write("written\\n"); os.write(1, b"raw\\n")
    subprocess.run(["sh", "-c", "echo child; cat"])
    await ctx.emit.item("a", {"stdin": sys.stdin.read()})
"""
    result = await run_single(write_script(tmp_path, source))
    assert result.code == 0
    assert result.items() == [{"stdin": ""}]
    assert {"printed", "written", "raw", "child"} <= set(result.stderr.split())


async def test_a_thread_left_behind_does_not_hold_the_process(tmp_path):
    """The exit comes at once, with its code."""
    source = (
        "import threading\nasync def run(ctx):\n    threading.Thread(target=threading.Event().wait).start()\n"
    )
    result = await run_single(write_script(tmp_path, source))
    assert result.code == 0


async def test_a_task_that_leaves_the_process_does_not(tmp_path):
    """sys.exit() in a task of the script's own is told and ignored."""
    source = """
import asyncio, sys
async def leave():
    sys.exit(5)
async def run(ctx):
    task = asyncio.create_task(leave())
    await asyncio.wait([task])
    await ctx.emit.item("a", {"ended": task.done()})
"""
    result = await run_single(write_script(tmp_path, source))
    assert result.code == 0
    assert result.items() == [{"ended": True}]
    assert "SystemExit(5)" in result.stderr
