"""Order of the hooks, and what their failures do."""

from __future__ import annotations

import pytest

from tests.executor.support import run_single, write_script

TRACE = """
from quarry import Continue, Skip, TerminalEventError

async def note(ctx, text):
    try:
        await ctx.emit.info(text)
    except TerminalEventError:
        print("late:" + text, flush=True)

def prepare(job, run):
    print(f"prepare {job} {run.run_id}", flush=True)
    if "skip" in job:
        return Skip(job["skip"])
    fail(job, "prepare")
    return Continue({**job, "prepared": True})

def fail(job, name):
    if job.get("fail") == name:
        raise ValueError(name + " failed")

async def before_run(ctx):
    await note(ctx, "before_run")
    fail(ctx.job, "before_run")

async def run(ctx):
    await note(ctx, f"run {ctx.job.get('prepared')}")
    fail(ctx.job, "run")

async def after_run(ctx):
    await note(ctx, "after_run")
    fail(ctx.job, "after_run")

async def on_error(error, ctx):
    await note(ctx, f"on_error {error}")
    if ctx.job.get("also") == "on_error":
        raise TypeError("on_error failed")

async def before_terminal(signal, ctx):
    await note(ctx, f"before_terminal {signal.outcome} {signal.error}")
    if ctx.job.get("also") == "before_terminal":
        raise TypeError("before_terminal failed")

async def cleanup(ctx):
    await note(ctx, "cleanup")
    if ctx.job.get("also") == "cleanup":
        raise TypeError("cleanup failed")
"""


def said(result):
    """Log messages in order, then the terminal event."""
    return [log["message"] for log in result.logs()] + result.types[-1:]


@pytest.mark.clause("EMIT-17")
@pytest.mark.clause("EMIT-18")
async def test_hooks_are_called_in_order(tmp_path):
    """prepare's job becomes ctx.job; cleanup comes after the terminal event and can emit nothing."""
    result = await run_single(write_script(tmp_path, TRACE), job={"a": 1})
    assert result.code == 0
    assert said(result) == [
        "before_run",
        "run True",
        "after_run",
        "before_terminal completed None",
        "run_complete",
    ]
    assert result.stderr.split("\n")[:2] == ["prepare {'a': 1} run-1", "late:cleanup"]


@pytest.mark.clause("EMIT-19")
@pytest.mark.parametrize(
    ("failing", "before"),
    [
        ("before_run", ["before_run"]),
        ("run", ["before_run", "run True"]),
        ("after_run", ["before_run", "run True", "after_run"]),
    ],
)
async def test_a_failure_takes_the_error_path(tmp_path, failing, before):
    """on_error, before_terminal, run_error, cleanup."""
    result = await run_single(write_script(tmp_path, TRACE), job={"fail": failing})
    assert result.code == 1
    assert said(result) == [
        *before,
        f"on_error {failing} failed",
        f"before_terminal error {failing} failed",
        "run_error",
    ]
    assert result.outcome["message"] == f"{failing} failed"
    assert "late:cleanup" in result.stderr


@pytest.mark.clause("EMIT-18")
async def test_a_failing_prepare_is_a_crash(tmp_path):
    """No event, no other hook, exit 2."""
    result = await run_single(write_script(tmp_path, TRACE), job={"fail": "prepare"})
    assert (result.code, result.events) == (2, [])
    assert result.outcome["status"] == "crash"
    assert result.outcome["error_type"] == "ValueError"
    assert result.outcome["message"] == "prepare failed: ValueError: prepare failed"
    assert "late" not in result.stderr


@pytest.mark.clause("EMIT-18")
async def test_a_skip_calls_nothing_else(tmp_path):
    """It ends complete, with the reason in the summary."""
    result = await run_single(write_script(tmp_path, TRACE), job={"skip": "seen"})
    assert result.code == 0
    assert [event.payload for event in result.events] == [{"summary": {"skipped": True, "reason": "seen"}}]
    assert result.outcome == {"status": "completed", "message": "skipped: seen"}
    assert "late" not in result.stderr


@pytest.mark.clause("EMIT-18")
@pytest.mark.parametrize("answer", ["None", "job", "True"])
async def test_prepare_must_return_a_decision(tmp_path, answer):
    """Anything else is a crash that says what is due."""
    source = f"def prepare(job, run):\n    return {answer}\nasync def run(ctx):\n    pass\n"
    result = await run_single(write_script(tmp_path, source))
    assert result.code == 2
    assert "must return Continue(job) or Skip(reason)" in result.outcome["message"]


@pytest.mark.clause("EMIT-20")
@pytest.mark.parametrize("fail", [None, "run"])
@pytest.mark.parametrize("hook", ["on_error", "before_terminal", "cleanup"])
async def test_failures_of_late_hooks_are_told_and_change_nothing(tmp_path, fail, hook):
    """As a log event before the terminal event, on stderr after it."""
    result = await run_single(write_script(tmp_path, TRACE), job={"fail": fail, "also": hook})
    assert result.code == (1 if fail else 0)
    assert result.types[-1] == ("run_error" if fail else "run_complete")
    if hook == "on_error" and not fail:
        return
    message = f"hook {hook} failed: TypeError: {hook} failed"
    told = [log for log in result.logs() if log["message"] == message]
    if hook == "cleanup":
        assert not told
        assert message in result.stderr
    else:
        assert told[0]["level"] == "error"
        assert told[0]["fields"]["hook"] == hook


@pytest.mark.clause("EMIT-17")
async def test_before_terminal_is_not_called_after_the_scripts_own_terminal(tmp_path):
    """after_run and cleanup still are."""
    source = TRACE.replace(
        'await note(ctx, f"run {', 'await ctx.emit.run_complete(); await note(ctx, f"run {'
    )
    result = await run_single(write_script(tmp_path, source))
    assert said(result) == ["before_run", "run_complete"]
    assert [line for line in result.stderr.splitlines() if line.startswith("late:")] == [
        "late:run True",
        "late:after_run",
        "late:cleanup",
    ]


@pytest.mark.clause("EMIT-09")
async def test_a_hook_may_emit_the_terminal_event(tmp_path):
    """on_error that completes the run decides how it ends."""
    source = """
async def run(ctx):
    raise ValueError("recoverable")
async def on_error(error, ctx):
    await ctx.emit.run_complete({"recovered": True})
"""
    result = await run_single(write_script(tmp_path, source))
    assert (result.code, result.types) == (0, ["run_complete"])
    assert result.events[0].payload == {"summary": {"recovered": True}}


@pytest.mark.clause("EMIT-09")
async def test_an_exception_whose_text_cannot_be_made(tmp_path):
    """Even that is described."""
    source = """
class Odd(Exception):
    def __str__(self):
        raise RuntimeError
async def run(ctx):
    raise Odd("\\ud800")
"""
    result = await run_single(write_script(tmp_path, source))
    assert result.code == 1
    assert result.events[0].payload["error_type"] == "Odd"
    assert "can't be made" in result.events[0].payload["message"]


@pytest.mark.clause("EMIT-17")
async def test_plain_hooks_and_coroutines_are_both_called(tmp_path):
    """A plain function that returns a coroutine is awaited too."""
    source = """
async def later(ctx):
    await ctx.emit.info("awaited")
def before_run(ctx):
    return later(ctx)
async def run(ctx):
    pass
def after_run(ctx):
    print("plain after_run")
"""
    result = await run_single(write_script(tmp_path, source))
    assert said(result) == ["awaited", "run_complete"]
    assert "plain after_run" in result.stderr
