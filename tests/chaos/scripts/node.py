"""One job of the computed graph."""

import asyncio

from graph import Graph  # beside this file

from quarry import Context


async def run(ctx: Context) -> None:
    n = ctx.job["n"]
    if n < 0:
        raise AssertionError(f"job {n} lies beyond the depth bound")
    graph = Graph(*ctx.job["graph"])
    before_ms, after_ms = graph.pauses_ms(n)
    for part in range(graph.parts(n)):
        await ctx.emit.item("node", {"n": n, "part": part, "attempt": ctx.run.attempt})
    await asyncio.sleep(before_ms / 1000)
    for child in graph.children(n):
        await ctx.emit.enqueue("node.py", {"graph": ctx.job["graph"], "n": child})
    await asyncio.sleep(after_ms / 1000)
    fate = graph.fate(n)
    if fate == "fails" or (fate == "fails_first" and ctx.run.attempt == 1):
        raise RuntimeError(f"job {n} fails by design")
