"""Enqueues three jobs, then waits for the site: a delivery that can be held between admit and commit."""

from quarry import Context


async def run(ctx: Context) -> None:
    for n in range(3):
        await ctx.emit.enqueue("fan.py", {"kind": "leaf", "n": n})
    await ctx.http.get(ctx.job["url"] + "/late")
    await ctx.emit.item("visit", {"name": "late"})
