"""Single-shot runs of a real foreign executor, well-behaved and otherwise."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from quarry.errors import ConfigError, LeaseLostError
from quarry.runtime import SingleShot
from quarry.types import Secret
from quarry.types.proxy import Endpoint
from tests.runtime.support import MemoryFiles, MemoryPolicy, alive, descendants, make_spec, rss_bytes, until


async def run(
    foreign, behaviour, *, policy=None, files=None, on_enqueue=None, cancel=None, env=None, **changes
):
    policy = policy if policy is not None else MemoryPolicy()
    report = await SingleShot(executor=foreign, env=env).execute(
        make_spec(behaviour, **changes),
        policy=policy,
        put_file=files if files is not None else MemoryFiles(),
        on_enqueue=on_enqueue,
        cancel=cancel,
    )
    return report, policy


@pytest.mark.clause("RUN-01")
@pytest.mark.clause("RUN-09")
async def test_good_run(foreign):
    """A run that completes is a success; its events reach the policy with complete lineage."""
    report, policy = await run(foreign, "good", depth=2, parent_run_id="p", root_run_id="r")
    assert (report.outcome.status, report.outcome.message, report.exit_code) == ("success", "", 0)
    assert policy.types() == ["item", "run_complete"]
    first = policy.events[0]
    assert (first.job_id, first.parent_run_id, first.root_run_id, first.depth) == ("job-7", "p", "r", 2)
    assert report.counters == {"item": 1, "run_complete": 1}
    assert policy.flushes == 1
    assert report.pid
    assert report.peak_rss_bytes > 1_000_000
    assert report.proxy_used == {"host": "h"}
    fields = json.loads(report.to_json())
    assert fields["outcome"]["status"] == "success"
    assert fields["started_at"].endswith("Z")


@pytest.mark.clause("IPC-03")
async def test_request_line(foreign, tmp_path, monkeypatch):
    """The request is one JSON line: absent options are left out; argv, environment and folder are as given."""
    monkeypatch.chdir(tmp_path)
    report, policy = await run(foreign, "echo", job={"url": "http://x/é"}, resolve_from="/opt/lib")
    got = policy.items()[0]["n"]
    assert got["request"] == {
        "run_id": "run-1",
        "attempt": 1,
        "job": {"url": "http://x/é"},
        "job_id": "job-7",
        "depth": 0,
        "contract_version": "1.0",
        "storage": {
            "dataset": "d",
            "source": "s",
            "category": "c",
            "day": "2026-01-31",
            "run_id": "run-1",
            "files_prefix": "p/files/T",
        },
    }
    assert got["env"]["QUARRY_RESOLVE_FROM"] == "/opt/lib"
    assert got["cwd"] == str(tmp_path)
    assert got["argv"] == ["echo"]
    assert report.outcome.status == "success"


OUTCOMES = [
    ("script_error", "script_error", "ValueError", "bad value", 1),
    ("silent_error", "script_error", "Hidden", "exited with code 1 without a run_error event: hidden", 1),
    ("error_event_exit_0", "script_error", "ValueError", "bad value", 0),
    ("load_failure", "executor_crash", "ModuleNotFoundError", "no such script", 2),
    ("load_failure_silent", "executor_crash", "executor_crash", "ImportError: no module named x", 2),
    ("bad_input", "executor_crash", "bad_input", "usage: what?", 3),
    ("odd_exit", "executor_crash", "executor_crash", "exit code 42", 42),
    ("no_terminal", "executor_crash", "executor_crash", "no run_complete", 0),
    ("killed", "executor_crash", "executor_crash", "killed by SIGKILL", -9),
    ("torn", "executor_crash", "protocol", "inside a frame", 0),
    ("leftover", "executor_crash", "protocol", "frame", None),
    ("oversize", "executor_crash", "frame_too_large", "limit", None),
    ("wrong_seq", "executor_crash", "protocol", "seq 3 was due, 9 came", None),
    ("wrong_run", "executor_crash", "protocol", "run 'other'", None),
    ("wrong_attempt", "executor_crash", "protocol", "attempt 2", None),
    ("wrong_version", "version_mismatch", "version_mismatch", "'0.9'", None),
    ("wrong_payload", "executor_crash", "protocol", "payload.item_type is missing", None),
    ("nan", "executor_crash", "protocol", "nan", None),
    ("deep", "executor_crash", "protocol", "nested deeper", None),
    ("artifact_wrong_size", "executor_crash", "protocol", "size_bytes says 4, 3 bytes came", None),
]


@pytest.mark.clause("RUN-03")
@pytest.mark.clause("RUN-04")
@pytest.mark.parametrize(("behaviour", "status", "error_type", "message", "code"), OUTCOMES)
async def test_outcomes(  # noqa: PLR0917
    foreign, behaviour, status, error_type, message, code
):
    """Each way to end has its outcome, and a message that names it."""
    report, _ = await run(foreign, behaviour)
    assert report.outcome.status == status
    assert report.outcome.error_type == error_type
    assert message in report.outcome.message
    assert "\n" not in report.outcome.message
    if code is not None:
        assert report.exit_code == code


@pytest.mark.clause("IPC-08")
async def test_events_before_a_fault_are_kept(foreign):
    """What passed the checks before a fault is stored, nothing after it."""
    _, policy = await run(foreign, "wrong_seq")
    assert policy.items() == [{"n": 1}, {"n": 2}]


@pytest.mark.clause("RUN-06")
async def test_after_the_terminal_event(foreign):
    """Events and chunks after the terminal event are counted, not stored; a put is told so; a second result ignored."""
    files = MemoryFiles()
    report, policy = await run(foreign, "after_terminal", files=files)
    assert report.outcome.status == "success"
    assert policy.types() == ["run_complete"]
    assert policy.chunks == {}
    assert report.events_after_terminal == 4
    assert files.files == {}
    assert json.loads(report.stderr_tail) == {
        "type": "file_write_ack",
        "write_id": 1,
        "ok": False,
        "error": "run already terminated",
    }


@pytest.mark.clause("IPC-06")
async def test_liberal_reading(foreign):
    """Another order, other widths, bin for text, timestamps, broken UTF-8, unknown fields and types are all read."""
    report, policy = await run(foreign, "liberal")
    assert report.outcome.status == "success", report.outcome
    assert policy.types() == ["item", "novelty", "run_complete"]
    first = policy.events[0]
    assert first.ts == "2023-11-14T22:13:20.005Z"
    assert first.event_id == "e\ufffd"
    assert first.payload == {"item_type": "t", "data": {"at": "2023-11-14T22:13:20.005Z"}}


@pytest.mark.clause("IPC-10")
async def test_artifacts_and_orphans(foreign):
    """Chunks reach storage before their event; bytes without an event are orphans."""
    report, policy = await run(foreign, "artifacts")
    assert report.outcome.status == "success"
    assert (report.artifacts.count, report.artifacts.bytes) == (2, 5)
    assert (report.artifacts.orphans, report.artifacts.orphan_bytes) == (1, 4)
    assert policy.chunks["a"] == b"abcde"
    assert policy.log.index(("chunk", "a")) < policy.log.index(("event", "artifact"))


@pytest.mark.clause("IPC-11")
async def test_file_writes(foreign):
    """Bad names, duplicates, too large files and a full storage are refused, and the run goes on."""
    files = MemoryFiles()
    report, policy = await run(foreign, "files", files=files)
    assert report.outcome.status == "success"
    acks = policy.items()[0]["n"]["acks"]
    assert [ack["write_id"] for ack in acks] == list(range(1, 12))
    assert [ack["write_id"] for ack in acks if ack["ok"]] == [1, 10]
    assert acks[0]["key"] == "prefix/ok.txt"
    assert "already put" in acks[1]["error"]
    assert "no space" in acks[8]["error"]
    assert sorted(files.files) == ["ok.txt", "ok2.txt", "quiet.txt"]
    assert (report.files.ok, report.files.refused) == (3, 9)


@pytest.mark.clause("IPC-04")
async def test_unread_acks_do_not_stall_the_run(foreign):
    """An executor that never reads its acks still gets to its end."""
    report, _ = await run(foreign, "unread_acks", timeout_ms=30_000)
    assert report.outcome.status == "success", report.outcome


@pytest.mark.clause("IPC-04")
async def test_stdin_is_closed_after_stdout(foreign):
    """stdin ends only once stdout has: an executor that waits for it sees end-of-file."""
    report, _ = await run(foreign, "put_then_wait")
    assert (report.outcome.status, report.stderr_tail) == ("success", "eof")


@pytest.mark.clause("RUN-08")
async def test_stderr_is_drained_and_bounded(foreign):
    """Much stderr blocks nobody; the last 64 KiB stay, without the proxy's password."""
    proxy = Endpoint(protocol="http", host="h", port=1, username="u", password=Secret("pw-secret-1"))
    report, _ = await run(foreign, "stderr_flood", proxy=proxy)
    assert report.outcome.status == "success"
    assert len(report.stderr_tail) <= 64 * 1024
    assert report.stderr_tail.endswith("line 19999 of much\nwith ***\n")


