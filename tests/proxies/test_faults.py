"""Proxies that fail each in its own way: which of them the fleet holds against them."""

from __future__ import annotations

import pytest

from tests.proxies.failing import FAULTS, FailingProxy
from tests.proxies.rig import running_rig

OWN = {"refuse", "407", "hang"}
"""Faults that are the proxy's; a 502, or an answer that is cut, may be the target's."""


@pytest.mark.slow
@pytest.mark.clause("PROXY-18", "PROXY-19")
async def test_only_what_is_the_proxys_own_fault_makes_it_rest(tmp_path):
    """One request through each: three rest, and no later run gets these."""
    pools = {"pool": {"health": {"failures": 1, "rest": "1h", "max_rest": "1h"}}}
    with running_rig(tmp_path, pools, proxies=len(FAULTS), kinds=(FailingProxy,), workers=1) as rig:
        for proxy, fault in zip(rig.proxies, FAULTS, strict=True):
            proxy.fail(fault)
        jobs = rig.jobs("faults", len(FAULTS), retries=0, timeout_s=1)
        done = rig.crawl("faults", jobs, "--max-failures", "5", pool="pool", parallel=1)
        assert done.result["fanout"]["succeeded"] == 1, done.stdout
        figures = await rig.figures("pool")
        states = {FAULTS[at]: (found.state, found.failed) for at, found in figures.endpoints.items()}
        print("after one request each:", states)
        assert states == {fault: ("resting", 1) if fault in OWN else ("healthy", 0) for fault in FAULTS}
        again = rig.jobs("again", 9, retries=0, timeout_s=1)
        done = rig.crawl("again", again, "--max-failures", "6", pool="pool", parallel=1)
        assert done.result["fanout"]["succeeded"] == 3, done.stdout
        chosen = {FAULTS[at]: found.chosen for at, found in (await rig.figures("pool")).endpoints.items()}
        assert {fault for fault, count in chosen.items() if count == 1} == OWN
        # The same silence, of the target now: nothing is held against the proxies.
        for proxy in rig.proxies:
            proxy.fail("none")
        slow = rig.jobs("slow", 3, retries=0, timeout_s=1, wait=30)
        done = rig.crawl("slow", slow, "--max-failures", "3", pool="pool")
        assert done.result["fanout"]["failed"] == 3, done.stdout
        figures = await rig.figures("pool")
        assert sum(found.failed for found in figures.endpoints.values()) == len(OWN)
