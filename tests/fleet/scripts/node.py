"""One job of a computed graph: emits itself, then its children; may wait for a gate, sleep, or fail."""

import asyncio
import os

from quarry import Context


async def run(ctx: Context) -> None:
    job = ctx.job
    await ctx.emit.item("node", {"name": job.get("name", "root")})
    for name in job.get("children", []):
        await ctx.emit.enqueue("node.py", {"name": name, **job.get("each", {})})
    for n in range(job.get("fan", 0)):
        await ctx.emit.enqueue("node.py", {"name": f"{job.get('name', 'root')}.{n}", **job.get("each", {})})
    if "sleep_s" in job:
        await asyncio.sleep(job["sleep_s"])
    while "gate" in job and not os.path.exists(job["gate"]):
        await asyncio.sleep(0.02)
    await ctx.emit.info(f"end of {job.get('name', 'root')}")
    if job.get("fails"):
        raise ValueError("told to fail")
