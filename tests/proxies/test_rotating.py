"""`rotate_proxy` in crawls on a real fleet, by what the site and Redis saw of it."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

import quarry.lode
from tests.proxies.site import HOSTS

pytestmark = pytest.mark.xdist_group("proxies-rig")


@pytest.mark.slow
@pytest.mark.clause("PROXY-16", "PROXY-17")
def test_each_rotation_takes_the_next_request_elsewhere(rig):
    """Three rotations a run, 24 at once: four requests through four proxies, each event stored."""
    done = rig.crawl("rotated", rig.jobs("rotated", 48, then=["slow", None, "odd"]), pool="rotating")
    assert done.code == 0, done.stderr
    by_run = defaultdict(dict)
    for request in rig.site.of("/rotated/"):
        by_run[request.path][request.query["step"]] = rig.at(request.peer)
    assert len(by_run) == 48
    assert all(len(set(steps.values())) == len(steps) == 4 for steps in by_run.values())
    reader = quarry.lode.open(rig.fleet.storage)
    assert reader.scan(event_type="rotate_proxy", crawl="rotated").num_rows == 48 * 3
    # The record names the last one.
    last = {f"{rig.site.url()}{path}": steps["3"] for path, steps in by_run.items()}
    assert rig.endpoints_of_runs("rotated") == last
    assert len(rig.marks("rotating")) == 48 * 4


@pytest.mark.slow
@pytest.mark.clause("PROXY-17")
async def test_a_banned_endpoint_rests_for_that_domain_alone(rig):
    """Nobody goes through it to that domain any more; to another one as before."""
    shop, other = HOSTS[0], HOSTS[1]
    done = rig.crawl("ban", rig.jobs("ban", 1, hosts=[shop], then=["banned"]), pool="banning")
    assert done.code == 0, done.stderr
    banned = rig.at(rig.site.of("/ban/")[0].peer)
    done = rig.crawl("after", rig.jobs("after", 48, hosts=[shop, other]), pool="banning")
    assert done.code == 0, done.stderr
    to = defaultdict(set)
    for request in rig.site.of("/after/"):
        to[request.host].add(rig.at(request.peer))
    assert banned not in to[shop]
    figures = await rig.figures("banning")
    endpoint = figures.endpoints[banned]
    assert set(endpoint.banned) == {shop}
    assert endpoint.banned[shop] > figures.now_ms
    assert (endpoint.state, endpoint.failed) == ("healthy", 0)
    assert [at for at, each in figures.endpoints.items() if each.banned] == [banned]
    # Round-robin goes on for the other domain: it comes to the banned one within two rounds of its own.
    done = rig.crawl("other", rig.jobs("other", 24, hosts=[other]), pool="banning")
    assert done.code == 0, done.stderr
    assert Counter(rig.at(request.peer) for request in rig.site.of("/other/"))[banned] == 2
