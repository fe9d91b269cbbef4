"""The registry of crawls that somebody must look after."""

from __future__ import annotations

from quarry.scheduler import CrawlRegistry


async def test_registered_crawls_are_listed_until_they_are_forgotten(client):
    """Both may be repeated."""
    registry = CrawlRegistry(client)
    assert await registry.crawls() == []
    for crawl in ("c2", "c1", "c2"):
        await registry.register(crawl)
    assert await registry.crawls() == ["c1", "c2"]
    await registry.forget("c1")
    await registry.forget("c1")
    assert await registry.crawls() == ["c2"]
