"""What the server says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, kw_only=True)
class ServerInfo:
    """Facts of a Redis server that Quarry's promises depend on.

    Attributes:
        version: Redis version that it is compatible with.
        run_id: Changes with every start.
        aof: Whether it keeps an append-only file.
        aof_pending_fsyncs: Syncs of that file that wait in the background.
        maxmemory_policy: What it does when memory is full.
        used_memory_bytes: Memory in use.
    """

    version: str
    run_id: str
    aof: bool
    aof_pending_fsyncs: int
    maxmemory_policy: str
    used_memory_bytes: int

    @property
    def evicts_keys(self) -> bool:
        """Whether a full memory makes it forget keys: no ledger may live there."""
        return self.maxmemory_policy != "noeviction"


async def read_server_info(client: Redis) -> ServerInfo:
    """Ask the server (one INFO).

    Raises:
        RedisError: Whatever redis-py raises; callers map it.
    """
    info = await client.info()
    return ServerInfo(
        version=str(info.get("redis_version", "")),
        run_id=str(info.get("run_id", "")),
        aof=bool(int(info.get("aof_enabled", 0))),
        aof_pending_fsyncs=int(info.get("aof_pending_bio_fsync", 0)),
        maxmemory_policy=str(info.get("maxmemory_policy", "noeviction")),
        used_memory_bytes=int(info.get("used_memory", 0)),
    )


async def ping(client: Redis) -> bool:
    """Say whether the server answers; raises nothing that means that it does not."""
    from redis.exceptions import RedisError

    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
