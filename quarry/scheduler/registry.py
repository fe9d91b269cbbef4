"""Which crawls of a Redis somebody must look after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from quarry.redisio import Retrier

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from quarry.redisio import RedisClient

REGISTRY_KEY = "quarry:crawls"
ENDED_KEY = "quarry:ended"
"""Closed crawls by the time of their close (Redis ms), for those who list them; trimmed as they expire."""


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

    async def retire(self, crawl: str, *, closed_ms: int, keep_ms: int) -> None:
        """Move a closed crawl to the ended ones, and drop those that have expired.

        Args:
            crawl: Its id.
            closed_ms: Redis time of its close.
            keep_ms: How long an ended crawl stays listed, counted back from this one's close.
        """
        client = self._client
        await self._retrier.run(lambda: cast("Awaitable[Any]", client.zadd(ENDED_KEY, {crawl: closed_ms})))
        await self._retrier.run(
            lambda: cast("Awaitable[Any]", client.zremrangebyscore(ENDED_KEY, "-inf", closed_ms - keep_ms))
        )
        await self.forget(crawl)

    async def drop(self, crawl: str) -> None:
        """Take a crawl out of both lists; again is no error."""
        await self._retrier.run(lambda: cast("Awaitable[Any]", self._client.zrem(ENDED_KEY, crawl)))
        await self.forget(crawl)

    async def all_crawls(self) -> list[str]:
        """List the open crawls, sorted, then the ended ones, the latest first."""
        ended = await self._retrier.run(
            lambda: cast("Awaitable[list[bytes]]", self._client.zrevrange(ENDED_KEY, 0, -1))
        )
        return list(dict.fromkeys([*await self.crawls(), *(crawl.decode() for crawl in ended)]))

    async def crawls(self) -> list[str]:
        """List the registered crawls, sorted."""
        members = await self._retrier.run(
            lambda: cast("Awaitable[set[bytes]]", self._client.smembers(REGISTRY_KEY))
        )
        return sorted(member.decode() for member in members)
