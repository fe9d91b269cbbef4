"""The table of bad input: exit code, message, nothing on standard output but a result, nothing lost.

``REFUSED`` are refused before anything is written. ``FAILING`` are runs that start and fail: their result and
their record say how, and what they emitted before is kept.
"""

from __future__ import annotations

import json
import os
import resource
import stat
import sys
from collections.abc import Mapping  # noqa: TC003 - a field's annotation
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

import quarry.lode
from tests.cli.commands import quarry as command
from tests.cli.commands import tree_of
from tests.lode.mounts import mounted


class Refused(NamedTuple):
    """Arguments, what the message must say, and the files and variables that the case needs."""

    arguments: tuple[str | bytes, ...]
    parts: tuple[str, ...]
    files: Mapping[str, str | bytes] = MappingProxyType({})
    env: Mapping[str, str] = MappingProxyType({})


RUN = ("run", "one.py")

REFUSED = {
    # the command line
    "no command": Refused((), ("Usage: quarry",)),
    "unknown command": Refused(("rnu",), ("no such command 'rnu'", "did you mean run?")),
    "unknown subcommand": Refused(("inspect", "crwal", "x"), ("did you mean crawl?",)),
    "unknown flag": Refused((*RUN, "--dpeth", "1"), ("no such option --dpeth", "did you mean --depth?")),
    "unknown flag like nothing": Refused((*RUN, "--zzzzzz"), ("no such option --zzzzzz",)),
    "flag without value": Refused((*RUN, "--depth"), ("--depth", "requires an argument")),
    "too many arguments": Refused((*RUN, "http://x/", "more"), ("unexpected extra argument", "more")),
    "no script": Refused(("run",), ("no script", "quarry run SCRIPT URL")),
    "script not there": Refused(("run", "two.py"), ("script 'two.py'", "no such script", "looked for")),
    "script is a folder": Refused(("run", "folder"), ("no such script",), {"folder/x": ""}),
    "script twice": Refused((*RUN, "--script", "one.py"), ("SCRIPT 'one.py' and --script 'one.py'",)),
    "empty script": Refused(("run", ""), ("no script",)),
    "script that is no UTF-8": Refused(("run", b"\xff.py"), ("no such script",)),
    # values
    "depth is no number": Refused((*RUN, "--depth", "deep"), ("--depth: must be a whole number", "not 'deep'")),
    "depth below 0": Refused((*RUN, "--depth", "-1"), ("--depth",)),
    "depth is a fraction": Refused((*RUN, "--depth", "1.5"), ("--depth",)),
    "max-runs of 0": Refused((*RUN, "--max-runs", "0"), ("--max-runs: must be a whole number from 1",)),
    "parallel of 0": Refused((*RUN, "--parallel", "0"), ("--parallel: must be a whole number from 1 to 4096",)),
    "parallel beyond bounds": Refused((*RUN, "--parallel", "4097"), ("--parallel",)),
    "max-attempts of 0": Refused((*RUN, "--max-attempts", "0"), ("--max-attempts",)),
    "max-redeliveries below 0": Refused((*RUN, "--max-redeliveries=-1"), ("--max-redeliveries",)),
    "max-failures beyond 100 %": Refused((*RUN, "--max-failures", "101%"), ("--max-failures",)),
    "timeout of 0": Refused((*RUN, "--timeout", "0s"), ("--timeout: must be longer than 0",)),
    "timeout in days": Refused((*RUN, "--timeout", "1d"), ("--timeout: must be a duration such as",)),
    "timeout too long": Refused((*RUN, "--timeout", "169h"), ("7 days",)),
    "unknown policy": Refused((*RUN, "--policy", "lax"), ("--policy: must be strict",)),
    "unknown backend": Refused((*RUN, "--storage-backend", "s3"), ("--storage-backend: must be fs",)),
    "unknown format": Refused((*RUN, "--format", "jason"), ("--format", "did you mean json?")),
    "run id with a slash": Refused((*RUN, "--run-id", "../x"), ("--run-id: must be",)),
    "run id of dots": Refused((*RUN, "--run-id", ".."), ("--run-id",)),
    "attempt without parent": Refused((*RUN, "--attempt", "2"), ("needs --parent-run-id",)),
    "parent without attempt": Refused((*RUN, "--parent-run-id", "p"), ("needs --attempt 2",)),
    "dataset with dots": Refused((*RUN, "--dataset", ".."), ("--dataset: must be one folder name",)),
    "dataset with a slash": Refused((*RUN, "--dataset", "../../x"), ("--dataset",)),
    "dataset that is too long": Refused((*RUN, "--dataset", "x" * 201), ("--dataset",)),
    "empty source": Refused((*RUN, "--source", ""), ("--source: must not be empty",)),
    "source of dots": Refused((*RUN, "--source", ".."), ("--source",)),
    "source with a line end": Refused((*RUN, "--source", "a\nb"), ("--source", "control characters", "'a\\nb'")),
    "source that is no UTF-8": Refused((*RUN, "--source", b"a\xff"), ("--source", "not UTF-8")),
    "storage elsewhere": Refused((*RUN, "--storage-path", "s3://bucket/x"), ("--storage-path", "path on this machine")),
    "quiet and verbose": Refused((*RUN, "--quiet", "--verbose"), ("--quiet and --verbose",)),
    # the job
    "job that is no JSON": Refused((*RUN, "--job", "{"), ("--job: is not JSON: line 1, column 2",)),
    "empty job": Refused((*RUN, "--job", ""), ("--job", "it is empty")),
    "job that is an array": Refused((*RUN, "--job", "[1]"), ("must be a JSON object", "not an array")),
    "job with NaN": Refused((*RUN, "--job", '{"a": NaN}'), ("--job: line 1, column 7: NaN is not JSON",)),
    "job with a number too large": Refused((*RUN, "--job", '{"a": 1e999}'), ("the number is too large",)),
    "job with a key twice": Refused((*RUN, "--job", '{"a": 1, "a": 2}'), ('the key "a" stands twice',)),
    "job with half a surrogate pair": Refused((*RUN, "--job", '{"a": "\\ud800"}'), ("surrogate",)),
    "job that is too deep": Refused((*RUN, "--job", '{"a": ' + "[" * 300 + "]" * 300 + "}"), ("levels deep",)),
    "job and URL": Refused((*RUN, "http://x/", "--job", "{}"), ("the URL argument and --job each",)),
    "job twice": Refused((*RUN, "--job", "{}", "--job-json", "j.json"), ("--job and --job-json each",)),
    "URL with a blank": Refused((*RUN, "http://x/ y"), ("URL: must not be empty",)),
    "job file not there": Refused((*RUN, "--job", "@nope.json"), ("--job @nope.json: can't be read: No such file",)),
    "job file without name": Refused((*RUN, "--job", "@"), ("name a file after the @",)),
    "job file with a fault": Refused((*RUN, "--job-json", "j.json"), ("--job-json j.json: is not JSON: line 2, column 1",), {"j.json": '{"a":\n}'}),
    "job file that is no UTF-8": Refused((*RUN, "--job-json", "j.json"), ("is not UTF-8 (byte 6)",), {"j.json": b'{"a":"\xff"}'}),
    # seeds
    "seeds and job": Refused((*RUN, "--seeds", "s.txt", "--job", "{}"), ("--job and --seeds each",), {"s.txt": "http://x/\n"}),
    "seeds not there": Refused((*RUN, "--seeds", "s.txt"), ("--seeds: there is no file",)),
    "seeds with blanks in a URL": Refused((*RUN, "--seeds", "s.txt"), ("s.txt:2:", "blanks"), {"s.txt": "http://x/\na b\n"}),
    "seeds with NaN": Refused((*RUN, "--seeds", "s.txt"), ("s.txt:1:", "NaN"), {"s.txt": '{"a": NaN}\n'}),
    "seeds with a torn job": Refused((*RUN, "--seeds", "s.txt"), ("s.txt:3:", "not JSON"), {"s.txt": 'http://x/\n\n{"a": \n'}),
    "seeds that are no UTF-8": Refused((*RUN, "--seeds", "s.txt"), ("s.txt:1:", "not UTF-8"), {"s.txt": b"http://\xff/\n"}),
    "seeds without a seed": Refused((*RUN, "--seeds", "s.txt"), ("no seeds in it",), {"s.txt": "\n \n"}),
    # the file, the environment
    "config not there": Refused((*RUN, "--config", "c.yaml"), ("--config c.yaml: can't be read",)),
    "config that is no YAML": Refused((*RUN, "--config", "c.yaml"), ("--config c.yaml:2:", "is not YAML"), {"c.yaml": "a: 1\n b: 2\n"}),
    "config with unknown key": Refused((*RUN, "--config", "c.yaml"), ("c.yaml:2: storage.pth: unknown key; did you mean path?",), {"c.yaml": "storage:\n  pth: x\n"}),
    "config with a key twice": Refused((*RUN, "--config", "c.yaml"), ("c.yaml:2: depth: stands twice",), {"c.yaml": "depth: 1\ndepth: 2\n"}),
    "config with an unset variable": Refused((*RUN, "--config", "c.yaml"), ("c.yaml:1: source: the variable NOPE is not set",), {"c.yaml": "source: ${NOPE}\n"}),
    "config with a script that is not there": Refused(("run", "shop", "--config", "c.yaml"), ("'scripts:' names", "which is not there"), {"c.yaml": "scripts: {shop: gone.py}\n"}),
    "variable with a wrong value": Refused(RUN, ("QUARRY_PARALLEL: must be a whole number",), {}, {"QUARRY_PARALLEL": "many"}),
    "config of a command that reads": Refused(("list", "runs", "--config", "c.yaml"), ("unknown key",), {"c.yaml": "x: 1\n"}),
    # places
    "storage below a file": Refused((*RUN, "--storage-path", "file/data"), ("--storage-path:", "file is a file, not a folder"), {"file": ""}),
    "storage is a file": Refused((*RUN, "--storage-path", "file"), ("file is a file, not a folder",), {"file": ""}),
    "state folder is a file": Refused(RUN, ("QUARRY_STATE_DIR", "not a folder"), {"file": ""}, {"QUARRY_STATE_DIR": "file"}),
    "executor not there": Refused((*RUN, "--executor", "nope"), ("--executor: there is no file",)),
    "executor not executable": Refused((*RUN, "--executor", "one.py"), ("is not executable",)),
    "resolve-from not there": Refused((*RUN, "--resolve-from", "nope"), ("--resolve-from: there is no folder",)),
    "report in no folder": Refused((*RUN, "--report", "no/r.json"), ("--report: there is no folder",)),
    "report is a folder": Refused((*RUN, "--report", "."), ("--report:", "is a folder")),
    # commands that read
    "unknown state": Refused(("list", "runs", "--state", "falied"), ("--state", "did you mean failed?")),
    "day that is none": Refused(("list", "runs", "--day", "yesterday"), ("--day: must be a UTC day",)),
    "limit below 0": Refused(("inspect", "crawl", "x", "--limit=-1"), ("--limit",)),
    "depth limit that is no number": Refused(("inspect", "crawl", "x", "--depth-limit", "x"), ("--depth-limit",)),
}  # fmt: skip


