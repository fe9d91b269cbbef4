"""Says that it runs, waits for a gate, says that it is done; what it is told to show of its environment it emits."""

import asyncio
import os
from pathlib import Path


async def run(ctx):
    notes, n = Path(ctx.job["notes"]), ctx.job["n"]
    (notes / f"started-{n}-{os.getpid()}-{os.urandom(3).hex()}").touch()
    while ctx.job.get("hold", True) and not Path(ctx.job["gate"]).exists():
        await asyncio.sleep(0.02)
    await ctx.emit.item("page", {"n": n, "broker": [k for k in os.environ if "BROKER" in k]})
    (notes / f"done-{n}-{os.urandom(3).hex()}").touch()
