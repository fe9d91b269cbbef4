"""A product page: broken ones fail at every attempt, flaky ones at the first."""

from quarry import Context


async def run(ctx: Context) -> None:
    url = ctx.job["url"]
    page = await ctx.http.get(url)
    await ctx.emit.log("info", "read", {"bytes": len(page.content)})
    if "broken" in url or ("flaky" in url and ctx.run.attempt == 1):
        raise LookupError(f"no price on {url}")
    await ctx.emit.item("product", {"url": url})
