"""As many items as the job says."""

from quarry import Context


async def run(ctx: Context) -> None:
    """Say the job's number, again and again."""
    for part in range(ctx.job["items"]):
        await ctx.emit.item("tiny", {"n": ctx.job["n"], "part": part})
