from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine_kit import Bench, alive, wait_for

from quarry.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarry.engine import PrivateServer


@pytest.fixture
def bench(server: PrivateServer, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, server.url)
    yield made
    made.close()


@pytest.mark.clause("ENGINE-17")
def test_it_runs_what_is_pushed_and_stops_warmly(bench: Bench) -> None:
    """Ready means consuming; stopping waits for what runs; the process is gone afterwards."""
    worker = bench.worker()
    worker.start()
    pid = worker.pid or 0
    bench.push("ok-1", "ok-2")
    bench.wait_noted("done", {"ok-1", "ok-2"})
    worker.stop()
    assert not alive(pid)
    assert worker.pid is None
    worker.stop()


@pytest.mark.clause("ENGINE-17")
def test_the_broker_address_is_in_no_argument_and_no_script_sees_it(bench: Bench) -> None:
    """The URL may hold a password: it is not in the process list, and not in the environment passed on."""
    worker = bench.worker(concurrency=3)
    worker.start()
    try:
        arguments = Path(f"/proc/{worker.pid}/cmdline").read_bytes()
        assert b".sock" not in arguments
        assert b"redis" not in arguments
        assert ".sock" not in bench.noted("environment")[0]
    finally:
        worker.kill()


@pytest.mark.clause("ENGINE-17")
def test_celerys_own_variables_do_not_lead_it_astray(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CELERY_BROKER_URL meant for another program changes nothing."""
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "redis://127.0.0.1:1/0")
    worker = bench.worker()
    worker.start()
    try:
        bench.push("ok-1")
        bench.wait_noted("done", {"ok-1"})
    finally:
        worker.kill()


@pytest.mark.clause("ENGINE-17")
def test_a_cold_stop_cancels(bench: Bench) -> None:
    """Cold: running deliveries are cancelled, not waited for."""
    worker = bench.worker(grace_s=600)
    worker.start()
    bench.push("hold-1")
    bench.wait_noted("started", {"hold-1"})
    started = time.monotonic()
    worker.stop(warm=False)
    assert time.monotonic() - started < 8
    assert bench.noted("cancelled") == ["hold-1"]


@pytest.mark.clause("ENGINE-17")
def test_a_warm_stop_has_an_end(bench: Bench) -> None:
    """A stop that took its grace becomes a cold one."""
    worker = bench.worker(grace_s=600)
    worker.start()
    bench.push("hold-1")
    bench.wait_noted("started", {"hold-1"})
    worker.stop(grace_s=0.3)
    assert bench.noted("cancelled") == ["hold-1"]


@pytest.mark.clause("ENGINE-17")
def test_a_stopped_process_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that answers no signal (SIGSTOP) ends too."""
    monkeypatch.setattr("quarry.engine.worker._COLD_S", 0.2)
    worker = bench.worker()
    worker.start()
    pid = worker.pid or 0
    os.kill(pid, signal.SIGSTOP)
    worker.stop(grace_s=0.2)
    assert not alive(pid)


@pytest.mark.clause("ENGINE-18")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"deliverer": "deliverers:BadStart"}, "the deliverer cannot start"),
        ({"deliverer": "no_such_module:make"}, "no_such_module"),
        ({"deliverer": "deliverers:missing"}, "no function missing"),
        ({"concurrency": 0}, "--concurrency must be at least 1"),
    ],
)
def test_a_worker_that_cannot_start_says_why(options: dict[str, object], said: str, bench: Bench) -> None:
    """The error holds the log's last lines and the log's path, long before any deadline."""
    worker = bench.worker(**options)
    with pytest.raises(EngineError) as caught:
        worker.start()
    assert said in str(caught.value)
    assert str(bench.folder / "worker.log") in str(caught.value)
    wait_for(lambda: worker.pid is None, "its end")
    worker.kill()


@pytest.mark.clause("ENGINE-18")
def test_a_worker_without_its_server_is_not_ready(bench: Bench, server: PrivateServer) -> None:
    """It waits for the server and says so; the caller's deadline decides."""
    worker = bench.worker()
    server.stop()
    try:
        with pytest.raises(EngineError, match="was not ready in time"):
            worker.start(timeout_s=1.5)
    finally:
        worker.kill()
