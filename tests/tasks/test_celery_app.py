from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from engine_kit import ROOT, Bench

from quarry.tasks.app import make_app

if TYPE_CHECKING:
    from quarry.engine import EmbeddedWorker


@pytest.mark.clause("ENGINE-02")
def test_settings_are_those_of_the_contract() -> None:
    """Early acknowledgement, no prefetch, no results, JSON only, one list, no acknowledgement emulation."""
    conf = make_app("redis://h:1/0").conf
    options = conf.broker_transport_options
    assert (conf.task_acks_late, conf.worker_disable_prefetch, conf.worker_prefetch_multiplier) == (
        False,
        True,
        1,
    )
    assert (conf.task_ignore_result, conf.result_backend) == (True, None)
    assert (conf.task_serializer, conf.accept_content) == ("json", ["json"])
    assert (conf.worker_send_task_events, conf.task_send_sent_event) == (True, False)
    assert (conf.broker_connection_max_retries, conf.broker_connection_retry_on_startup) == (None, True)
    assert conf.broker_pool_acquire_timeout == 30
    assert conf.worker_hijack_root_logger is False
    assert conf.task_default_queue == "quarry"
    assert conf.task_time_limit is None
    assert options == {
        "ack_emulation": False,
        "polling_interval": 0.25,
        "priority_steps": [0],
        "visibility_timeout": 3600,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }


def test_two_apps_share_nothing() -> None:
    """Making an app changes no other one: queue and deliverer are its own."""
    first = make_app("redis://h:1/0", queue="a", deliverer="m:f")
    second = make_app("redis://h:2/0")
    assert (first.conf.task_default_queue, first.conf.quarry_deliverer) == ("a", "m:f")
    assert (second.conf.task_default_queue, second.conf.quarry_deliverer) == (
        "quarry",
        "quarry.wiring:make_deliverer",
    )


def _celery(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CELERY_", "QUARRY_"))}
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "quarry.tasks", *argv],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env={**clean, **env}, check=False,
    )  # fmt: skip


def test_celery_finds_the_app_by_the_package(bench: Bench) -> None:
    """`celery -A quarry.tasks` works with the broker from QUARRY_BROKER; a running worker answers its inspect."""
    assert "quarry.tasks.pool:RunPool" in _celery("report", QUARRY_BROKER=bench.url).stdout
    worker = bench.worker()
    worker.start()
    try:
        answer = _celery("inspect", "stats", "--json", "-t", "3", QUARRY_BROKER=bench.url)
    finally:
        worker.kill()
    assert '"implementation": "quarry.tasks.pool:RunPool"' in answer.stdout
    assert '"max-concurrency": 16' in answer.stdout


def test_a_worker_without_a_broker_says_what_to_set() -> None:
    """No broker: the worker ends with an error that names the variable."""
    answer = _celery("worker", "--concurrency", "1")
    assert answer.returncode != 0
    assert "QUARRY_BROKER" in answer.stderr


def test_apply_async_reaches_the_deliverer(bench: Bench, worker: EmbeddedWorker) -> None:
    """What Celery itself publishes runs like what Lua pushes."""
    app = make_app(bench.url)
    app.tasks["quarry.run"].apply_async(args=["c1", "from-python"])
    app.pool.force_close_all()
    bench.wait_noted("done", {"from-python"})


def test_the_package_itself_is_light() -> None:
    """Importing quarry.tasks and quarry.engine's classes loads no Celery: the command line pays for what it uses."""
    code = (
        "import sys, quarry.tasks, quarry.engine.server, quarry.engine.worker, quarry.engine.budget; "
        "sys.exit(sum(m in sys.modules for m in ('celery', 'kombu')))"
    )
    light = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert light.returncode == 0
