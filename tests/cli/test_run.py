"""``quarry run``: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quarry.cli.result_view import result_document, result_lines
from quarry.types import Counts, RunResult
from tests.cli.commands import quarry, tree_of

RESULT_KEYS = {
    "run_id",
    "crawl",
    "attempt",
    "outcome",
    "exit_code",
    "message",
    "event_count",
    "policy",
    "storage",
    "duration_ms",
    "fanout",
    "failures",
    "rows",
    "warnings",
}

FANOUT_KEYS = {
    "seeds",
    "received",
    "admitted",
    "duplicate",
    "beyond_depth",
    "over_cap",
    "replayed",
    "pending",
    "leased",
    "committing",
    "succeeded",
    "failed",
    "not_executed",
    "unread",
    "redeliveries",
    "max_depth_seen",
}


@pytest.mark.clause("CLI-16", "CLI-17", "CLI-19", "CLI-22", "CLI-23")
def test_single_run_prints_one_object_and_its_log_first(work):
    """Standard output is the result; standard error starts with the log, which is NDJSON."""
    done = quarry("run", "one.py", "http://x/1", "--run-id", "r1", cwd=work)
    result = done.document
    assert (done.code, result["exit_code"], result["outcome"], result["fanout"]) == (0, 0, "success", None)
    assert set(result) >= RESULT_KEYS
    assert (result["run_id"], result["crawl"]) == ("r1", "r1")
    assert result["storage"] == {"backend": "fs", "path": str(work / "quarry-data"), "dataset": "quarry"}
    assert result["rows"]["item"] == 1
    first = done.err.splitlines()[0]
    assert first.startswith(f"log: {work.parent}/state/quarry/logs/run-")
    events = [json.loads(line) for line in Path(first.removeprefix("log: ")).read_text().splitlines()]
    assert "run.finished" in {event["event"] for event in events}


@pytest.mark.clause("CLI-03", "CLI-10")
def test_job_comes_from_url_flag_or_file(work):
    """Each in its own way, the same object."""
    (work / "j.json").write_text('{"url": "http://x/"}')
    ways = (["http://x/"], ["--job", '{"url": "http://x/"}'], ["--job", "@j.json"], ["--job-json", "j.json"])
    for arguments in ways:
        quarry("run", "one.py", *arguments, cwd=work)
    jobs = [run["run_id"] for run in quarry("list", "runs", cwd=work).document]
    assert len(jobs) == 4
    assert all(
        quarry("inspect", "run", run, cwd=work).document["job"] == {"url": "http://x/"} for run in jobs
    )


@pytest.mark.clause("CLI-16")
@pytest.mark.parametrize(("form", "start"), [("json", "{"), ("yaml", "run_id:"), ("table", "run ")])
def test_formats(work, form, start):
    """Chosen by flag."""
    assert quarry("run", "one.py", "--format", form, cwd=work).out.startswith(start)


@pytest.mark.clause("CLI-19")
def test_quiet_says_nothing_and_a_warning_is_part_of_the_result(work):
    """A warning is told all the same."""
    assert quarry("run", "one.py", "--quiet", cwd=work).err == ""
    done = quarry("run", "one.py", "--quiet", "--parallel", "3", cwd=work)
    assert done.err.startswith("warning: --parallel has no effect on a single run")
    assert done.document["warnings"] == [done.err.strip().removeprefix("warning: ")]


@pytest.mark.clause("CLI-18")
def test_query_of_the_summary_works_as_it_is_pasted(work):
    """In DuckDB, whatever characters the path has."""
    import duckdb

    done = quarry(
        "run", "one.py", "--format", "table", "--storage-path", "it's [here]", "--run-id", "a:b", cwd=work
    )
    query = next(line.strip() for line in done.out.splitlines() if line.strip().startswith("SELECT"))
    with duckdb.connect() as connection:
        [(run_id, seq, item_type, _)] = connection.execute(query).fetchall()
    assert (run_id, seq, item_type) == ("a:b", 1, "thing")
    command = next(line for line in done.out.splitlines() if line.startswith("inspect: "))
    import shlex

    assert quarry(*shlex.split(command)[2:], cwd=work).document["records"] == 1


def fanout_result(**more) -> RunResult:
    counts = Counts(
        seeds=1, received=10, admitted=6, duplicate=3, over_cap=1, succeeded=4, failed=2, max_depth_seen=2
    )
    values = {
        "run_id": "r", "crawl": "r", "attempt": 1, "outcome": "success", "exit_code": 0, "message": "", "event_count": 9, "policy": "strict",
        "storage": {"backend": "fs", "path": "/d", "dataset": "quarry"}, "duration_ms": 1234, "fanout": counts.fanout(), "rows": {"item": 4, "metrics": 6},
        "failures": [{"error_type": "HTTPError", "count": 2, "example": {"run_id": "r2", "message": "404\n\x1b[2Jgone"}}],
    }  # fmt: skip
    return RunResult(**{**values, **more})


@pytest.mark.clause("CLI-17")
def test_result_of_a_crawl_has_every_counter():
    """By the names of the contract."""
    assert set(result_document(fanout_result(), [])["fanout"]) == FANOUT_KEYS


@pytest.mark.clause("CLI-18", "CLI-20")
def test_summary_of_a_crawl_shows_equations_failures_and_where_to_look():
    """Nothing that data says moves the cursor."""
    lines = result_lines(fanout_result(), color=False)
    assert lines == [
        "crawl r  success  1.2 s",
        "  received 10 = admitted 6 + duplicate 3 + beyond_depth 0 + over_cap 1",
        "  admitted 6 = pending 0 + leased 0 + committing 0 + succeeded 4 + failed 2 + not_executed 0",
        "  seeds 1, unread 0, replayed 0, redeliveries 0, max_depth_seen 2",
        "  rows: item 4, metrics 6",
        "failures",
        "  HTTPError  2",
        "    r2: 404 / \\x1b[2Jgone",
        "data: /d/datasets/quarry",
        "query (DuckDB):",
        "  SELECT run_id, seq, item_type, data FROM read_parquet('/d/datasets/quarry/partitions/*/*/*/*/event_type=item/*.parquet', filename = true, hive_partitioning = false) WHERE parse_filename(filename) IN (SELECT parse_filename(unnest(files)) FROM read_parquet('/d/datasets/quarry/crawls/*/crawl=r/index.parquet') WHERE final);",
        "inspect: quarry inspect crawl r --storage-path /d",
    ]


def test_summary_without_rows_has_no_query():
    """There would be no file to read."""
    lines = result_lines(fanout_result(rows={"metrics": 6}, failures=[]), color=False)
    assert not any("SELECT" in line for line in lines)
    assert "failures" not in lines


@pytest.mark.clause("CLI-21")
def test_colors_only_where_they_are_wanted():
    """Outcome and headings."""
    assert "\x1b[32msuccess\x1b[0m" in result_lines(fanout_result(), color=True)[0]
    assert not any("\x1b" in line for line in result_lines(fanout_result(), color=False))


@pytest.mark.clause("CLI-25")
@pytest.mark.parametrize(
    ("body", "code", "valid"),
    [
        ("async def run(ctx): ...\n", 0, True),
        ("async def run(ctx:\n", 1, False),
        ("x = 1\n", 1, False),
        ("import nope\n", 1, False),
        ("prepare = 1\nasync def run(ctx): ...\n", 1, False),
    ],
)
def test_dry_run_says_whether_the_script_is_valid_and_writes_nothing(work, body, code, valid):
    """With the reason where it is not."""
    (work / "s.py").write_text(body)
    before = tree_of(work)
    done = quarry("run", "s.py", "--dry-run", cwd=work)
    assert (done.code, done.document["valid"]) == (code, valid)
    assert valid or done.document["error"]
    assert {k: v for k, v in tree_of(work).items() if "__pycache__" not in k} == before
    assert not (work.parent / "state").exists()


@pytest.mark.clause("CLI-25")
def test_dry_run_with_an_executor_that_does_not_start(work):
    """Executable, but nothing that the system can execute."""
    (work / "executor").write_bytes(b"\x7fELFnot really")
    (work / "executor").chmod(0o755)
    done = quarry("run", "one.py", "--dry-run", "--executor", "executor", cwd=work)
    assert (done.code, done.document["started"]) == (2, False)


@pytest.mark.clause("CLI-24")
def test_internal_error_leaves_its_traceback_in_a_file(work):
    """The user gets one line; here a file of the package itself is what breaks."""
    code = (
        "import sys\n"
        "import quarry.cli.run_input as broken\n"
        "def fail(*a):\n    raise ZeroDivisionError('hunter2')\n"
        "broken.load_run = fail\n"
        "sys.argv[1:] = ['run', 'one.py']\n"
        "from quarry.cli import main\n"
        "sys.exit(main())\n"
    )
    env = {**os.environ, "XDG_STATE_HOME": str(work / "state"), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=work, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (70, "")
    told = re.fullmatch(
        r"quarry run: internal error ZeroDivisionError; the traceback is in (\S+)\n", done.stderr
    )
    assert told
    assert "hunter2" in Path(told[1]).read_text()
    assert Path(told[1]).parent == work / "state/quarry/logs"


@pytest.mark.clause("CLI-16", "CLI-19", "CLI-21")
@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal_the_result_is_text(work, no_color):
    """In colours unless they are turned off."""
    leader, follower = pty.openpty()
    env = {
        **os.environ,
        "XDG_STATE_HOME": str(work / "state"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "TERM": "xterm",
    }
    env.pop("NO_COLOR", None)
    if no_color:
        env["NO_COLOR"] = "1"
    argv = [sys.executable, "-m", "quarry.cli", "run", "one.py"]
    with subprocess.Popen(
        argv, cwd=work, env=env, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        seen = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                data = os.read(leader, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        assert process.wait(30) == 0
    os.close(leader)
    assert seen.startswith(b"log: ")
    assert b"query (DuckDB):" in seen
    assert (b"\x1b[32msuccess" in seen) is not no_color


@pytest.mark.clause("CLI-16")
def test_reader_that_leaves_early_is_no_error(work):
    """As in ``quarry list runs | head -0``; a run's exit code stays what it was."""
    env = {**os.environ, "XDG_STATE_HOME": str(work / "state"), "PYTHONPATH": str(Path(__file__).parents[2])}
    for arguments in (["run", "one.py"], ["list", "runs"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run(
            [sys.executable, "-m", "quarry.cli", *arguments],
            cwd=work,
            env=env,
            stdout=write_end,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        os.close(write_end)
        assert done.returncode == 0, done.stderr
        assert b"Error" not in done.stderr


@pytest.mark.clause("CLI-16", "CLI-17", "CLI-18", "CLI-23", "CLI-28")
def test_small_crawl_prints_a_result_that_balances_and_a_query_that_works(work):
    """A root and three children, one of which fails; ``inspect`` shows the tree."""
    import duckdb

    (work / "root.py").write_text(
        "from quarry import Context\n"
        "async def run(ctx: Context):\n"
        "    for n in (0, 1, 2, 2):\n"
        '        await ctx.emit.enqueue("leaf.py", {"n": n})\n'
    )
    (work / "leaf.py").write_text(
        "from quarry import Context\n"
        "async def run(ctx: Context):\n"
        '    await ctx.emit.item("leaf", ctx.job)\n'
        '    if ctx.job["n"] == 1:\n'
        "        raise RuntimeError('leaf one')\n"
    )
    done = quarry(
        "run", "root.py", "--depth", "1", "--max-runs", "50", "--parallel", "2", "--run-id", "c1", cwd=work
    )
    assert done.code == 0, done.err
    fanout = done.document["fanout"]
    assert set(fanout) == FANOUT_KEYS
    assert (fanout["received"], fanout["admitted"], fanout["duplicate"]) == (5, 4, 1)
    assert (fanout["succeeded"], fanout["failed"]) == (3, 1)
    assert [failure["count"] for failure in done.document["failures"]] == [1]
    assert "\x1b" not in done.err

    text = quarry("inspect", "crawl", "c1", "--format", "table", cwd=work).out
    assert "received 5 = admitted 4 + duplicate 1 + beyond_depth 0 + over_cap 0" in text
    tree = quarry("inspect", "crawl", "c1", "--failed", cwd=work).document
    assert [(run["depth"], run["outcome"]) for run in tree["runs"]] == [(0, "success"), (1, "script_error")]
    result = RunResult(**{name: done.document[name] for name in RunResult.__struct_fields__})
    query = next(line for line in result_lines(result, color=False) if "SELECT" in line)
    with duckdb.connect() as connection:
        assert len(connection.execute(query).fetchall()) == 3
