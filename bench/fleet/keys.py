"""Redis memory of seen keys and of pending jobs, by admitting through the real Lua.

    python bench/fleet/keys.py [--keys 10000 100000 1000000] [--pending 10000] [--out FILE]

Seen keys are admitted into a stopped crawl, where nothing is kept of a job but its key. A pending job is
one of a crawl that executes nothing. Exit code 1 where a seen key costs more than 40 bytes at a million.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.fleet.measure import write
from bench.fleet.results import machine
from quarry.crawl.children import make_job
from quarry.crawl.plan import JobPayload
from quarry.engine.server import PrivateServer
from quarry.redisio import RedisClient, make_client
from quarry.scheduler import Bounds, Ledger, NewJob
from quarry.scheduler.names import BUCKETS, Names

TARGET_BYTES = 40
TARGET_KEYS = 1_000_000
_BATCH = 500
_TOKEN = "T" * 24
_WIDE_BUCKETS, _WIDE_KEYS = 20, 10_000
_URL = "https://shop.example/category/product-{n}"


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 where the target is met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, nargs="+", default=[10_000, 100_000, TARGET_KEYS])
    parser.add_argument("--pending", type=int, default=10_000)
    parser.add_argument("--folder", default=None, help="for the server's file, such as /dev/shm")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="quarry-keys-", dir=options.folder) as folder:
        server = PrivateServer(folder)
        server.start()
        try:
            found = asyncio.run(_measure(server.url, sorted(options.keys), options.pending))
        finally:
            server.stop()
    judged = [row for row in found["seen_keys"] if row["keys"] == TARGET_KEYS]
    found["checks"] = [
        {
            "name": "bytes a seen key at a million",
            "ok": row["bytes_per_key"] <= TARGET_BYTES,
            "told": f"{row['bytes_per_key']:.1f}, at most {TARGET_BYTES}",
        }
        for row in judged
    ]
    write(options.out, {**found, "complete": True})
    return 0 if all(check["ok"] for check in found["checks"]) else 1


async def _measure(url: str, sizes: list[int], pending: int) -> dict[str, Any]:
    client = make_client(url)
    try:
        return {
            "kind": "keys",
            "machine": machine(),
            "limits": {
                name: (await client.config_get(name))[name]
                for name in ("hash-max-listpack-entries", "hash-max-listpack-value")
            },
            "buckets": BUCKETS,
            "pending": await measure_pending(client, pending),
            "seen_keys": await measure_seen(client, sizes),
            "wide_key_bytes": await measure_wide(client),
        }
    finally:
        await client.aclose()


async def measure_seen(client: RedisClient, sizes: list[int]) -> list[dict[str, Any]]:
    """Admit keys up to each size in turn, and measure there.

    Args:
        client: An idle server.
        sizes: Rising.
    """
    ledger = Ledger(client, "keys")
    first = _job("keys", 0)
    await ledger.seed([first], seeder="s", start=0, end=1, bounds=_bounds(), final=True)
    await ledger.claim(first.key, _TOKEN)
    await ledger.stop()
    source, base, known, rows = random.Random(7), await _used(client), 0, []
    for size in sizes:
        started, former = time.monotonic(), known
        while known < size:
            batch = [_keyed(first, source) for _ in range(min(_BATCH, size - known))]
            await ledger.admit(first.key, _TOKEN, known, batch)
            known += len(batch)
        seconds = time.monotonic() - started
        rows.append(
            {
                "keys": known,
                "bytes_per_key": (await _used(client) - base) / known,
                "encodings": await _encodings(client, "keys"),
                "us_per_admission": 1e6 * seconds / max(1, known - former),
            }
        )
        print(f"{known} keys: {rows[-1]['bytes_per_key']:.1f} bytes a key", file=sys.stderr)
    return rows


async def measure_wide(client: RedisClient) -> float:
    """Give the bytes a key costs in a bucket that has outgrown the compact form.

    So many keys take long to admit; the buckets are filled directly, with fields and values as Lua would.
    """
    source, base = random.Random(7), await _used(client)
    for bucket in range(_WIDE_BUCKETS):
        fields: dict[Any, Any] = {source.randbytes(15): "2" for _ in range(_WIDE_KEYS)}
        await client.hset(f"wide:{bucket}", mapping=fields)
    bytes_per_key = (await _used(client) - base) / (_WIDE_BUCKETS * _WIDE_KEYS)
    await client.delete(*[f"wide:{bucket}" for bucket in range(_WIDE_BUCKETS)])
    return bytes_per_key


async def measure_pending(client: RedisClient, jobs: int) -> dict[str, Any]:
    """Admit jobs that nobody executes; give what each costs above its seen key."""
    ledger = Ledger(client, "pending")
    start = [_job("pending", 0)]
    await ledger.seed(start, seeder="s", start=0, end=1, bounds=_bounds(), final=False)
    base, payload = await _used(client), 0
    for at in range(1, jobs, _BATCH):
        batch = [_job("pending", n) for n in range(at, min(at + _BATCH, jobs))]
        payload += sum(len(job.payload) for job in batch)
        await ledger.seed(batch, seeder="s", start=at, end=at + len(batch), bounds=_bounds(), final=False)
    total = (await _used(client) - base) / (jobs - 1)
    await client.delete(*[f"q:{{pending}}:{part}" for part in ("st", "job", "msg", "pending")])
    seen = (await _used(client) - base) / (jobs - 1)
    for bucket in range(BUCKETS):
        await client.delete(Names("pending", "quarry").bucket_at(bucket))
    return {
        "jobs": jobs,
        "bytes_with_key": total,
        "bytes_above_key": total - seen,
        "payload_bytes": payload / (jobs - 1),
    }


async def _used(client: RedisClient) -> int:
    info = await client.info("memory")
    return int(info["used_memory"] - info.get("mem_aof_buffer", 0))


async def _encodings(client: RedisClient, crawl: str) -> dict[str, int]:
    """Count a hundred buckets by encoding: above the listpack's limit a key costs three times as much."""
    found: dict[str, int] = {}
    for index in range(0, BUCKETS, BUCKETS // 100):
        bucket = Names(crawl, "quarry").bucket_at(index)
        name = (await client.object("ENCODING", bucket) or b"absent").decode()
        found[name] = found.get(name, 0) + 1
    return found


def _bounds() -> Bounds:
    return Bounds(depth=None, max_runs=None, parallel=1, max_attempts=1, max_redeliveries=3, config="{}")


def _job(crawl: str, n: int) -> NewJob:
    params = {"url": _URL.format(n=n)}
    return make_job(
        JobPayload(
            target=f"{crawl}.py",
            path=f"/srv/scripts/{crawl}.py",
            params=params,
            source="shop",
            category="default",
        ),
        depth=0,
    )


def _keyed(job: NewJob, source: random.Random) -> NewJob:
    return NewJob(key=source.randbytes(16).hex(), payload=job.payload, label=job.label, repr=job.repr)


if __name__ == "__main__":
    sys.exit(main())
