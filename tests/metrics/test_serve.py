"""`quarry metrics serve` beside a real Redis, real workers and real crawls."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys

import pytest

from quarry.crawl.fleet_figures import QUEUES, FleetReader
from quarry.recency import RedisRecency
from quarry.redisio import make_client
from quarry.scheduler import CrawlRegistry
from quarry.tasks.app import BROWSER_QUEUE, HTTP_QUEUE
from quarry.types.proxy import Endpoint, ProxyPool
from quarry.types.rotation import Ask
from tests.flower.fleet import SECRET, wait_for
from tests.metrics.conftest import make_pool_config, scrape
from tests.proxies.servers import Tinyproxy
from tests.workers.kit import free_port

pytestmark = pytest.mark.slow


@pytest.mark.clause("METRICS-09")
def test_a_crawl_is_followed_to_its_end(fleet, served, tmp_path):
    """While it runs and when it has ended, the figures are the ledger's, and both equations hold."""
    until = tmp_path / "go on"
    fleet.worker("w")
    fleet.seed("shop", {"url": fleet.site.url, "until": str(until)}, max_attempts=2)
    wait_for(lambda: served.of("shop").get(("settled_total", "succeeded")) == 7, "seven jobs in the figures")
    running = served.of("shop")
    assert running[("jobs", "leased")] == 1
    assert running[("status", "open")] == 1
    assert running[("imbalance", "received")] == running[("imbalance", "admitted")] == 0
    assert ("closed_timestamp_seconds",) not in running
    until.touch()
    counts = fleet.wait_closed("shop")
    wait_for(lambda: served.of("shop").get(("status", "closed")) == 1, "the close in the figures")
    ended = served.of("shop")
    for name in ("received", "admitted", "replayed", "seeds", "unread", "redeliveries"):
        assert ended[(f"{name}_total",)] == getattr(counts, name)
    for name in ("pending", "leased", "committing", "succeeded", "failed", "not_executed"):
        assert ended[("jobs", name)] == getattr(counts, name)
    assert ended[("verdicts_total", "duplicate")] == counts.duplicate
    assert ended[("imbalance", "received")] == ended[("imbalance", "admitted")] == 0
    assert ended[("closed_timestamp_seconds",)] >= ended[("created_timestamp_seconds",)]
    of_redis = served.read()
    assert of_redis[("quarry_redis_memory_bytes",)] > 100_000
    assert of_redis[("quarry_queue_messages", "quarry")] == 0


@pytest.mark.clause("METRICS-09")
def test_messages_that_wait_are_counted_by_list(fleet, served):
    """No worker: what the ledger handed out lies in the broker's list."""
    fleet.seed("waiting", {"url": fleet.site.url}, {"url": f"{fleet.site.url}products/1.html"})
    assert served.read()[("quarry_queue_messages", "quarry")] == 2
    assert served.read()[("quarry_queue_messages", "quarry.browser")] == 0
    assert (HTTP_QUEUE, BROWSER_QUEUE) == QUEUES


@pytest.mark.clause("METRICS-10")
def test_a_redis_that_goes_away_is_zero_and_back_is_one(fleet, served):
    """Killed, started again: nothing raises, and the log says both."""
    fleet.seed("waiting", {"url": fleet.site.url})
    assert served.read()[("quarry_up",)] == 1
    server = fleet.processes[0]
    server.kill()
    server.wait()
    gone = served.read()
    assert gone[("quarry_up",)] == 0
    assert not [key for key in gone if key[0].startswith(("quarry_crawl", "quarry_redis", "quarry_queue"))]
    fleet.start_redis()
    assert served.read()[("quarry_up",)] == 1
    assert "Redis answers again" in fleet.log("metrics")
    assert "Traceback" not in fleet.log("metrics")
    assert SECRET not in fleet.log("metrics")


@pytest.mark.clause("METRICS-10")
def test_a_redis_that_hangs_costs_no_more_than_the_timeout(fleet):
    """A stopped server accepts connections and says nothing."""
    reader = FleetReader(fleet.url, timeout_s=0.3)
    assert reader.read_blocking() is not None
    server = fleet.processes[0]
    server.send_signal(signal.SIGSTOP)
    try:
        assert reader.read_blocking() is None
        assert reader.problem == "Redis took longer than 0.3 s"
    finally:
        server.send_signal(signal.SIGCONT)
    assert reader.read_blocking() is not None
    assert reader.problem is None


@pytest.mark.clause("METRICS-10")
def test_a_wrong_password_is_a_redis_that_refuses(fleet):
    reader = FleetReader(fleet.url.replace(SECRET, "guessed-it"), timeout_s=5)
    assert reader.read_blocking() is None
    assert "guessed-it" not in str(reader.problem)


