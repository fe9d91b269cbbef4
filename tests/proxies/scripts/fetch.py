"""Fetches its URL once for each entry of ``then``, and does that entry between: a reason to rotate."""

import asyncio
import os

from quarry import Context


async def run(ctx: Context) -> None:
    job = ctx.job
    options = {"retries": job.get("retries", 2), "timeout_s": job.get("timeout_s", 30)}
    wait = f"&wait={job['wait']}" if "wait" in job else ""
    response = await ctx.http.get(f"{job['url']}?step=0{wait}", **options)
    assert response.status_code == 200, response.status_code
    for step, reason in enumerate(job.get("then", []), start=1):
        while "gate" in job and not os.path.exists(job["gate"]):
            await asyncio.sleep(0.02)
        await ctx.emit.rotate_proxy(reason)
        response = await ctx.http.get(f"{job['url']}?step={step}{wait}", **options)
        assert response.status_code == 200, response.status_code
    await ctx.emit.item("page", {"url": job["url"], "worker": os.environ["WORKER"]})
    for target, params in job.get("children", []):
        await ctx.emit.enqueue(target, params)
    if "fails_at" in job and ctx.run.attempt == job["fails_at"]:
        raise ValueError("told to fail")
