"""Says something on both streams, and fails in its clean-up."""

import sys

from quarry import Context


async def run(ctx: Context) -> None:
    print("said to stdout")
    print("said to stderr", file=sys.stderr)
    await ctx.emit.item("visit", {"name": "noisy"})


async def cleanup(ctx: Context) -> None:
    raise ValueError("clean-up went wrong")
