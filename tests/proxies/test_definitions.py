"""Workers that define one pool differently, or not at all."""

from __future__ import annotations

import json

import pytest

import quarry.lode
from quarry.recency import RedisRecency
from quarry.redisio import make_client
from tests.e2e.harness import wait_for
from tests.proxies.failing import FailingProxy
from tests.proxies.rig import running_rig


def _crawl_without_the_pool(rig, crawl, redeliveries):
    """A crawl that no worker can run; each of its jobs is delivered so many times again. Gives its failures."""
    command = rig.crawl_arguments(crawl, rig.jobs(crawl, 2), "pool", 2)
    done = rig.fleet.quarry(*command, "--max-redeliveries", str(redeliveries))
    assert done.code == 0, done.stderr
    assert rig.site.of(f"/{crawl}/") == [], "a request went out without its pool"
    assert done.result["fanout"]["redeliveries"] == 2 * redeliveries
    (group,) = done.result["failures"]
    return group


def _end_worker(rig, name):
    rig.fleet.workers[name].terminate()
    rig.fleet.workers[name].wait()


@pytest.mark.slow
@pytest.mark.clause("PROXY-11")
async def test_a_worker_with_another_definition_leaves_the_jobs_to_others(tmp_path):
    """Another order of one list, or no such pool: others run them; where there are none it is a clear outcome."""
    pools = {"pool": {"strategy": "round_robin"}}
    with running_rig(tmp_path, pools, proxies=2, kinds=(FailingProxy,), workers=0) as rig:
        other = rig.configure("other.yaml", rig.proxies[::-1])
        rig.start_worker("other", config=other)
        rig.fleet.wait_ready("other")
        command = rig.crawl_arguments("order", rig.jobs("order", 8), "pool", 4)
        watcher = rig.fleet.begin(*command, "--max-redeliveries", "1000")
        wait_for(lambda: "run.handed_back" in rig.fleet.log("other"), what="the stranger's first job")
        rig.start_worker("same", slots=1)
        done = watcher.wait()
        assert done.code == 0, done.stderr
        records = quarry.lode.open(rig.fleet.storage).runs(crawl="order")
        assert [record.outcome.status.value for record in records] == ["success"] * 8
        assert set(rig.workers_of_runs("order").values()) == {"same"}
        assert len(rig.site.of("/order/")) == 8, "the stranger sent a request"
        assert done.result["fanout"]["redeliveries"] >= 1
        _end_worker(rig, "same")
        group = _crawl_without_the_pool(rig, "alone", 1)
        assert (group["error_type"], group["count"]) == ("proxy_mismatch", 2)
        assert "proxy pool 'pool' on " in group["example"]["message"]
        _end_worker(rig, "other")
        rig.start_worker("bare", config=rig.configure("bare.yaml", pools=False))
        rig.fleet.wait_ready("bare")
        group = _crawl_without_the_pool(rig, "none", 0)
        assert (group["error_type"], group["count"]) == ("unknown_proxy_pool", 2)
        assert "no proxy pool 'pool'" in group["example"]["message"]
        _end_worker(rig, "bare")
        await _assert_states_are_apart(rig, other)


async def _assert_states_are_apart(rig, other):
    """A crawl of the other definition begins its own rotation, and its worker says that there are two."""
    before = await rig.figures("pool")
    rig.start_worker("alike", config=other)
    rig.fleet.wait_ready("alike")
    command = rig.crawl_arguments("alike", rig.jobs("alike", 3), "pool", 1)
    command[command.index(str(rig.config))] = str(other)
    done = rig.fleet.quarry(*command)
    assert done.code == 0, done.stderr
    assert [rig.at(request.peer) for request in rig.site.of("/alike/")] == [1, 0, 1]
    after = await rig.figures("pool")
    assert {at: found.chosen for at, found in after.endpoints.items()} == {
        at: found.chosen for at, found in before.endpoints.items()
    }
    client = make_client(rig.fleet.url)
    try:
        definitions = await RedisRecency(client).definitions()
    finally:
        await client.aclose()
    assert [definition.name for definition in definitions] == ["pool", "pool"]
    said = [json.loads(line) for line in rig.fleet.log("alike").splitlines() if line.startswith("{")]
    (warning,) = [line for line in said if line["event"] == "proxy.definitions_differ"]
    assert warning["others"] == [rig.pool("pool").digest]
