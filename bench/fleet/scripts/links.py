"""A site of `of` pages on which page n links to the pages n·k … n·k + k-1 (modulo `of`).

Every page has k links and is linked to k times, and all are reached from page 0, at depth log k of `of`.
"""

from quarry import Context


async def run(ctx: Context) -> None:
    """One item, and the links."""
    job = ctx.job
    await ctx.emit.item("tiny", {"n": job["n"]})
    for link in range(job["k"]):
        n = (job["n"] * job["k"] + link) % job["of"]
        await ctx.emit.enqueue("links.py", {"n": n, "k": job["k"], "of": job["of"]})
