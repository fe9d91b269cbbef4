"""A documentation crawler: every page of a site, every link, and the links that lead nowhere.

quarry run examples/docs/crawl.py http://127.0.0.1:8000/index.html --max-runs 10000 --parallel 8

Items:
    page      url, title, and how many different links it has
    link      source (a page's address), target, internal (the target is on this site)
    file      an internal address that is no HTML page: url, content_type, size_bytes
    redirect  an internal address that points to another: url, target
    broken    an internal address that answers with an error: url, status

What a link is: the href of an <a> element, taken against the address of its page; only http and https.
What an address is: scheme and host in lower case, no default port, no empty path, no fragment, and percent
escapes for characters that may not stand in an address; escapes that are there already stay as written.
Two addresses are the same page exactly if they are the same text. A site is all addresses of one scheme,
host and port.
"""

from urllib.parse import quote, urlsplit

from quarry import Context

DEFAULT_PORTS = {"http": 80, "https": 443}


async def run(ctx: Context) -> None:
    url = normalise(ctx.job["url"])
    answer = await ctx.http.get(url, max_redirects=0)
    if answer.status_code >= 400:
        await ctx.emit.item("broken", {"url": url, "status": answer.status_code})
    elif answer.status_code >= 300:
        location = answer.headers.get("location", "")
        target = target_of(answer, location)
        await ctx.emit.item("redirect", {"url": url, "target": target or location})
        if target:
            await follow(ctx, url, target)
    elif not answer.headers.get("content-type", "").startswith("text/html"):
        kind = answer.headers.get("content-type")
        await ctx.emit.item("file", {"url": url, "content_type": kind, "size_bytes": len(answer.content)})
    else:
        await read_page(ctx, url, answer)


async def read_page(ctx: Context, url: str, answer) -> None:
    tree = answer.html()
    title = tree.css_first("head > title")
    found = (target_of(answer, link.attributes["href"]) for link in tree.css("a[href]"))
    targets = dict.fromkeys(target for target in found if target)
    await ctx.emit.item(
        "page", {"url": url, "title": title.text(strip=True) if title else "", "links": len(targets)}
    )
    for target in targets:
        internal = site_of(target) == site_of(url)
        await ctx.emit.item("link", {"source": url, "target": target, "internal": internal})
        await follow(ctx, url, target)


async def follow(ctx: Context, url: str, target: str) -> None:
    if site_of(target) == site_of(url):
        await ctx.emit.enqueue("crawl.py", {"url": target})


def target_of(answer, href: str | None) -> str | None:
    """The address that a link leads to; None for mailto: and the like, and for what is no address at all."""
    try:
        return normalise(answer.urljoin(href))
    except ValueError:  # such as http://[half
        return None


def normalise(url: str) -> str:
    """The one spelling of an address.

    Raises:
        ValueError: It is not an http or https address.
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"not an http address: {url}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port not in {None, DEFAULT_PORTS[parts.scheme]}:
        host = f"{host}:{parts.port}"
    query = f"?{escape(parts.query)}" if parts.query else ""
    return f"{parts.scheme}://{host}{escape(parts.path) or '/'}{query}"


def escape(text: str) -> str:
    return quote(text, safe="/:?@!$&'()*+,;=-._~%")


def site_of(url: str) -> tuple[str, str]:
    return urlsplit(url)[:2]
