from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from celery.worker import state as worker_state
from engine_kit import Bench, alive, raw_envelope, wait_for

from quarry.errors import EngineError
from quarry.redisio import client_url
from quarry.tasks.app import make_app
from quarry.tasks.job import Job
from quarry.tasks.pool import RunPool

if TYPE_CHECKING:
    from quarry.engine import EmbeddedWorker


@pytest.mark.clause("ENGINE-03")
def test_256_deliveries_run_at_once(bench: Bench) -> None:
    """One worker process carries 256 runs at a time, and takes no message more than it can run."""
    worker = bench.worker(concurrency=256)
    worker.start()
    try:
        held = {f"hold-{i}" for i in range(256)}
        bench.push(*sorted(held), "waits")
        bench.wait_noted("started", held)
        assert bench.client.llen("quarry") == 1
        assert "waits" not in bench.noted("started")
        bench.release()
        bench.wait_noted("done", held | {"waits"})
        assert sorted(bench.noted("started")) == sorted(held | {"waits"})
    finally:
        worker.kill()


@pytest.mark.clause("ENGINE-03")
def test_a_free_slot_is_filled_at_once(bench: Bench, worker: EmbeddedWorker) -> None:
    """Refilling does not wait for a timer: 800 short deliveries in 16 slots take far less than 50 seconds' ticks."""
    keys = {f"ok-{i}" for i in range(800)}
    started = time.monotonic()
    bench.push(*sorted(keys))
    bench.wait_noted("done", keys)
    assert time.monotonic() - started < 8


@pytest.mark.clause("ENGINE-04")
@pytest.mark.parametrize("kind", ["raise", "exit", "childexit", "unprintable", "memory"])
def test_what_a_delivery_raises_ends_that_delivery_only(
    kind: str, bench: Bench, worker: EmbeddedWorker
) -> None:
    """An exception, SystemExit (in the delivery or a task of its own), MemoryError: neighbours and slots stay."""
    pid = worker.pid
    bench.push("hold-1", *(f"{kind}-{i}" for i in range(40)))
    bench.wait_noted("started", {f"{kind}-{i}" for i in range(40)})
    bench.release()
    after = {f"after-{i}" for i in range(40)}
    bench.push(*sorted(after))
    bench.wait_noted("done", after | {"hold-1"})
    assert worker.pid == pid
    assert bool(bench.logged("loop.interrupted")) == (kind == "childexit")


@pytest.mark.clause("ENGINE-04")
def test_a_callback_that_raises_leaves_no_request_behind() -> None:
    """Celery's bookkeeping of a request is closed even where Celery's own callback fails before doing it."""

    class Request:
        id = "a-task"

        def on_success(self, outcome: object) -> None:
            raise ZeroDivisionError

    request = Request()
    worker_state.task_reserved(request)
    pool = RunPool(1, app=make_app(""))
    job = Job(request.on_success, lambda _: None)
    pool._running.add(job)
    pool._settle(job, job.succeeded({}))
    assert (pool._running, request in worker_state.reserved_requests) == (set(), False)
    assert "a-task" not in worker_state.requests


@pytest.mark.clause("FLEET-06")
@pytest.mark.parametrize(
    ("limit", "growth", "autoscale_max", "ceiling", "fewest"),
    [(4, 1, 0, 4, 1), (4, 4, 0, 16, 1), (1, 4, 10, 10, 1), (0, 4, 10, 10, 0)],
)
def test_a_pool_grows_to_its_ceiling_and_no_further(limit, growth, autoscale_max, ceiling, fewest) -> None:
    """The deliverer is made for that many; an autoscaler that asks for more must not end the worker."""
    app = make_app("", growth=growth)
    app.conf.quarry_autoscale_max = autoscale_max
    pool = RunPool(limit, app=app)
    pool.grow(1000)
    assert pool.num_processes == pool.ceiling == ceiling
    pool.shrink(1000)
    assert pool.num_processes == fewest


def _events_of(bench: Bench, keys: set[str]) -> tuple[list[dict], int]:
    """Run keys to their end; return the task events seen, and in how many messages they came."""
    listener = bench.client.pubsub()
    listener.psubscribe("/*celeryev*")
    wait_for(
        lambda: (listener.get_message(timeout=0.1) or {}).get("type") == "psubscribe", "the subscription"
    )
    bench.push(*sorted(keys))
    events: list[dict] = []
    messages = 0

    def ends() -> int:
        nonlocal messages
        message = listener.get_message(timeout=0.05)
        if message and message["type"] == "pmessage":
            envelope = json.loads(message["data"])
            if "task" in envelope["properties"]["delivery_info"]["routing_key"]:
                messages += 1
                body = json.loads(__import__("base64").b64decode(envelope["body"]))
                events.extend(body if isinstance(body, list) else [body])
        return sum(event["type"] in ("task-succeeded", "task-failed") for event in events)

    wait_for(lambda: ends() >= len(keys), "the events of every delivery")
    listener.close()
    return events, messages


