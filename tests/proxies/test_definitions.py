"""Workers that define one pool differently, or not at all."""

from __future__ import annotations

import json
from collections import Counter

import pytest

import quarry.lode
from quarry.recency import RedisRecency
from quarry.redisio import make_client
from tests.e2e.harness import wait_for
from tests.proxies.failing import FailingProxy
from tests.proxies.rig import running_rig


def _crawl_with_a_stranger(rig, crawl, stranger, config):
    """A crawl of which the stranger gets all jobs but one, which the other worker holds meanwhile."""
    gate = rig.folder / f"{crawl}.gate"
    jobs = rig.jobs(crawl, 8, then=["on"], gate=str(gate))
    watcher = rig.fleet.begin(*rig.crawl_arguments(crawl, jobs, "pool", 4), "--max-failures", "7")
    wait_for(lambda: rig.site.of(f"/{crawl}/"), what="the first request")
    rig.start_worker(stranger, config=config)
    rig.fleet.wait_ready(stranger)
    wait_for(lambda: rig.fleet.counters(crawl).get("failed") == 7, what="the stranger's share")
    rig.fleet.workers[stranger].terminate()
    rig.fleet.workers[stranger].wait()
    gate.touch()
    done = watcher.wait()
    assert done.code == 0, done.stderr
    assert len(rig.site.of(f"/{crawl}/")) == 2, "the stranger sent a request"
    assert len(set(rig.workers_of_runs(crawl).values())) == 1
    records = quarry.lode.open(rig.fleet.storage).runs(crawl=crawl)
    assert Counter(record.outcome.status.value for record in records) == {"success": 1, "executor_crash": 7}
    (group,) = done.result["failures"]
    return group


@pytest.mark.slow
@pytest.mark.clause("PROXY-11")
async def test_a_worker_with_another_definition_does_not_run_the_jobs(tmp_path):
    """Another order of one list, or no such pool: a clear outcome, counted, named in the summary."""
    pools = {"pool": {"strategy": "round_robin"}}
    with running_rig(tmp_path, pools, proxies=2, kinds=(FailingProxy,), workers=0) as rig:
        rig.start_worker("same", slots=1)
        rig.fleet.wait_ready()
        other = rig.configure("other.yaml", rig.proxies[::-1])
        group = _crawl_with_a_stranger(rig, "order", "other", other)
        assert (group["error_type"], group["count"]) == ("proxy_mismatch", 7)
        assert "proxy pool 'pool' on " in group["example"]["message"]
        bare = rig.configure("bare.yaml", pools=False)
        group = _crawl_with_a_stranger(rig, "none", "bare", bare)
        assert (group["error_type"], group["count"]) == ("unknown_proxy_pool", 7)
        assert "no proxy pool 'pool'" in group["example"]["message"]
        await _assert_states_are_apart(rig, other)


async def _assert_states_are_apart(rig, other):
    """A crawl of the other definition begins its own rotation, and its worker says that there are two."""
    before = await rig.figures("pool")
    rig.fleet.workers["same"].terminate()
    rig.fleet.workers["same"].wait()
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
