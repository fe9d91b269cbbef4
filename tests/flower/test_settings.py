"""The settings with which Flower starts, and what beats them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.flower.conftest import Flower
from tests.flower.fleet import ROOT, SECRET, Fleet, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("flower")]


@pytest.mark.clause("METRICS-08")
def test_tasks_outlive_a_restart_and_their_number_is_bounded(tmp_path):
    """FLOWER_MAX_TASKS beats the default, FLOWER_URL_PREFIX works, and the state file is its owner's alone."""
    overrides = {"FLOWER_MAX_TASKS": "5", "FLOWER_URL_PREFIX": "watch", "FLOWER_STATE_SAVE_INTERVAL": "0"}
    with Fleet(tmp_path) as fleet:
        flower = Flower(fleet, env=overrides, prefix="/watch")
        fleet.worker("w")
        wait_for(lambda: flower.workers().get("w@shop"), "the worker in Flower")
        fleet.seed("shop", {"url": fleet.site.url})
        fleet.wait_closed("shop")
        wait_for(
            lambda: sum(t["state"] == "SUCCESS" for t in flower.tasks().values()) >= 3, "tasks in Flower"
        )
        assert len(flower.tasks()) == 5
        before = set(flower.tasks())
        flower.process.send_signal(signal.SIGTERM)
        assert flower.process.wait(60) == 0
        state = tmp_path / "state" / "quarry"
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert list(state.glob("flower*"))
        again = Flower(fleet, env=overrides, prefix="/watch")
        assert set(again.tasks()) == before


@pytest.mark.clause("METRICS-07")
def test_it_listens_on_loopback_and_reads_only_unless_told_otherwise():
    settings = defaults()
    assert (settings["address"], settings["read_only"]) == ("127.0.0.1", True)


@pytest.mark.clause("METRICS-08")
def test_its_memory_is_bounded():
    settings = defaults()
    assert (settings["max_tasks"], settings["purge_offline_workers"]) == (20_000, 3_600)
    assert settings["persistent"] is True


@pytest.mark.clause("METRICS-08")
@pytest.mark.parametrize(
    ("broker", "told"),
    [("", "no broker: set QUARRY_BROKER"), (f"amqp://x:{SECRET}@localhost", "not a Redis address")],
)
def test_without_a_broker_it_ends_with_one_sentence(tmp_path, broker, told):
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "workers.flower", "flower"],
        cwd=ROOT,
        env={**os.environ, "QUARRY_BROKER": broker, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert SECRET not in done.stderr


@pytest.mark.clause("METRICS-02")
@pytest.mark.parametrize(
    ("result", "exception", "shown"),
    [
        ("{'outcome': 'success', 'how': 'committed', 'enqueued': 0, 'delivery': 1}", None, "success"),
        ("{'outcome': 'success', 'how': 'adopted', 'delivery': 2}", None, "success, adopted, delivery 2"),
        ("{'outcome': 'success', 'how': 'committed', 'enqueued': 8}", None, "success, enqueued 8"),
        ("{'outcome': 'not_claimed_gone'}", None, "not_claimed_gone"),
        (None, "{'outcome': 'script_error', 'error_type': 'E', 'how': 'committed'}", "script_error, E"),
        (None, "RuntimeError('a fault of ours')", "RuntimeError('a fault of ours')"),
        ("{'outcome': 'cut of", None, "{'outcome': 'cut of"),
        (None, None, None),
    ],
)
def test_the_column_of_results_says_how_it_ended(result, exception, shown):
    task = SimpleNamespace(args="()", result=result, exception=exception)
    assert load().format_task(task).result == shown


@pytest.mark.clause("METRICS-01")
@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ("('http://shop/1', depth=3)", "depth 3  http://shop/1"),
        ("('{id, token}', depth=0)", "depth 0  {id, token}"),
        ("()", "()"),
        (None, None),
    ],
)
def test_the_column_of_arguments_begins_with_the_depth(args, shown):
    task = SimpleNamespace(args=args, result=None, exception=None)
    assert load().format_task(task).args == shown


def load():
    """The module's functions, without the application that it makes when it is imported."""
    from workers import flower_settings

    return flower_settings


def defaults():
    return load().make_defaults({"HOME": "/home/ada"})
