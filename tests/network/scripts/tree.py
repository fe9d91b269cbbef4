"""Job n of `jobs`: one item, up to three children, and one event that says again what is known."""

from quarry import Context


async def run(ctx: Context) -> None:
    n, jobs = ctx.job["n"], ctx.job["jobs"]
    await ctx.emit.item("node", {"n": n})
    for child in (3 * n + 1, 3 * n + 2, 3 * n + 3, n // 2):
        if child < jobs:
            await ctx.emit.enqueue("tree.py", {"jobs": jobs, "n": child})
