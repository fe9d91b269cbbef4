"""What a Redis holds, copied and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarry.redisio import RedisClient


async def dump(client: RedisClient) -> dict[bytes, bytes]:
    """Copy every key; none of them expires yet."""
    keys = await client.keys()
    async with client.pipeline(transaction=True) as pipe:
        for key in keys:
            pipe.dump(key)
        return dict(zip(keys, await pipe.execute(), strict=True))


async def restore(client: RedisClient, held: dict[bytes, bytes]) -> None:
    """Let Redis hold that again, and nothing else."""
    async with client.pipeline(transaction=True) as pipe:
        pipe.flushall()
        for key, value in held.items():
            pipe.restore(key, 0, value)
        await pipe.execute()