@pytest.mark.clause("METRICS-11")
def test_of_ended_crawls_only_the_latest_are_shown(fleet):
    """All open ones are; labels are bounded by what is at work, not by what ever was."""
    fleet.worker("w")
    for n in range(4):
        fleet.seed(f"ended-{n}", {"url": f"{fleet.site.url}products/{n + 1}.html"}, script="detail.py")
        fleet.wait_closed(f"ended-{n}")
    wait_for(lambda: fleet.client().zcard("quarry:ended") == 4, "four retired crawls")
    until = fleet.folder / "go on"
    for n in range(3):
        fleet.seed(f"open-{n}", {"url": fleet.site.url, "until": str(until)})
    reader = FleetReader(fleet.url, max_ended=2)
    for _ in range(2):  # the second look knows the ended ones already
        figures = reader.read_blocking()
        assert figures is not None
        names = sorted(each.crawl for each in figures.crawls)
        assert names == ["ended-2", "ended-3", "open-0", "open-1", "open-2"]
    until.touch()
    for n in range(3):
        fleet.wait_closed(f"open-{n}")


@pytest.mark.clause("METRICS-12")
def test_a_crawl_that_cant_be_read_hides_no_other(fleet, served):
    """A foreign key in its place, and one that is only named."""
    fleet.seed("good", {"url": fleet.site.url})

    async def spoil() -> None:
        client = make_client(fleet.url)
        try:
            registry = CrawlRegistry(client)
            await registry.register("foreign")
            await registry.register("expired")
            await client.set("q:{foreign}:meta", "not a ledger")
        finally:
            await client.aclose()

    asyncio.run(spoil())
    found = served.read()
    assert found[("quarry_up",)] == 1
    assert found[("quarry_crawls_unreadable",)] == 1
    assert found[("quarry_crawl_received_total", "good")] == 1
    assert ("quarry_crawl_received_total", "expired") not in found


def refused(fleet, *arguments: str, env: dict[str, str] | None = None) -> str:
    """What the command says that refuses to start."""
    process = fleet.spawn(
        "refused", sys.executable, "-m", "quarry.cli", "metrics", "serve", *arguments, env=env
    )
    try:
        assert process.wait(60) == 64
    except subprocess.TimeoutExpired:
        raise AssertionError(fleet.log("refused")) from None
    said = fleet.log("refused")
    assert "Traceback" not in said
    assert SECRET not in said
    return said


@pytest.mark.clause("METRICS-13")
def test_what_makes_no_sense_is_refused_with_one_sentence(fleet):
    assert "no broker" in refused(fleet, env={"QUARRY_BROKER": ""})
    assert refused(fleet, env={"QUARRY_BROKER": f"http://:{SECRET}@localhost"})
    assert "--port" in refused(fleet, "--port", "70000")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "choose another port" in refused(fleet, "--port", port)


@pytest.mark.clause("METRICS-13")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_zero(fleet, served, number):
    served.process.send_signal(number)
    assert served.process.wait(30) == 0


@pytest.mark.clause("METRICS-14")
def test_a_worker_counts_its_runs(fleet):
    """One run fails twice, one once: eleven runs of nine jobs."""
    port = free_port()
    fleet.worker("w", env={"QUARRY_METRICS_PORT": str(port)})
    wait_for(lambda: scrape(port), "the worker's figures")
    fleet.seed("shop", {"url": fleet.site.url}, max_attempts=2)
    fleet.wait_closed("shop")
    wait_for(lambda: scrape(port)[("quarry_worker_deliveries_running",)] == 0, "the last delivery's end")
    found = scrape(port)
    assert found[("quarry_worker_runs_total", "success")] == 8
    assert found[("quarry_worker_runs_total", "script_error")] == 3
    assert found[("quarry_worker_run_seconds_count",)] == 11
    assert found[("quarry_worker_deliveries_total", "committed")] == 9
    assert found[("quarry_worker_deliveries_total", "retry_ok")] == 2
    assert found[("quarry_worker_events_total", "enqueue")] == 8
    assert found[("quarry_worker_events_total", "item")] == 7
    assert found[("quarry_worker_events_total", "run_error")] == 3
    assert found[("quarry_worker_stored_bytes_total",)] > 1_000
    assert found[("quarry_worker_executors_started_total",)] >= 1


