"""A list page: its products become work. Waits for a file first where the job names one."""

import asyncio
import os

from quarry import Context


async def run(ctx: Context) -> None:
    page = await ctx.http.get(ctx.job["url"])
    for link in page.html().css("a"):
        await ctx.emit.enqueue("detail.py", {"url": page.urljoin(link.attributes["href"])})
    while "until" in ctx.job and not os.path.exists(ctx.job["until"]):
        await asyncio.sleep(0.02)