@pytest.mark.clause("RUN-05")
async def test_deadline_terminates(foreign):
    """At the deadline the executor gets TERM, and the outcome says timeout; what it sent is kept."""
    report, policy = await run(foreign, "hang", timeout_ms=600)
    assert (report.outcome.status, report.outcome.error_type) == ("executor_crash", "timeout")
    assert "0.6 s" in report.outcome.message
    assert report.exit_code == -15
    assert policy.types() == ["item"]
    assert report.duration_ms < 4000


@pytest.mark.clause("RUN-05")
async def test_deadline_kills_after_the_grace(foreign):
    """An executor that ignores TERM is killed five seconds later."""
    report, _ = await run(foreign, "hang_hard", timeout_ms=500)
    assert (report.outcome.error_type, report.exit_code) == ("timeout", -9)
    assert 5000 <= report.duration_ms < 9000


@pytest.mark.clause("RUN-05")
async def test_completing_in_the_grace_counts(foreign):
    """A run that completes after TERM has completed."""
    report, _ = await run(foreign, "late_terminal", timeout_ms=600)
    assert report.outcome.status == "success"


@pytest.mark.clause("RUN-07")
@pytest.mark.parametrize("behaviour", ["hang_with_child", "leave_child"])
async def test_nothing_below_the_executor_survives(foreign, behaviour):
    """A grandchild in a session of its own ends with the run, whether the run completes or is ended."""
    before = descendants(os.getpid())
    task = asyncio.create_task(run(foreign, behaviour, timeout_ms=1500))
    await until(lambda: len(descendants(os.getpid()) - before) >= 3 or task.done())
    seen = descendants(os.getpid()) - before
    report, _ = await task
    assert report.outcome.status == ("success" if behaviour == "leave_child" else "executor_crash")
    assert not [pid for pid in seen if alive(pid)]


