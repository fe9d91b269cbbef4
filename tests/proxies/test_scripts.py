"""Which runs of one crawl go through which pool, by what the site saw."""

from __future__ import annotations

import pytest

import quarry.lode
from tests.proxies.rig import FETCH
from tests.proxies.servers import HOST

pytestmark = pytest.mark.xdist_group("proxies-rig")


@pytest.mark.clause("PROXY-03", "PROXY-15")
def test_a_scripts_entry_beats_the_parents_pool_and_none_goes_direct(rig):
    """A child has its parent's pool; `proxy: POOL` and `proxy: none` at a script win, for its children too."""

    def job(name, *children):
        return {"url": f"{rig.site.url()}/scripts/{name}", "children": list(children)}

    root = job(
        "root",
        ["fetch.py", job("child", ["fetch.py", job("grandchild")])],
        ["images", job("images", [FETCH, job("child-of-images")])],
        ["api", job("api", [FETCH, job("child-of-api")])],
    )
    before = rig.carried()
    done = rig.crawl("scripts", [root], pool="turns")
    assert done.code == 0, done.stderr
    records = quarry.lode.open(rig.fleet.storage).runs(crawl="scripts")
    pools = {record.job["url"].rpartition("/")[2]: (record.proxy or {}).get("pool") for record in records}
    assert pools == {
        **dict.fromkeys(["root", "child", "grandchild"], "turns"),
        **dict.fromkeys(["images", "child-of-images"], "other"),
        **dict.fromkeys(["api", "child-of-api"], None),
    }
    direct = {request.path for request in rig.site.of("/scripts/") if request.peer == HOST}
    assert direct == {"/scripts/api", "/scripts/child-of-api"}
    assert sum(rig.carried()) - sum(before) == 5
