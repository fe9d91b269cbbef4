"""What do the addresses of a list answer? One run for each different line of the list.

python examples/shop/shop_site.py serve --port 8000 &
quarry run examples/seeds/check.py --seeds examples/seeds/urls.txt --max-runs 100 --parallel 4

The list says two of its lines twice: seven lines, five runs.
"""

from quarry import Context


async def run(ctx: Context) -> None:
    answer = await ctx.http.get(ctx.job["url"])
    title = answer.html().css_first("title")
    await ctx.emit.item(
        "answer",
        {
            "url": ctx.job["url"],
            "status": answer.status_code,
            "title": title.text(strip=True) if title else None,
            "note": ctx.job.get("note"),
        },
    )
