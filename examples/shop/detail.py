"""Step 2 of the shop: one product page becomes one item, its photograph an artifact."""

from quarry import Context


async def run(ctx: Context) -> None:
    page = await ctx.http.get(ctx.job["url"])
    page.raise_for_status()
    tree = page.html()

    def text(selector: str) -> str:
        return tree.css_first(selector).text(strip=True)

    product = {
        "id": int(tree.css_first("main").attributes["data-id"]),
        "title": text("h1"),
        "price_cents": int("".join(c for c in text(".price") if c.isdigit())),
        "sku": text(".sku"),
        "material": text(".material"),
        "in_stock": text(".stock") == "in stock",
        "url": page.url,
    }
    if photo := tree.css_first("img.photo"):
        image = await ctx.http.get(page.urljoin(photo.attributes["src"]))
        image.raise_for_status()
        kind = image.headers["content-type"]
        product["photo"] = await ctx.emit.artifact(f"{product['sku']}.png", image.content, kind)
    await ctx.emit.item("product", product)
