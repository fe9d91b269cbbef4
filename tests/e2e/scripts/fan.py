"""Root: enqueues `count` leaves through `branches` branches; every run says one item."""

from quarry import Context


async def run(ctx: Context) -> None:
    job = ctx.job
    kind = job.get("kind", "root")
    if "url" in job:
        response = await ctx.http.get(job["url"] + f"/{kind}/{job.get('n', 0)}")
        response.raise_for_status()
    await ctx.emit.item("visit", {"name": f"{kind}-{job.get('n', 0)}"})
    base = {k: job[k] for k in ("url", "count", "branches") if k in job}
    if kind == "root":
        for n in range(job["branches"]):
            await ctx.emit.enqueue("fan.py", {**base, "kind": "branch", "n": n})
    elif kind == "branch":
        share = job["count"] // job["branches"]
        for n in range(job["n"] * share, (job["n"] + 1) * share):
            await ctx.emit.enqueue(
                "fan.py", {"kind": "leaf", "n": n, **({"url": job["url"]} if "url" in job else {})}
            )