@pytest.mark.clause("RUN-12")
async def test_cancel(foreign):
    """A cancelled run ends early and says so; one cancelled before its start is never started."""
    cancel = asyncio.Event()
    task = asyncio.create_task(run(foreign, "hang", cancel=cancel))
    before = descendants(os.getpid())
    await until(lambda: descendants(os.getpid()) - before or task.done())
    cancel.set()
    report, _ = await task
    assert (report.outcome.status, report.outcome.error_type) == ("executor_crash", "cancelled")
    report, policy = await run(foreign, "good", cancel=cancel)
    assert (report.outcome.error_type, report.pid, policy.events) == ("cancelled", None, [])


async def test_cancelled_task_leaves_nothing(foreign):
    """Cancelling the task itself kills the executor, and no thread writes on."""
    policy = MemoryPolicy(delay_s=0.05)
    task = asyncio.create_task(run(foreign, "flood", policy=policy))
    await until(lambda: policy.kept > 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert policy.inside == 0


@pytest.mark.clause("RUN-02")
async def test_policy_failure(foreign):
    """A storage that fails ends the run as policy_failure, named."""
    report, policy = await run(foreign, "flood", policy=MemoryPolicy(fail_ingest_at=50))
    assert (report.outcome.status, report.outcome.error_type) == ("policy_failure", "storage_no_space")
    assert "no space" in report.outcome.message
    assert policy.kept < 50


@pytest.mark.clause("RUN-02")
async def test_flush_fault_beats_exit_code(foreign):
    """A flush that fails beats the exit code; an ingestion fault beats both."""
    report, _ = await run(foreign, "good", policy=MemoryPolicy(fail_flush=True))
    assert (report.outcome.status, report.outcome.error_type) == ("policy_failure", "storage_timeout")
    report, _ = await run(foreign, "torn", policy=MemoryPolicy(fail_flush=True))
    assert report.outcome.status == "policy_failure"
    report, _ = await run(foreign, "wrong_run", policy=MemoryPolicy(fail_flush=True))
    assert report.outcome.status == "executor_crash"


@pytest.mark.clause("RUN-13")
async def test_enqueues_are_told_first(foreign):
    """on_enqueue gets every enqueue event once, in order, in batches, before the policy sees it."""
    policy = MemoryPolicy()
    told = []

    async def on_enqueue(events):
        seen = {event.seq for event in policy.events}
        assert not seen & {event.seq for event in events}
        assert len(events) <= 500
        told.extend(event.payload["params"]["n"] for event in events)

    report, _ = await run(foreign, "enqueues", policy=policy, on_enqueue=on_enqueue)
    assert report.outcome.status == "success"
    assert told == list(range(1200))
    assert policy.types().count("enqueue") == 1200


@pytest.mark.clause("RUN-13")
async def test_on_enqueue_can_end_the_run(foreign):
    """A lost lease ends the run as cancelled; any other error passes through once the executor is gone."""

    async def lost(events):
        raise LeaseLostError("gone")

    async def broken(events):
        raise RuntimeError("broken")

    report, policy = await run(foreign, "enqueues", on_enqueue=lost)
    assert report.outcome.error_type == "cancelled"
    assert policy.events == []
    with pytest.raises(RuntimeError, match="broken"):
        await run(foreign, "enqueues", on_enqueue=broken)


@pytest.mark.clause("RUN-10")
async def test_slow_storage_does_not_let_memory_grow(foreign):
    """A storage of 50 ms a write and an executor of 1.3 GB of events: memory stays bounded, events share writes."""
    policy = MemoryPolicy(delay_s=0.05, keep=False)
    peak = []

    async def watch():
        while True:
            peak.append(rss_bytes())
            await asyncio.sleep(0.02)

    before = rss_bytes()
    watcher = asyncio.create_task(watch())
    report, _ = await run(foreign, "flood", policy=policy, job={"events": 6000}, timeout_ms=120_000)
    watcher.cancel()
    assert report.outcome.status == "success", report.outcome
    assert policy.kept == 6001
    assert max(peak) - before < 64 * 1024 * 1024
    assert len(policy.batches) < 6001 / 4


@pytest.mark.clause("IPC-01")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: str(p / "absent"), "no such file"),
        (str, "not a file"),
        (lambda p: (p / "plain").write_text("x") and str(p / "plain"), "not executable"),
    ],
)
async def test_executor_that_cannot_be(tmp_path, make, words):
    """An executor that is not there, or not executable, is a configuration error."""
    with pytest.raises(ConfigError, match=words):
        await run(make(tmp_path), "good")


