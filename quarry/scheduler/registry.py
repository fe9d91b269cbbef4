"""Which crawls of a Redis somebody must look after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from quarry.redisio import Retrier

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from quarry.redisio import RedisClient

REGISTRY_KEY = "quarry:crawls"


class CrawlRegistry:
    """The crawls of this Redis that are not closed yet. A hint: the ledgers are the truth.

    A crawl is registered before its first seed; whoever finds that it is closed or not there forgets it.

    Args:
        client: Redis, answering bytes.
        retrier: How long an absent Redis is waited for.
    """

    def __init__(self, client: RedisClient, *, retrier: Retrier | None = None) -> None:
        self._client = client
        self._retrier = retrier or Retrier()

    async def register(self, crawl: str) -> None:
        """Add a crawl; again is no error."""
        await self._retrier.run(lambda: cast("Awaitable[Any]", self._client.sadd(REGISTRY_KEY, crawl)))

    async def forget(self, crawl: str) -> None:
        """Take a crawl away; again is no error."""
        await self._retrier.run(lambda: cast("Awaitable[Any]", self._client.srem(REGISTRY_KEY, crawl)))

    async def crawls(self) -> list[str]:
        """List the registered crawls, sorted."""
        members = await self._retrier.run(
            lambda: cast("Awaitable[set[bytes]]", self._client.smembers(REGISTRY_KEY))
        )
        return sorted(member.decode() for member in members)
