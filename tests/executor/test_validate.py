"""Scripts that can't be used, and ``--validate``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.executor.support import run_single, write_script

UNUSABLE = {
    "has no 'run'; it needs: async def run(ctx)": "x = 1\n",
    "'run' of script {script} is a plain function": "def run(ctx):\n    return 5\n",
    "'run' of script {script} is a int": "run = 5\n",
    "is an async generator": "async def run(ctx):\n    yield 1\n",
    "'run' of script {script} is called with 1 argument, which run() does not take": "async def run():\n    pass\n",
    "'cleanup' of script {script} is a int; a hook must be a function": "async def run(ctx):\n    pass\ncleanup = 5\n",
    "'after_run' of script {script} is a NoneType": "async def run(ctx):\n    pass\nafter_run = None\n",
    "'on_error' of script {script} is a type": "async def run(ctx):\n    pass\nclass on_error:\n    pass\n",
    "'prepare' of script {script} is called with 2 arguments, which prepare(job)": (
        "async def run(ctx):\n    pass\ndef prepare(job):\n    pass\n"
    ),
    "SyntaxError: ": "async def run(ctx:\n",
    "ModuleNotFoundError: No module named 'not_there' ({script}:2)": "\nimport not_there\n",
    "ZeroDivisionError: division by zero ({script}:3)": "def f():\n    pass\n1 / 0\nasync def run(ctx):\n    pass\n",
    "SystemExit: 3 ({script}:1)": "raise SystemExit(3)\n",
    "SyntaxError: source code": "\0",
}


@pytest.mark.clause("EMIT-21")
@pytest.mark.parametrize("message", UNUSABLE)
async def test_an_unusable_script_is_a_crash_before_any_event(tmp_path, message):
    """Exit 2; the one-line reason names the file, and the line where there is one."""
    script = write_script(tmp_path, UNUSABLE[message])
    result = await run_single(script)
    assert result.code == 2
    assert result.events == []
    assert result.outcome["status"] == "crash"
    assert message.format(script=script) in result.outcome["message"]
    assert script in result.outcome["message"]
    assert "\n" not in result.outcome["message"]


@pytest.mark.clause("EMIT-21")
async def test_a_missing_script(tmp_path):
    """Named with the reason."""
    result = await run_single(str(tmp_path / "absent.py"))
    assert result.code == 2
    assert result.outcome["message"] == f"can't read script {tmp_path}/absent.py: No such file or directory"


async def validate(script, **env):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "quarry.executor", "--validate", script),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **env},
    )
    stdout, _ = await process.communicate()
    assert stdout.endswith(b"\n")
    assert stdout.count(b"\n") == 1
    return process.returncode, json.loads(stdout)


async def test_a_valid_script_names_its_hooks(tmp_path):
    """What it prints while loading stays off stdout; nothing is run."""
    source = """
import functools
print("loading")
async def run(ctx):
    raise RuntimeError
def cleanup(ctx): pass
async def prepare(job, run): pass
on_error = functools.partial(print, "error")
"""
    assert await validate(write_script(tmp_path, source)) == (
        0,
        {"valid": True, "exports": {"default": True, "hooks": ["prepare", "on_error", "cleanup"]}},
    )


@pytest.mark.parametrize("message", UNUSABLE)
async def test_an_invalid_script_says_why(tmp_path, message):
    """The same sentence as in a run."""
    script = write_script(tmp_path, UNUSABLE[message])
    code, answer = await validate(script)
    assert code == 1
    assert answer["valid"] is False
    assert message.format(script=script) in answer["error"]


async def test_imports_are_found_beside_the_script_and_in_the_resolve_folders(tmp_path):
    """Not in the working directory."""
    write_script(tmp_path / "scripts", "value = 1\n", "helper.py")
    write_script(tmp_path / "shared", "value = 2\n", "common.py")
    script = write_script(
        tmp_path / "scripts", "import helper, common\nasync def run(ctx):\n    pass\n", "main.py"
    )
    code, answer = await validate(script)
    assert (code, "No module named 'common'" in answer["error"]) == (1, True)
    code, _ = await validate(script, QUARRY_RESOLVE_FROM=f"{tmp_path}:{tmp_path / 'shared'}")
    assert code == 0