@pytest.mark.clause("CLI-01", "CLI-04", "CLI-05", "CLI-06", "CLI-10", "CLI-11", "CLI-12", "CLI-24")
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_refused_before_anything_is_written(work, case):
    """Exit code 64, one message with place and mend, nothing on standard output, nothing on the disk."""
    for name, content in case.files.items():
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = tree_of(work)
    done = command(*case.arguments, cwd=work, env=case.env)
    assert done.code == 64, done
    assert done.out == ""
    assert "Traceback" not in done.err
    for part in case.parts:
        assert part in done.err
    assert tree_of(work) == before
    state = work.parent / "state"
    assert [path for path in state.rglob("*") if path.is_file() and path.suffix != ".ndjson"] == []


def fails(body: str, code: int, outcome: str, *parts: str) -> tuple[str, int, str, tuple[str, ...]]:
    return body, code, outcome, parts


EMITTED = (
    'from quarry import Context\nasync def run(ctx: Context):\n    await ctx.emit.item("kept", {"n": 1})\n'
)

FAILING = {
    # scripts that can't be loaded
    "syntax error": fails("async def run(ctx:\n", 2, "executor_crash", "SyntaxError"),
    "import of what is not there": fails("import no_such_module\nasync def run(ctx): ...\n", 2, "executor_crash", "no_such_module"),
    "error while loading": fails("raise RuntimeError('at import')\n", 2, "executor_crash", "at import"),
    "exit while loading": fails("import sys\nsys.exit(0)\n", 2, "executor_crash"),
    "no run": fails("x = 1\n", 2, "executor_crash", "run"),
    "run is no function": fails("run = 3\n", 2, "executor_crash", "run"),
    "run is no coroutine": fails("def run(ctx):\n    return 1\n", 2, "executor_crash", "run"),
    "hook is no function": fails("prepare = 3\nasync def run(ctx): ...\n", 2, "executor_crash", "prepare"),
    # hooks that misbehave
    "prepare throws": fails("def prepare(job, run):\n    raise ValueError('not today')\nasync def run(ctx): ...\n", 2, "executor_crash", "not today"),
    "prepare gives nothing": fails("def prepare(job, run):\n    return None\nasync def run(ctx): ...\n", 2, "executor_crash", "prepare"),
    # what can't be emitted; what was emitted before is kept
    "NaN": fails(EMITTED + '    await ctx.emit.item("x", {"price": float("nan")})\n', 1, "script_error", "script.py:4"),
    "infinity": fails(EMITTED + '    await ctx.emit.enqueue("x.py", {"a": [float("inf")]})\n', 1, "script_error", "script.py:4"),
    "key that is no text": fails(EMITTED + '    await ctx.emit.item("x", {1: 2})\n', 1, "script_error", "script.py:4"),
    "bytes in an item": fails(EMITTED + '    await ctx.emit.item("x", {"a": b"x"})\n', 1, "script_error", "script.py:4"),
    "item of 17 MiB": fails(EMITTED + '    await ctx.emit.item("x", {"a": "y" * (17 << 20)})\n', 1, "script_error", "16"),
    "file name with dots": fails(EMITTED + '    await ctx.storage.put("..", b"x", "text/plain")\n', 1, "script_error", ".."),
    "file name with a slash": fails(EMITTED + '    await ctx.storage.put("../../x", b"x", "text/plain")\n', 1, "script_error", "../../x"),
    "file of 9 MiB": fails(EMITTED + '    await ctx.storage.put("x", bytes(9 << 20), "x/y")\n', 1, "script_error", "8"),
    "emit after the end": fails(EMITTED + '    await ctx.emit.run_complete()\n    await ctx.emit.item("x", {})\n', 0, "success"),
    "script throws": fails(EMITTED + "    raise RuntimeError('\\x1b[31mred')\n", 1, "script_error", "red"),
    "script kills its process": fails(EMITTED + "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n", 2, "executor_crash", "SIGKILL"),
    "script exits its process": fails(EMITTED + "    import os\n    os._exit(0)\n", 2, "executor_crash"),
    "script that does not end": fails(EMITTED + "    import asyncio\n    await asyncio.sleep(1000)\n", 2, "executor_crash", "deadline"),
    "script writes to frames": fails(EMITTED + "    import os\n    os.write(1, b'\\xff' * 64)\n", 0, "success"),
}  # fmt: skip


