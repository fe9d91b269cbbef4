"""Read a page that only JavaScript fills, and take its picture.

python -m http.server --bind 127.0.0.1 --directory examples/browser 8000 &
quarry run examples/browser/rendered.py http://127.0.0.1:8000/page.html

The page is a real Playwright page; the browser starts at the first `ctx.page()` and ends with the run.
"""

from quarry import Context


async def run(ctx: Context) -> None:
    page = await ctx.page()
    await page.goto(ctx.job["url"])
    await page.wait_for_selector("#offers li")
    for offer in await page.locator("#offers li").all():
        await ctx.emit.item("offer", {"text": await offer.inner_text()})
    picture = await page.screenshot(full_page=True)
    await ctx.emit.artifact("page.png", picture, "image/png")
