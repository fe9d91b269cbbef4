"""Keep bytes: three ways to emit an artifact, and a small file beside the run.

python examples/shop/shop_site.py serve --port 8000 &
quarry run examples/artifacts/archive.py http://127.0.0.1:8000/

An artifact is visible exactly if its run is complete; its bytes come back with
`quarry.lode.open("quarry-data").artifact(run_id, artifact_id)`, a stored file with `.file(run_id, name)`.
"""

import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from quarry import Context


async def run(ctx: Context) -> None:
    page = await ctx.http.get(ctx.job["url"])
    page.raise_for_status()
    links = [page.urljoin(a.attributes["href"]) for a in page.html().css("a[href]")]

    # Bytes at hand.
    await ctx.emit.artifact("page.html", page.content, page.headers["content-type"])

    # A file on disk, read in chunks: it may be larger than memory (1 GiB at most).
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "links.csv")
        table.write_text("".join(f"{number},{link}\n" for number, link in enumerate(links, start=1)))
        await ctx.emit.artifact("links.csv", table, "text/csv")

    # Whatever comes piece by piece.
    await ctx.emit.artifact("links.ndjson", json_lines(links), "application/x-ndjson")

    # A small file under a name of its own, next to the run's rows.
    summary = {"url": page.url, "links": len(links)}
    key = await ctx.storage.put("summary.json", json.dumps(summary).encode(), "application/json")
    await ctx.emit.item("archive", {**summary, "summary_key": key})


async def json_lines(links: list[str]) -> AsyncIterator[bytes]:
    for link in links:
        yield json.dumps({"link": link}).encode() + b"\n"
