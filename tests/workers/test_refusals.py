"""Real workers that must not start: one sentence, how to mend it, an exit code, no traceback, no password."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.kit import ROOT, clean_env, free_port, redis_server, wait_for


def refused(*, module: str = "workers.http", arguments: tuple[str, ...] = (), **env: str) -> list[str]:
    """What a worker says that refuses to start."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "celery"), "-A", module, *arguments, "worker", "-c", "1"],
        cwd=ROOT, env=clean_env(**env), capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 64, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    lines = done.stderr.splitlines()
    assert all(line.startswith("quarry worker: ") for line in lines), lines
    return lines


@pytest.mark.clause("FLEET-03")
@pytest.mark.parametrize("module", ["workers.http", "workers.browser", "quarry.tasks"])
def test_no_broker(module):
    """It names the variable."""
    (line,) = refused(module=module)
    assert "QUARRY_BROKER" in line


@pytest.mark.clause("FLEET-03")
@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"QUARRY_BROKER": "amqp://u:hunter2@h"}, "not a Redis address"),
        ({"QUARRY_BROKER": "redis://:hunter2@h:port/0"}, "malformed"),
        ({"QUARRY_BROKER": "redis://h/0", "CELERY_BROKER_URL": "redis://other/0"}, "different brokers"),
        ({"QUARRY_BROKER": "redis://h/0", "QUARRY_WORKER_GRACE": "soon"}, "QUARRY_WORKER_GRACE"),
    ],
)
def test_an_environment_that_makes_no_sense(env, said):
    """Each is named, before anything is connected to."""
    (line,) = refused(**env)
    assert said in line


@pytest.mark.clause("FLEET-03")
def test_a_broker_that_cannot_be_used(tmp_path):
    """A wrong password; then, with the right one, a Redis that evicts keys and folders that are missing: all at once."""
    with redis_server(tmp_path, "--requirepass", "right", "--maxmemory-policy", "allkeys-lru") as port:
        (line,) = refused(QUARRY_BROKER=f"redis://:hunter2@127.0.0.1:{port}/0")
        assert "password" in line
        lines = refused(
            QUARRY_BROKER=f"redis://:right@127.0.0.1:{port}/0",
            QUARRY_SCRIPTS_ROOT=str(tmp_path / "no-scripts"),
            QUARRY_STORAGE_PATH=str(tmp_path / "no-storage"),
        )
    assert [word for word in ("no-storage", "no-scripts", "allkeys-lru") if word in "".join(lines)] == [
        "no-storage", "no-scripts", "allkeys-lru",
    ]  # fmt: skip
    assert len(lines) == 3


@pytest.mark.clause("FLEET-03")
def test_cluster_mode(tmp_path):
    """Celery has no transport for it."""
    with redis_server(tmp_path, "--cluster-enabled", "yes") as port:
        (line,) = refused(QUARRY_BROKER=f"redis://127.0.0.1:{port}/0")
    assert "cluster mode" in line


@pytest.mark.clause("FLEET-04")
def test_an_absent_redis_is_waited_for(tmp_path, start_worker):
    """The log says so, without the password; the worker starts as soon as it is there; TERM ends the wait."""
    port = free_port()
    url = f"redis://:hunter2@127.0.0.1:{port}/0"
    worker = start_worker(tmp_path, url, "-c", "1")
    wait_for(lambda: worker.process.poll() is not None or worker.logged("broker.waiting"), "the log")
    assert worker.logged("broker.waiting")[0]["address"] == f"redis://:***@127.0.0.1:{port}/0"
    with redis_server(tmp_path, "--requirepass", "hunter2", "--appendonly", "yes", port=port):
        worker.wait_ready()
        assert "hunter2" not in worker.text()
        waiting = start_worker(tmp_path, f"redis://127.0.0.1:{free_port()}/0", "-c", "1")
        wait_for(lambda: waiting.logged("broker.waiting"), "the second worker's wait")
        waiting.term()
        assert waiting.process.wait(20) == -signal.SIGTERM


@pytest.mark.clause("FLEET-05")
def test_what_promises_less_is_logged_and_the_worker_starts(tmp_path, start_worker):
    """No append-only file: a warning that says what it means and how to mend it."""
    with redis_server(tmp_path) as port:
        worker = start_worker(tmp_path, f"redis://127.0.0.1:{port}/0", "-c", "1").wait_ready()
        (line,) = worker.logged("worker.check")
        assert "append-only" in line["what"]
        assert "appendonly yes" in line["mend"]
        worker.end()
