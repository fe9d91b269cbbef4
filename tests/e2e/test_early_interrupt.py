"""An interrupt while the embedded engine starts is heard at once, and leaves nothing running."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.e2e.harness import assert_balanced, children, command_line, marked, running, wait_for
from tests.fleet.fleet import SCRIPT as NODE
from tests.fleet.fleet import Command, Fleet
from tests.services import require_service

SCRIPT = str(Path(__file__).parent / "scripts" / "noisy.py")
ARGUMENTS = ("--script", SCRIPT, "--max-runs", "1", "--run-id", "e1")


def slow_server(folder: Path) -> tuple[dict[str, str], Path]:
    """A search path whose redis-server starts when a file is there; and that file."""
    gate = folder / "gate"
    folder.joinpath("bin").mkdir()
    binary = folder / "bin" / "redis-server"
    real = require_service("redis-server")
    binary.write_text(f'#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.05; done\nexec {real} "$@"\n')
    binary.chmod(0o755)
    return {"PATH": f"{binary.parent}:{os.environ['PATH']}"}, gate


def processes_of(command: Command, word: str) -> list[int]:
    """Its child processes with this word in their arguments."""
    return [pid for pid in children(command.pid) if word in command_line(pid)]


@pytest.mark.clause("RUN-49")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_before_the_server_is_up_ends_the_command(tmp_path, number):
    """Exit 4 with a result; nothing runs on, no state is kept, and the id is free."""
    env, gate = slow_server(tmp_path)
    with running(tmp_path, *ARGUMENTS, env=env) as crawl:
        wait_for(crawl.server, what="the server's process")
        os.kill(crawl.pid, number)
        done = crawl.wait(15)  # the server alone would have 20 s
        assert done.code == 4, done.stderr
        assert (done.result["outcome"], done.result["fanout"]) == ("unfinished", None)
        assert "before the crawl was begun" in done.result["message"]
        assert crawl.left() == []
        assert list((crawl.state / "quarry" / "crawls").iterdir()) == []
    gate.touch()
    with running(tmp_path, *ARGUMENTS, env=env) as crawl:
        assert crawl.wait().code == 0


@pytest.mark.clause("RUN-49", "RUN-45")
def test_an_interrupt_before_a_resumed_crawl_goes_on_leaves_it_to_be_resumed(tmp_path):
    """Exit 4, and what is kept stays."""
    env, gate = slow_server(tmp_path)
    gate.touch()
    fleet = Fleet(tmp_path)
    fleet.env |= {"QUARRY_BROKER": "", **env}
    try:
        hold = json.dumps({"gate": str(tmp_path / "hold")})
        first = fleet.begin("run", "--script", NODE, "--job", hold, "--max-runs", "1", "--run-id", "e1")
        wait_for(lambda: list(fleet.storage.glob("datasets/quarry/live/*/*/*")), what="a run in flight")
        first.kill()
        wait_for(lambda: not marked(fleet.mark), what="the end of what it started")
        gate.unlink()
        again = fleet.begin("run", "--resume", "e1")
        wait_for(lambda: processes_of(again, "unixsocket"), what="the server's process")
        os.kill(again.pid, signal.SIGINT)
        done = again.wait(15)
        assert done.code == 4, done.stderr
        assert "--resume e1" in done.stderr
        assert marked(fleet.mark) == []
        gate.touch()
        (tmp_path / "hold").touch()
        assert fleet.quarry("run", "--resume", "e1").code == 0
    finally:
        fleet.end()


@pytest.mark.clause("RUN-49", "RUN-50")
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_an_interrupt_while_the_worker_starts_is_heard_at_once(tmp_path, twice):
    """Once: the crawl is stopped and summarised, exit 4. Twice: exit 130 without waiting for the worker."""
    with running(tmp_path, *ARGUMENTS) as crawl:
        worker = wait_for(crawl.worker, what="the worker's process")
        os.kill(worker, signal.SIGSTOP)
        os.kill(crawl.pid, signal.SIGINT)
        wait_for(lambda: "interrupt again" in crawl.err.read_text(), timeout_s=15, what="that it was heard")
        if twice:
            os.kill(crawl.pid, signal.SIGINT)
            assert crawl.wait(15).code == 130
        else:
            os.kill(worker, signal.SIGCONT)
            done = crawl.wait()
            assert done.code == 4, done.stderr
            assert_balanced(done.result["fanout"])
            assert not (crawl.state / "quarry" / "crawls" / "e1").exists()
            assert (crawl.state / "quarry" / "logs" / "worker-e1.ndjson").exists()
        assert crawl.left() == []
        shutil.rmtree(crawl.storage)