async def test_executor_without_interpreter(tmp_path):
    """An executable that the system can't execute is a crash that says why."""
    path = tmp_path / "odd"
    path.write_text("#!/nonexistent/interpreter\n")
    path.chmod(0o755)
    report, _ = await run(str(path), "good")
    assert report.outcome.status == "executor_crash"
    assert report.outcome.error_type == "executor_start"
    assert "No such file" in report.outcome.message


async def test_runs_in_a_loop_of_another_thread(foreign):
    """The runtime works in an event loop that is not the main thread's."""
    report, _ = await asyncio.to_thread(lambda: asyncio.run(run(foreign, "good")))
    assert report.outcome.status == "success"


@pytest.mark.clause("RUN-07")
async def test_parent_killed(foreign, tmp_path):
    """A runtime that is killed leaves nothing behind, not even a grandchild in a session of its own."""
    import signal
    import subprocess
    import sys

    program = tmp_path / "runtime.py"
    program.write_text(
        "import asyncio, sys\n"
        "from quarry.runtime import SingleShot\n"
        "from tests.runtime.support import MemoryPolicy, MemoryFiles, make_spec\n"
        "asyncio.run(SingleShot(executor=sys.argv[1]).execute(make_spec('hang_with_child'),"
        " policy=MemoryPolicy(), put_file=MemoryFiles()))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    runtime = subprocess.Popen([sys.executable, str(program), foreign], env=env)
    below = await until(lambda: len(found := descendants(runtime.pid)) >= 3 and found)
    started = time.monotonic()
    runtime.send_signal(signal.SIGKILL)
    runtime.wait()
    await until(lambda: not [pid for pid in below if alive(pid)], seconds=5)
    assert time.monotonic() - started < 5
