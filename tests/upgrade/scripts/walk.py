"""One job of a tree of `jobs` numbers: job n enqueues 3n+1, 3n+2, 3n+3 and, a second time, n // 2."""

import asyncio
import os
from pathlib import Path

import quarry
from quarry import Context


async def run(ctx: Context) -> None:
    n, jobs, notes = ctx.job["n"], ctx.job["jobs"], Path(ctx.job["notes"])
    await ctx.emit.item("walked", {"n": n, "attempt": ctx.run.attempt, "code": quarry.__file__})
    for child in (3 * n + 1, 3 * n + 2, 3 * n + 3, n // 2):
        if child < jobs:
            await ctx.emit.enqueue("walk.py", {**ctx.job, "n": child})
    if n % 12 == 5:
        (notes / f"waits-{os.environ['UPGRADE_WORKER']}-{n}-{ctx.run.attempt}").touch()
        while not (notes / "gate").exists():
            await asyncio.sleep(0.02)
    if n % 25 == 7 or (n % 10 == 3 and ctx.run.attempt == 1):
        raise RuntimeError(f"job {n} fails by design")
