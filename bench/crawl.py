"""Follow every link of the benchmark's site once; one item with eight fields for each product page."""

from urllib.parse import urldefrag, urlsplit

from quarry import Context


async def run(ctx: Context) -> None:
    """Read one page: its product, if it shows one, and its links within the site."""
    page = await ctx.http.get(ctx.job["url"])
    page.raise_for_status()
    tree = page.html()
    if main := tree.css_first("main.product"):
        await ctx.emit.item("product", product_of(main, tree))
    origin = urlsplit(page.url)[:2]
    links = dict.fromkeys(urldefrag(page.urljoin(a.attributes["href"])).url for a in tree.css("a[href]"))
    for link in links:
        if urlsplit(link)[:2] == origin:
            await ctx.emit.enqueue("crawl.py", {"url": link})


def product_of(main, tree):
    """The eight fields that the benchmark compares with the truth."""

    def text(selector):
        return main.css_first(selector).text()

    def texts(selector, node=main):
        return [found.text() for found in node.css(selector)]

    digits = "".join(character for character in text("span.price") if character.isdigit())
    return {
        "id": main.attributes["data-id"],
        "title": text("h1.product-title"),
        "price_cents": int(digits),
        "sku": text("span.sku"),
        "in_stock": main.css_first("span.stock.in") is not None,
        "description": "\n".join(texts("div.description p")),
        "attrs": dict(zip(texts("table.attributes th"), texts("table.attributes td"), strict=True)),
        "breadcrumbs": texts("div.breadcrumbs a, div.breadcrumbs span", tree),
    }
