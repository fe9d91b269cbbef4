"""Measure the worker's pool against prefork on this machine (docs/adr/0002-worker-pool.md). No test.

    python tests/tasks/measure_pools.py [TASKS] [ROUNDS]

Each round starts one worker a variant, pushes no-op envelopes in one go, and reports tasks a second and CPU
milliseconds a task of the worker with its children, and of the server.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
from engine_kit import HERE, ROOT, raw_envelope, server_binary

from quarry.engine import PrivateServer

VARIANTS = (
    "own",
    "own, Celery's flush",
    "own, ack emulation",
    "prefork 2, same settings",
    "prefork 2, stock",
)


def serve(variant: str) -> None:
    """Run one worker of a variant until TERM."""
    from celery import signals

    from quarry.tasks.app import make_app
    from quarry.tasks.events import FlushEvents
    from quarry.tasks.logs import configure_logging

    app = make_app(os.environ["QUARRY_BROKER"], deliverer="deliverers:NoOp")
    signals.setup_logging.connect(configure_logging)
    if "flush" in variant or "stock" in variant:
        app.steps["consumer"].discard(FlushEvents)
    if "emulation" in variant or "stock" in variant:
        app.conf.broker_transport_options["ack_emulation"] = True
    if variant.startswith("prefork"):
        app.conf.worker_pool = "prefork"
        app.tasks["quarry.run"].run = _no_op
    concurrency = 2 if variant.startswith("prefork") else 256
    app.Worker(concurrency=concurrency, without_gossip=True, without_mingle=True, quiet=True).start()


def _no_op(crawl: str, key: str) -> dict[str, Any]:
    return {"outcome": "success"}


def _cpu_s(pid: int) -> float:
    """User and system seconds of a process, its living children and those it reaped."""
    ticks = os.sysconf("SC_CLK_TCK")
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(int, fields[11:15])) / ticks + sum(_cpu_s(int(child)) for child in children)


def _pss_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(_pss_mb(int(child)) for child in children)


def measure(server: PrivateServer, variant: str, tasks: int) -> tuple[float, float, float, float]:
    """Return tasks a second, worker ms a task, server ms a task, PSS in MB."""
    client = redis.Redis.from_url(server.url)
    client.flushall()
    worker = subprocess.Popen(
        [sys.executable, __file__, "--serve", variant],
        env={**os.environ, "QUARRY_BROKER": server.url, "PYTHONPATH": f"{ROOT}:{HERE}"},
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip

    def run(count: int) -> float:
        messages = [json.dumps(raw_envelope(f"k{i}")) for i in range(count)]
        started = time.perf_counter()
        for i in range(0, count, 500):
            client.lpush("quarry", *messages[i : i + 500])
        while client.llen("quarry"):
            time.sleep(0.002)
        return time.perf_counter() - started

    run(300)  # warm
    assert server.pid
    before = _cpu_s(worker.pid), _cpu_s(server.pid)
    seconds = run(tasks)
    time.sleep(0.3)  # the tail's events
    after = _cpu_s(worker.pid), _cpu_s(server.pid)
    pss = _pss_mb(worker.pid)
    worker.send_signal(signal.SIGTERM)
    worker.wait()
    client.close()
    return tasks / seconds, *((b - a) * 1000 / tasks for a, b in zip(before, after, strict=True)), pss


def main(tasks: int, rounds: int) -> None:
    """Print one line a variant, medians over interleaved rounds."""
    results: dict[str, list[tuple[float, ...]]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        server = PrivateServer(folder, binary=server_binary("redis-server"))
        server.start()
        for _ in range(rounds):
            for variant in VARIANTS:
                results[variant].append(measure(server, variant, tasks))
        server.stop()
    print(f"{tasks} no-op tasks, {rounds} rounds, medians: tasks/s, worker ms, server ms, PSS MB")
    for variant, rows in results.items():
        rate, cpu, server_cpu, pss = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{variant:26} {rate:6.0f} {cpu:6.2f} {server_cpu:6.2f} {pss:6.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main(*(int(a) for a in (*sys.argv[1:], *("6000", "2")[len(sys.argv) - 1 :])))