@pytest.mark.clause("ENGINE-06")
def test_events_name_the_work_and_come_in_batches(bench: Bench, worker: EmbeddedWorker) -> None:
    """Flower sees the label, the arguments' text and the result; 300 events need no 300 messages."""
    events, messages = _events_of(bench, {f"ok-{i}" for i in range(100)})
    assert {e["name"] for e in events if e["type"] == "task-received"} == {"run:shop/list"}
    assert {e["args"] for e in events if e["type"] == "task-received"} == {"https://example.test/ depth 2"}
    assert all("success" in e["result"] for e in events if e["type"] == "task-succeeded")
    assert len(events) == 300
    assert messages <= 30


@pytest.mark.clause("ENGINE-06")
def test_a_failed_delivery_shows_its_own_exception(bench: Bench, worker: EmbeddedWorker) -> None:
    """Flower shows the exception that was raised, not a wrapper; the log has it once."""
    events, _ = _events_of(bench, {"raise-1"})
    (failed,) = [event for event in events if event["type"] == "task-failed"]
    assert failed["exception"] == "LookupError('asked to raise by raise-1')"
    assert len(bench.logged("delivery.failed")) == 1


@pytest.mark.clause("ENGINE-07")
def test_term_waits_for_what_runs_and_takes_nothing_new(bench: Bench, worker: EmbeddedWorker) -> None:
    """A warm shutdown finishes running deliveries, closes the deliverer and exits 0."""
    bench.push("hold-1", "hold-2")
    bench.wait_noted("started", {"hold-1", "hold-2"})
    process = worker._process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: _nobody_listens(bench), "the worker to stop listening")
    bench.push("late")
    wait_for(lambda: bench.client.llen("quarry") == 1, "the late message in its list")
    assert process.poll() is None
    bench.release()
    assert process.wait(10) == 0
    assert set(bench.noted("done")) == {"hold-1", "hold-2"}
    assert bench.noted("cancelled") == []
    assert bench.noted("life")[-1].startswith("stop ")


def _nobody_listens(bench: Bench) -> bool:
    """A listening worker is blocked but for instants; so several looks in a row."""
    return all((time.sleep(0.01), bench.client.info("clients")["blocked_clients"] == 0)[1] for _ in range(5))


@pytest.mark.clause("ENGINE-07")
def test_an_idle_worker_ends_quickly(bench: Bench) -> None:
    """TERM is seen within a quarter of a second, and the last BRPOP is as short: the best of a few on a busy machine."""
    took: list[float] = []
    while not took or (min(took) >= 0.9 and len(took) < 8):
        worker = bench.worker()
        worker.start()
        process = worker._process
        assert process is not None
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        took.append(time.monotonic() - started)
        worker.kill()
    assert min(took) < 0.9


@pytest.mark.clause("ENGINE-07")
@pytest.mark.parametrize(
    "signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGQUIT,), (signal.SIGTERM, signal.SIGQUIT)]
)
def test_a_second_signal_or_quit_cancels(signals: tuple[signal.Signals, ...], bench: Bench) -> None:
    """Running deliveries are cancelled, not abandoned, and the worker ends within a few seconds."""
    worker = bench.worker(concurrency=64, grace_s=600)
    worker.start()
    held = {f"hold-{i}" for i in range(50)}
    bench.push(*sorted(held))
    bench.wait_noted("started", held)
    process = worker._process
    assert process is not None
    try:
        for number in signals:
            process.send_signal(number)
            wait_for(lambda: _pending_signals(process.pid) == 0, "the signal taken")
        process.wait(10)
    finally:
        worker.kill()
    assert set(bench.noted("cancelled")) == held
    assert bench.noted("life")[-1].startswith("stop ")


def _pending_signals(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"ShdPnd:\s*(\w+)", status)[1], 16)  # type: ignore[index]
    except (FileNotFoundError, ProcessLookupError, TypeError):
        return 0


@pytest.mark.clause("ENGINE-07")
def test_the_grace_period_ends(bench: Bench) -> None:
    """What still runs when the grace is over is cancelled."""
    worker = bench.worker(grace_s=0.5)
    worker.start()
    bench.push("hold-1", "ok-1")
    bench.wait_noted("started", {"hold-1"})
    worker.stop()
    assert bench.noted("cancelled") == ["hold-1"]
    assert len(bench.logged("pool.deliveries_cut")) == 1


