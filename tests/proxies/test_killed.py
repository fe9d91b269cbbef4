"""One proxy of four is killed while a crawl goes through it."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.proxies import killing
from tests.proxies.rig import running_rig

RUNS, BEFORE, PARALLEL = 400, 40, 12
HEALTH = {"failures": 2, "window": "60s", "rest": "1s", "max_rest": "4s", "trial": "5s"}


@pytest.mark.slow
@pytest.mark.clause("PROXY-19")
async def test_health_spares_four_of_five_failures_and_takes_a_restarted_proxy_back(tmp_path):
    """With health on at most a fifth of the runs fail that fail without it; `bench/proxies/killed.py` has more."""
    pools = {"on": {"health": HEALTH}, "off": {"health": "off"}}
    with running_rig(tmp_path, pools, proxies=4, workers=2, slots=6) as rig:
        victim, found = rig.proxies[1], {}
        for pool in ("off", "on"):
            watcher = killing.begin(rig, pool, RUNS, pool=pool, parallel=PARALLEL, wait=0.05, retries=0)
            killing.wait_requests(rig, pool, BEFORE)
            found[pool] = killing.finish(watcher, killing.kill(rig, victim))
            print(pool, found[pool])
            if pool == "off":
                victim.start()
        assert found["off"].failed >= 50
        assert found["on"].failed * 5 <= found["off"].failed
        assert (await killing.figures_of(rig, "off", victim)).state == "healthy"
        assert (await killing.figures_of(rig, "on", victim)).rests > 0
        carried = len(victim.carried())
        victim.start()
        deadline = time.monotonic() + 60
        for number in itertools.count():
            done = rig.crawl(f"back-{number}", rig.jobs(f"back-{number}", 12), pool="on", parallel=2)
            assert done.code == 0, done.stderr
            if len(victim.carried()) > carried + 1:
                break
            assert time.monotonic() < deadline, "the proxy runs again and nobody uses it"
        figures = await killing.figures_of(rig, "on", victim)
        assert (figures.state, figures.rests) == ("healthy", 0)