@pytest.mark.clause("METRICS-14")
def test_a_lost_lease_is_counted_where_it_was_lost_and_where_the_run_went(fleet, served, tmp_path):
    """A worker stopped for longer than its lease: the other one runs it again, the first one hears of it."""
    until = tmp_path / "go on"
    ports = {"a": free_port(), "b": free_port()}
    first = fleet.worker("a", env={"QUARRY_METRICS_PORT": str(ports["a"])})
    wait_for(lambda: scrape(ports["a"]), "the first worker's figures")
    fleet.seed("held", {"url": fleet.site.url, "until": str(until)}, depth=0, lease_ms=3_000)
    # Only a claimed delivery tells the ledger of its enqueue events.
    wait_for(lambda: served.of("held").get(("verdicts_total", "beyond_depth")) == 8, "the claimed run")
    assert scrape(ports["a"])[("quarry_worker_deliveries_running",)] == 1
    first.send_signal(signal.SIGSTOP)
    try:
        fleet.worker("b", env={"QUARRY_METRICS_PORT": str(ports["b"])})
        wait_for(
            lambda: scrape(ports["b"]).get(("quarry_worker_redeliveries_total",)) == 1, "the second delivery"
        )
    finally:
        first.send_signal(signal.SIGCONT)
    wait_for(lambda: scrape(ports["a"]).get(("quarry_worker_leases_lost_total",)) == 1, "the lost lease")
    assert served.of("held")[("redeliveries_total",)] == 1
    until.touch()
    assert fleet.wait_closed("held").succeeded == 1
    assert scrape(ports["b"])[("quarry_worker_leases_lost_total",)] == 0


@pytest.mark.clause("METRICS-14")
def test_a_worker_whose_port_is_taken_says_so_and_ends(fleet):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        worker = fleet.worker("w", env={"QUARRY_METRICS_PORT": port})
        assert worker.wait(60) != 0
    assert "choose another port" in fleet.log("w")


@pytest.mark.clause("METRICS-18", "METRICS-19", "PROXY-21")
def test_a_crawl_through_proxies_is_counted_by_endpoint_and_by_pool(fleet, served, tmp_path):
    """Nine jobs, eleven runs, two proxies in turn: by the worker and by Redis, and no password anywhere."""
    port = free_port()
    with Tinyproxy(tmp_path / "p1") as one, Tinyproxy(tmp_path / "p2") as two:
        config, pool = make_pool_config(tmp_path, one, two)
        fleet.worker("w", env={"QUARRY_METRICS_PORT": str(port), "QUARRY_CONFIG": str(config)})
        wait_for(lambda: scrape(port), "the worker's figures")
        assert scrape(port)[("quarry_proxy_choice_reasons_total", "shop", "free")] == 0
        fleet.seed("shop", {"url": fleet.site.url}, max_attempts=2, pool=pool)
        fleet.wait_closed("shop")
        wait_for(lambda: scrape(port)[("quarry_worker_deliveries_running",)] == 0, "the last delivery's end")
        found, redis = scrape(port), served.read()
        names = [endpoint.identity for endpoint in pool.endpoints]
        assert sorted(found[("quarry_proxy_choices_total", name, "shop")] for name in names) == [5, 6]
        carried = [found[("quarry_proxy_requests_total", name, "shop", "ok")] for name in names]
        assert carried == [len(one.carried()), len(two.carried())]
        assert sum(carried) == 11
        for name in names:
            assert found[("quarry_proxy_requests_total", name, "shop", "failed")] == 0
            assert found[("quarry_proxy_latency_seconds_total", name, "shop")] >= 0
            assert found[("quarry_proxy_rests_total", name, "shop")] == 0
        assert found[("quarry_proxy_choice_reasons_total", "shop", "free")] == 11
        assert redis[("quarry_proxy_pool_choices_total", pool.digest, "shop")] == 11
        assert redis[("quarry_proxy_pool_endpoints", pool.digest, "shop")] == 2
        assert redis[("quarry_proxy_pool_resting", pool.digest, "shop")] == 0
        assert one.password not in str([*found, *redis])


@pytest.mark.clause("METRICS-19")
def test_a_pool_that_cant_be_read_hides_no_other_and_no_crawl(fleet):
    """A foreign key in the place of one pool's state; then in that of their list."""
    fleet.seed("good", {"url": fleet.site.url})
    pools = [
        ProxyPool(
            name=name,
            strategy="round_robin",
            endpoints=(Endpoint(protocol="http", host="127.0.0.1", port=1),),
        )
        for name in ("bad", "fine")
    ]

    async def use() -> None:
        client = make_client(fleet.url)
        try:
            for pool in pools:
                await RedisRecency(client).announce(pool)
                await RedisRecency(client).choose(pool, Ask(order="next"))
        finally:
            await client.aclose()

    asyncio.run(use())
    reader = FleetReader(fleet.url)
    client = fleet.client()
    client.set(f"quarry:proxy:{{bad:{pools[0].digest}}}:meta", "foreign")
    figures = reader.read_blocking()
    assert figures is not None
    assert [(each.pool, each.choices) for each in figures.pools] == [("fine", 1)]
    assert (figures.pools_unreadable, len(figures.crawls)) == (1, 1)
    client.set("quarry:proxies", "foreign")
    figures = reader.read_blocking()
    assert figures is not None
    assert (list(figures.pools), figures.pools_unreadable, len(figures.crawls)) == ([], 1, 1)