@pytest.mark.clause("CLI-16", "CLI-20", "CLI-23", "CLI-24")
@pytest.mark.parametrize("case", FAILING.values(), ids=FAILING)
def test_run_that_fails_says_how_and_keeps_what_it_emitted(work, case):
    """Exit code, result and record agree; no traceback; nothing half on the disk."""
    body, code, outcome, parts = case
    (work / "script.py").write_text(body)
    timeout = "2s" if "sleep(1000)" in body else "60s"
    done = command("run", "script.py", "--storage-path", "data", "--timeout", timeout, cwd=work)
    assert done.code == code, done
    result = done.document
    assert (result["outcome"], result["exit_code"]) == (outcome, code)
    assert "Traceback" not in done.err
    assert "\x1b" not in done.out + done.err
    for part in parts:
        assert part in result["message"], result
    assert result["message"] or code == 0
    reader = quarry.lode.open(work / "data")
    [record] = reader.runs()
    assert (record.outcome.status, record.run_id) == (outcome, result["run_id"])
    assert len(reader.scan("item")) == ("emit.item" in body)
    assert reader.verify() == []
    assert reader.orphans() == []


def executor_of(folder: Path, body: str) -> Path:
    """A foreign executor in Python; ``frame(length, bytes)`` and ``event(seq, type, payload)`` are at hand."""
    path = folder / "executor"
    path.write_text(
        f"#!{sys.executable}\n"
        "import json, struct, sys\n"
        "import msgpack\n"
        "request = json.loads(sys.stdin.readline())\n"
        "def frame(length, data):\n"
        "    sys.stdout.buffer.write(struct.pack('>I', length) + data)\n"
        "    sys.stdout.buffer.flush()\n"
        "def event(seq, type, payload, **more):\n"
        "    data = msgpack.packb({'contract_version': '1.0', 'event_id': str(seq), 'run_id': request['run_id'],\n"
        "        'seq': seq, 'type': type, 'ts': '2026-01-01T00:00:00.000Z', 'payload': payload,\n"
        "        'attempt': request['attempt'], **more})\n"
        "    frame(len(data), data)\n"
        "event(1, 'item', {'item_type': 'kept', 'data': {}})\n" + body
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


FOREIGN = {
    "frame of 17 MiB": ("frame(17 << 20, bytes(17 << 20))", 2, "executor_crash"),
    "frame of garbage": ("frame(4, b'\\xc1\\xc1\\xc1\\xc1')", 2, "executor_crash"),
    "torn frame": ("frame(100, b'x')", 2, "executor_crash"),
    "gap in seq": ("event(3, 'item', {'item_type': 'x', 'data': {}})", 2, "executor_crash"),
    "another run": ("event(2, 'log', {}, run_id='other')", 2, "executor_crash"),
    "another contract": ("event(2, 'log', {}, contract_version='99')", 3, "version_mismatch"),
    "no terminal event": ("", 2, "executor_crash"),
}  # fmt: skip


@pytest.mark.clause("CLI-23")
@pytest.mark.parametrize("case", FOREIGN.values(), ids=FOREIGN)
def test_executor_that_breaks_the_wire_ends_its_run_and_loses_nothing(work, case):
    """What it had sent before is kept under an outcome that says what happened."""
    body, code, outcome = case
    executor = executor_of(work, body)
    done = command("run", "one.py", "--storage-path", "data", "--executor", executor, cwd=work)
    assert done.code == code, done
    assert done.document["outcome"] == outcome
    assert done.document["message"]
    assert "Traceback" not in done.err
    reader = quarry.lode.open(work / "data")
    assert [record.outcome.status for record in reader.runs()] == [outcome]
    assert len(reader.scan("item")) == 1
    assert reader.verify() == []


@pytest.mark.clause("CLI-23")
@pytest.mark.parametrize("program", ["/bin/true", "/bin/cat", "/bin/false"])
def test_program_that_is_no_executor_is_a_crash(work, program):
    """Whatever its exit code."""
    done = command("run", "one.py", "--executor", program, cwd=work)
    assert (done.code, done.document["outcome"]) == (
        {"/bin/false": 1}.get(program, 2),
        {"/bin/false": "script_error"}.get(program, "executor_crash"),
    )
    assert done.document["message"]


BIG = """
import os
from quarry import Context

async def run(ctx: Context) -> None:
    for n in range(200):
        await ctx.emit.item("big", {"n": n, "pad": os.urandom(20_000).hex()})
"""


@pytest.mark.clause("CLI-23", "CLI-24")
def test_full_disk_fails_the_run_and_names_the_cause(work, tmp_path):
    """As policy_failure where the record can still be put, else as exit code 4; nothing half is visible."""
    (work / "big.py").write_text(BIG)
    with mounted(tmp_path / "small", "size=1m") as folder:
        done = command("run", "big.py", "--storage-path", folder, cwd=work)
        assert done.code in {3, 4}, done
        assert "space" in done.err + done.out
        assert "Traceback" not in done.err
        if done.code == 3:
            assert done.document["outcome"] == "policy_failure"
        assert quarry.lode.open(folder).verify() == []


@pytest.mark.clause("CLI-23", "CLI-24")
def test_file_size_limit_fails_the_run_and_names_the_cause(work):
    """As a full disk does, where no tmpfs can be mounted."""
    (work / "big.py").write_text(BIG)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = command("run", "big.py", "--storage-path", "data", cwd=work, preexec_fn=limit)
    assert done.code in {3, 4}, done
    assert "Traceback" not in done.err
    assert quarry.lode.open(work / "data").verify() == []


@pytest.mark.clause("CLI-05")
def test_read_only_storage_is_refused(work, tmp_path):
    """Before anything is started."""
    with mounted(tmp_path / "ro", "size=1m,ro") as folder:
        done = command("run", "one.py", "--storage-path", folder / "data", cwd=work)
        assert (done.code, done.out) == (64, "")
        assert "--storage-path: this user may not write" in done.err


@pytest.mark.clause("CLI-05")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder_is_refused(work):
    """As a user who may not write there."""
    (work / "locked").mkdir(mode=0o500)
    done = command("run", "one.py", "--storage-path", "locked/data", cwd=work)
    assert (done.code, done.out) == (64, "")
    assert "may not write" in done.err


@pytest.mark.clause("CLI-05")
def test_run_id_that_is_taken_is_refused_and_its_record_stays(work):
    """The second command writes nothing into the dataset."""
    assert command("run", "one.py", "--run-id", "r1", "--storage-path", "data", cwd=work).code == 0
    before = tree_of(work / "data")
    done = command("run", "one.py", "--run-id", "r1", "--storage-path", "data", cwd=work)
    assert (done.code, done.out) == (64, "")
    assert "--run-id r1" in done.err
    assert tree_of(work / "data") == before


@pytest.mark.clause("CLI-24")
def test_full_disk_behind_standard_output_is_told_and_the_run_is_kept(work):
    """The data are not lost with the result."""
    with open("/dev/full", "wb") as full:
        import subprocess

        env = {
            **os.environ,
            "XDG_STATE_HOME": str(work.parent / "state"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        done = subprocess.run(
            [sys.executable, "-m", "quarry.cli", "run", "one.py"],
            cwd=work,
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    assert done.returncode == 70
    assert b"can't be written to standard output: No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert len(quarry.lode.open(work / "quarry-data").runs()) == 1


def test_table_has_at_least_forty_cases():
    """What the contract asks for, counted."""
    assert len(REFUSED) + len(FAILING) + len(FOREIGN) >= 40
    assert json.dumps(sorted({*REFUSED, *FAILING, *FOREIGN}))
