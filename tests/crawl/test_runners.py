"""Which pools a worker keeps."""

from __future__ import annotations

import msgspec
import pytest

from quarry.crawl.plan import CrawlPlan
from quarry.crawl.runners import Runners


class Pool:
    """A pool of no process, which says whether it lives."""

    def __init__(self, folder):
        self.folder = folder
        self.state = "made"

    async def start(self):
        self.state = "started"

    async def close(self, grace_s):
        self.state = "closed"


@pytest.fixture
def pools():
    """Every pool that was made, oldest first."""
    return []


@pytest.fixture
def runners(pools):
    def make_pool(folder):
        pools.append(Pool(folder))
        return pools[-1]

    return Runners(make_pool=make_pool, make_foreign=lambda path: path)


def plan_of(crawl, folder=None):
    plan = CrawlPlan(
        crawl=crawl,
        day="2026-01-02",
        started_at=0.0,
        storage_path="/s",
        dataset="d",
        policy="strict",
        timeout_ms=1,
        scripts_root="/r",
        cwd="/r",
    )
    return msgspec.structs.replace(plan, resolve_from=folder)


async def test_pools_of_ended_crawls_are_ended(runners, pools):
    """A worker that lives for months holds executors for the crawls that are open, not for all that ever were."""
    for crawl, folder in (("a", "/one"), ("b", "/one"), ("c", "/two"), ("d", None)):
        await runners.runner_for(plan_of(crawl, folder))
    assert [pool.folder for pool in pools] == ["/one", "/two", None]
    await runners.keep_for({"b", "unknown"})
    assert [pool.state for pool in pools] == ["started", "closed", "started"]
    await runners.keep_for(set())
    assert [pool.state for pool in pools] == ["closed", "closed", "started"]


async def test_a_pool_that_was_ended_is_made_again(runners, pools):
    """A later crawl of the same folder finds one that lives."""
    await runners.runner_for(plan_of("a", "/one"))
    await runners.keep_for(set())
    again = await runners.runner_for(plan_of("b", "/one"))
    assert (again, again.state) == (pools[1], "started")
    await runners.close(grace_s=0)
    assert [pool.state for pool in pools] == ["closed", "closed"]
