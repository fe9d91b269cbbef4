"""Workers answer the commands that people know from Celery."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

import quarry.lode
from tests.e2e.harness import alive
from tests.workers.kit import Crawl, celery, tell, wait_for


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("FLEET-06")
async def test_inspect_and_control(tmp_path, broker, start_worker):
    """ping, active, stats, pool_grow, pool_shrink, revoke and shutdown do what they say."""
    crawl = Crawl(tmp_path, broker.url)
    worker = start_worker(tmp_path, broker.url, "-c", "2").wait_ready()
    await crawl.seed(5)

    def ask(*arguments):
        return celery(broker.url, worker, *arguments)

    assert ask("inspect", "ping") == {"ok": "pong"}
    wait_for(lambda: len(crawl.noted("started")) == 2, "two runs")
    active = ask("inspect", "active")
    assert [task["name"] for task in active] == ["run:s/hold", "run:s/hold"]
    pool = ask("inspect", "stats")["pool"]
    assert (pool["max-concurrency"], pool["running"], pool["ceiling"]) == (2, 2, 8)

    assert ask("control", "pool_grow", "2") == {"ok": "pool will grow"}
    wait_for(lambda: len(crawl.noted("started")) == 4, "two more runs")
    assert ask("control", "pool_shrink", "3") == {"ok": "pool will shrink"}
    assert ask("inspect", "stats")["pool"]["max-concurrency"] == 1

    assert "terminate" in ask("control", "terminate", "SIGTERM", active[0]["id"])["ok"]
    wait_for(lambda: ask("inspect", "stats")["pool"]["running"] == 3, "the revoked run's end")
    crawl.open()
    wait_for(lambda: len(crawl.noted("done")) >= 4, "the rest")
    tell(broker.url, "control", "shutdown")  # nobody answers it: the worker is on its way out
    assert await asyncio.to_thread(worker.process.wait, 150) == 0, worker.text()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("FLEET-06")
async def test_autoscale_grows_with_the_work_and_shrinks_without(tmp_path, broker, start_worker):
    """`--autoscale 6,1`: never more than six runs at once, one slot when nothing is there; the range can be moved."""
    crawl = Crawl(tmp_path, broker.url)
    worker = start_worker(tmp_path, broker.url, "--autoscale", "6,1", AUTOSCALE_KEEPALIVE="0.5").wait_ready()

    def stats():
        return celery(broker.url, worker, "inspect", "stats")

    assert stats()["pool"]["max-concurrency"] == 1
    await crawl.seed(9)
    wait_for(lambda: len(crawl.noted("started")) == 6, "six runs")
    shown = stats()
    assert (shown["pool"]["running"], shown["autoscaler"]["current"], shown["autoscaler"]["max"]) == (6, 6, 6)
    assert broker.client.llen("quarry") == 3
    assert "max=7" in celery(broker.url, worker, "control", "autoscale", "7", "1")["ok"]
    crawl.open()
    wait_for(lambda: len(crawl.noted("done")) == 9, "all runs")
    wait_for(lambda: stats()["autoscaler"]["current"] == 1, "the pool to shrink")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("FLEET-09")
async def test_hup_restarts_it_and_scripts_do_not_see_the_broker(tmp_path, broker, start_worker):
    """SIGHUP starts the worker anew on the same broker; no executor has the broker's address."""
    crawl = Crawl(tmp_path, broker.url)
    worker = start_worker(tmp_path, broker.url, "-c", "2").wait_ready()
    worker.process.send_signal(signal.SIGHUP)
    worker.wait_ready(times=2)
    await crawl.seed(1, hold=False)
    wait_for(lambda: crawl.noted("done"), "a run after the restart")
    wait_for(lambda: (crawl.storage / "datasets").is_dir() and _items(crawl), "its record")
    assert [item["broker"] for item in _items(crawl)] == [[]]


def _items(crawl):
    rows = quarry.lode.open(crawl.storage).scan(event_type="item").to_pylist()
    return [json.loads(row["data"]) for row in rows]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("FLEET-01")