@pytest.mark.clause("ENGINE-07")
@pytest.mark.slow
def test_a_delivery_that_ignores_its_cancellation_is_abandoned(bench: Bench) -> None:
    """No delivery can keep a worker from ending: after the cancel period it is left behind, said in the log."""
    worker = bench.worker(grace_s=0.1)
    worker.start()
    bench.push("deaf-1")
    bench.wait_noted("started", {"deaf-1"})
    process = worker._process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert len(bench.logged("pool.delivery_abandoned")) == 1
    worker.kill()


@pytest.mark.clause("ENGINE-04")
def test_revoking_ends_the_coroutine_and_frees_the_slot(bench: Bench) -> None:
    """Revoke with terminate cancels the delivery; its slot is used again, and no more slots than there are."""
    worker = bench.worker(concurrency=1)
    worker.start()
    app = make_app(bench.url)
    try:
        message = raw_envelope("hold-1")
        bench.push_raw(json.dumps(message))
        bench.wait_noted("started", {"hold-1"})
        app.control.revoke(message["headers"]["id"], terminate=True)
        bench.wait_noted("cancelled", {"hold-1"})
        bench.push("next")
        bench.wait_noted("done", {"next"})

        slow = raw_envelope("slowend-1")
        bench.push_raw(json.dumps(slow))
        bench.wait_noted("started", {"slowend-1"})
        app.control.revoke(slow["headers"]["id"], terminate=True)
        bench.wait_noted("cancelled", {"slowend-1"})
        bench.push("waits")
        for _ in range(40):  # its executor still ends, so the slot is not free
            time.sleep(0.01)
            assert bench.client.llen("quarry") == 1
        bench.release()
        bench.wait_noted("done", {"waits"})
    finally:
        app.pool.force_close_all()
        worker.kill()


@pytest.mark.clause("ENGINE-08")
def test_killed_connections_lose_no_running_delivery(bench: Bench, worker: EmbeddedWorker) -> None:
    """CLIENT KILL of every connection, four times under load: each message runs once."""
    keys = {f"ok-{i}" for i in range(1200)}
    ordered = sorted(keys)
    for part in range(4):
        bench.push(*ordered[part * 300 : (part + 1) * 300])
        wait_for(lambda p=part: len(bench.noted("done")) >= p * 300 + 50, "some deliveries")
        bench.client.client_kill_filter(_type="normal", skipme=True)
        bench.client.client_kill_filter(_type="pubsub", skipme=True)
    # The one message that BRPOP had popped for a connection as it was killed may be lost: the ledger's business.
    wait_for(
        lambda: bench.client.llen("quarry") == 0 and len(bench.noted("done")) >= len(keys) - 4, "the rest"
    )
    done = bench.noted("done")
    assert len(done) == len(set(done))
    assert worker.pid is not None


@pytest.mark.clause("ENGINE-19")
def test_a_message_is_spent_as_soon_as_its_delivery_starts(bench: Bench, worker: EmbeddedWorker) -> None:
    """Nothing in Redis keeps a message that runs: after kill -9 no broker repeats it, which is the ledger's part."""
    bench.push("hold-1", "hold-2")
    bench.wait_noted("started", {"hold-1", "hold-2"})
    assert not bench.client.keys("*unacked*")
    worker.kill()
    assert bench.client.llen("quarry") == 0
    second = bench.worker()
    second.start()
    bench.push("ok-1")
    bench.wait_noted("done", {"ok-1"})
    second.kill()
    assert sorted(bench.noted("started")) == ["hold-1", "hold-2", "ok-1"]


@pytest.mark.clause("ENGINE-04")
def test_a_deliverer_that_cannot_start_is_a_clear_error(bench: Bench) -> None:
    """The worker ends at its start and the error says why."""
    worker = bench.worker(deliverer="deliverers:BadStart")
    with pytest.raises(EngineError, match="the deliverer cannot start"):
        worker.start()
    worker.kill()


@pytest.mark.clause("ENGINE-09")
def test_the_deliverer_gets_the_address_and_the_capacity(bench: Bench, worker: EmbeddedWorker) -> None:
    """The factory is called with redis-py's URL and the concurrency, once a process."""
    (start,) = bench.noted("life")
    assert start == f"start {worker.pid} {client_url(bench.url)} 16"
    assert alive(worker.pid or 0)
    assert os.getpgid(worker.pid or 0) == worker.pid
