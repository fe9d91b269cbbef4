"""One item and nothing else."""

from quarry import Context


async def run(ctx: Context) -> None:
    """Say the job's number."""
    await ctx.emit.item("tiny", {"n": ctx.job["n"]})
