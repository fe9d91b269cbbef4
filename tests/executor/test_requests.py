"""Wrong arguments and wrong requests: exit code 3."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from quarry.ipc import RunResultFrame
from tests.executor.support import DEADLINE_S, run_single, write_script

BAD_REQUESTS = {
    b"": "no request",
    b"\n": "no request",
    b"{not json\n": "not JSON",
    b"[]\n": "must be a JSON object",
    b'{"run_id": "r", "attempt": 1}\n': "no key 'job'",
    b'{"run_id": "r", "attempt": 1, "job": NaN}\n': "NaN is not JSON",
    b'{"run_id": "", "attempt": 1, "job": {}}\n': "run_id is empty",
    b'{"run_id": 5, "attempt": 1, "job": {}}\n': "run_id",
    b'{"attempt": 1, "job": {}}\n': "run_id",
    b'{"run_id": "r", "attempt": 0, "job": {}}\n': "attempt is 0",
    b'{"run_id": "r", "attempt": "1", "job": {}}\n': "attempt",
    b'{"run_id": "r", "attempt": 2, "job": {}}\n': "parent_run_id is required",
    b'{"run_id": "r", "attempt": 1, "job": {}, "depth": -1}\n': "depth is -1",
    b'{"run_id": "r", "attempt": 1, "job": {}, "proxy": {"protocol": "ftp", "host": "h", "port": 1}}\n': "protocol",
    b'{"run_id": "r", "attempt": 1, "job": {}, "proxy": {"protocol": "http", "host": "", "port": 1}}\n': "host",
    b'{"run_id": "r", "attempt": 1, "job": {}, "proxy": {"protocol": "http", "host": "h", "port": 0}}\n': "port",
    b'{"run_id": "r", "attempt": 1, "job": {}, "proxy": {"protocol": "http", "host": "h", "port": 80,'
    b' "username": "u"}}\n': "go together",
}


@pytest.mark.parametrize("request_line", BAD_REQUESTS)
async def test_a_wrong_request_exits_3(tmp_path, request_line):
    """The reason is on stderr and in the result; the script is not even loaded."""
    script = write_script(tmp_path, "print('loaded')\nasync def run(ctx):\n    pass\n")
    result = await run_single(script, request=request_line)
    assert result.code == 3
    assert BAD_REQUESTS[request_line] in result.stderr
    assert "Traceback" not in result.stderr
    assert "loaded" not in result.stderr
    assert [type(frame) for frame in result.frames] == [RunResultFrame]
    assert BAD_REQUESTS[request_line] in result.outcome["message"]


async def test_a_request_without_line_break_is_accepted(tmp_path):
    """End-of-file ends the line too."""
    script = write_script(tmp_path, "async def run(ctx):\n    pass\n")
    result = await run_single(script, request=b'{"run_id": "r", "attempt": 1, "job": null}')
    assert (result.code, result.types) == (0, ["run_complete"])


@pytest.mark.parametrize(
    "arguments",
    [[], ["a.py", "b.py"], ["--serve", "--capacity", "0"], ["--serve", "x"], ["--validate"], ["--nonsense"]],
)
async def test_wrong_arguments_exit_3(arguments):
    """With a line that says so, and the usage."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quarry.executor", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    assert (process.returncode, stdout) == (3, b"")
    assert b"usage:" in stderr
    assert b"Traceback" not in stderr


async def test_a_resolve_folder_that_is_not_there_exits_3(tmp_path):
    """Named, before anything runs."""
    script = write_script(tmp_path, "async def run(ctx):\n    pass\n")
    result = await run_single(script, env={"QUARRY_RESOLVE_FROM": "/nowhere"})
    assert result.code == 3
    assert "'/nowhere'" in result.stderr


async def test_stdout_and_stdin_may_be_files(tmp_path):
    """For a look by hand: nothing needs a pipe."""
    script = write_script(tmp_path, "async def run(ctx):\n    await ctx.emit.item('a', {})\n")
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"run_id": "r", "attempt": 1, "job": {}}) + "\n")
    with request.open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "quarry.executor", script), stdin=stdin, stdout=stdout
        )
        async with asyncio.timeout(DEADLINE_S):
            assert await process.wait() == 0
    assert b"run_complete" in (tmp_path / "out").read_bytes()
