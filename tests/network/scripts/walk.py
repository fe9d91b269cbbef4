"""One job of the graph in `shape.py`; it notes where it began, and some jobs wait for a gate."""

import asyncio
import os
import time
from pathlib import Path

from shape import after_gate, before_gate, gates

from quarry import Context


async def run(ctx: Context) -> None:
    kind, n, notes = ctx.job["kind"], ctx.job["n"], Path(ctx.job["notes"])
    here = os.environ["NET_HOST"]
    (notes / f"began-{kind}-{n}-{here}-{os.urandom(4).hex()}").touch()
    await ctx.emit.item(
        "seen",
        {"job": f"{kind}-{n}", "host": here, "clock": time.time(), "script": os.path.abspath(__file__)},
    )
    for child in before_gate(kind, n):
        await ctx.emit.enqueue("walk.py", {**child, "notes": str(notes)})
    while (wanted := gates(kind, n)) and not any((notes / gate).exists() for gate in wanted):
        await asyncio.sleep(0.02)
    for child in after_gate(kind, n):
        await ctx.emit.enqueue("walk.py", {**child, "notes": str(notes)})