async def test_each_profile_serves_its_list(tmp_path, broker, start_worker):
    """http runs wait for an http worker, browser runs for a browser worker; quarry.tasks serves both."""
    http, browser = Crawl(tmp_path, broker.url, "c-http"), Crawl(tmp_path, broker.url, "c-browser")
    await http.seed(1, hold=False)
    await browser.seed(1, hold=False, queue="quarry.browser", who="browser")
    assert (broker.client.llen("quarry"), broker.client.llen("quarry.browser")) == (1, 1)
    first = start_worker(tmp_path, broker.url, "-c", "1", module="workers.browser").wait_ready()
    wait_for(lambda: len(http.noted("done")) == 1, "the browser run")
    assert broker.client.llen("quarry") == 1
    first.term()
    await asyncio.to_thread(first.process.wait, 150)
    start_worker(tmp_path, broker.url, "-c", "1", module="workers.http").wait_ready()
    wait_for(lambda: len(http.noted("done")) == 2, "the http run")
    both = start_worker(tmp_path, broker.url, "-c", "1", module="quarry.tasks").wait_ready()
    queues = celery(broker.url, both, "inspect", "active_queues")
    assert sorted(queue["name"] for queue in queues) == ["quarry", "quarry.browser"]


@pytest.mark.clause("FLEET-08")
@pytest.mark.clause("FLEET-06")
async def test_messages_that_come_to_nothing_are_counted(tmp_path, broker, start_worker):
    """Garbage, another task, no arguments, a crawl that is not there: dropped, counted in stats, the worker works on."""
    worker = start_worker(tmp_path, broker.url, "-c", "2").wait_ready()
    broker.client.lpush("quarry", b"\x00 no json", b"[1]", _envelope("quarry.run", ["gone", "ab" * 16]))
    broker.client.lpush("quarry", _envelope("os.system", ["x"]), _envelope("quarry.run", ["one"]))

    def counts():
        return celery(broker.url, worker, "inspect", "stats")["pool"]["messages"]

    wanted = {"dropped": 5, "unreadable": 2, "refused": 2, "crawl_gone": 1}
    wait_for(lambda: counts() == wanted, f"{wanted}")
    crawl = Crawl(tmp_path, broker.url)
    await crawl.seed(1, hold=False)
    wait_for(lambda: crawl.noted("done"), "a run")
    assert worker.process.poll() is None


def _envelope(task, args):
    task_id = f"id-{task}-{args[0]}"
    return json.dumps(
        {
            "body": json.dumps([args, {}, {}]), "content-encoding": "utf-8", "content-type": "application/json",
            "headers": {"lang": "py", "task": task, "id": task_id, "root_id": task_id},
            "properties": {
                "correlation_id": task_id, "delivery_mode": 2, "priority": 0, "delivery_tag": task_id,
                "delivery_info": {"exchange": "", "routing_key": "quarry"},
            },
        }
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("FLEET-01")
def test_a_detached_worker_logs_to_its_file(tmp_path, broker):
    """`-D --pidfile --logfile`, as `celery multi` starts them: the log is there, a refusal too, and TERM ends it."""
    pidfile, logfile = tmp_path / "w.pid", tmp_path / "w.log"
    arguments = ["worker", "-D", "-n", "d@test", "-c", "1", "-l", "INFO", "--pidfile", str(pidfile)]
    assert tell(broker.url, *arguments, "--logfile", str(logfile)).returncode == 0
    pid = int(wait_for(lambda: pidfile.exists() and pidfile.read_text().strip(), "its process id"))
    try:
        wait_for(lambda: logfile.exists() and "d@test ready." in logfile.read_text(), "the worker")
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not alive(pid), "its end")
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    assert not pidfile.exists()

    broker.client.config_set("maxmemory-policy", "allkeys-lru")
    tell(broker.url, *arguments, "--logfile", str(logfile))
    wait_for(lambda: "quarry worker: Redis evicts keys" in logfile.read_text(), "the refusal")
