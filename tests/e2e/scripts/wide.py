"""Root: enqueues `count` leaves, and some of them twice; a leaf says one item and enqueues one more."""

from quarry import Context


async def run(ctx: Context) -> None:
    n = ctx.job.get("n")
    await ctx.emit.item("visit", {"name": f"leaf-{n}" if n is not None else "root"})
    if n is None:
        for i in range(ctx.job["count"]):
            await ctx.emit.enqueue("wide.py", {"n": i})
            if i % 3 == 0:
                await ctx.emit.enqueue("wide.py", {"n": float(i)})
    else:
        await ctx.emit.enqueue("wide.py", {"n": n + 100_000})
