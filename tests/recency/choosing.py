"""A process that chooses from a pool as fast as it can; its choices come on standard output as JSON."""

from __future__ import annotations

import asyncio
import json
import random
import sys

from quarry.recency import RedisRecency
from quarry.redisio import make_client
from quarry.testing import make_pool
from quarry.types.rotation import Ask


async def main(url: str, *, size: int, window: int, count: int, seed: int) -> None:
    """Choose, and print [number, position] of each choice."""
    client = make_client(url)
    store, dice = RedisRecency(client), random.Random(seed)
    pool = make_pool(size, strategy="random" if window else "round_robin", window=window)
    order, found = "random" if window else "next", []
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count):
        choice = await store.choose(pool, Ask(order=order, window=window, dice=dice.getrandbits(32)))
        found.append([choice.number, choice.index])
    await client.aclose()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    size, window, count, seed = (int(text) for text in sys.argv[2:])
    asyncio.run(main(sys.argv[1], size=size, window=window, count=count, seed=seed))
