"""Step 1 of the shop: read a list page; its products and the other list pages become work.

quarry run examples/shop/list.py http://127.0.0.1:PORT/ --depth 3 --max-runs 1000 --parallel 8
"""

from quarry import Context


async def run(ctx: Context) -> None:
    page = await ctx.http.get(ctx.job["url"])
    page.raise_for_status()
    tree = page.html()
    for link in tree.css("a.product"):
        await ctx.emit.enqueue("detail.py", {"url": page.urljoin(link.attributes["href"])})
    # Every list page links to all others: the ledger admits each of them once.
    for link in tree.css("a.page"):
        await ctx.emit.enqueue("list.py", {"url": page.urljoin(link.attributes["href"])})
