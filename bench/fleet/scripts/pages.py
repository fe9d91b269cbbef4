"""Fetch a page, read its title and count its links."""

from quarry import Context


async def run(ctx: Context) -> None:
    """One item with what was found."""
    page = await ctx.http.get(ctx.job["url"])
    page.raise_for_status()
    tree = page.html()
    await ctx.emit.item(
        "tiny", {"n": ctx.job["n"], "title": tree.css_first("title").text(), "links": len(tree.css("a"))}
    )
