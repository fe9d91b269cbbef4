"""The documentation crawler on a site that nobody here wrote: Debian's Python documentation, on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.quarry_command import EXAMPLES, assert_balanced, items_of, run_quarry
from tests.examples.site_walk import walk


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_documentation_crawl_equals_a_walk_over_the_files(tmp_path, serve_site, require_service):
    """Pages, titles, links and broken links are those of the files; the server gave every address out once."""
    root = Path(require_service("python-doc"))
    expected = walk(root, "/index.html")
    site = serve_site(root)

    crawl = EXAMPLES / "docs" / "crawl.py"
    options = ["--max-runs", "10000", "--parallel", "8", "--storage-path", "data"]
    result = run_quarry(
        "run", crawl, f"{site.url}index.html", *options, cwd=tmp_path, timeout_s=380
    ).assert_success()
    items = items_of(tmp_path / "data")

    def path_of(url: str) -> str:
        return "/" + url.removeprefix(site.url) if url.startswith(site.url) else url

    pages = {path_of(page["url"]): " ".join(page["title"].split()) for page in items["page"]}
    links = {(path_of(link["source"]), path_of(link["target"])) for link in items["link"]}
    broken = {path_of(address["url"]) for address in items["broken"]}
    files = {path_of(file["url"]) for file in items["file"]}
    broken_links = {link for link in links if link[1] in broken}
    internal = {target for _, target in links if target.startswith("/")}
    print(
        f"\n{root}: {len(pages)} pages, {len(files)} other files, {len(links)} links ({len(internal)} addresses"
        f" within the site), {len(broken)} broken addresses, {len(broken_links)} broken links"
    )
    print(f"fanout: {result['fanout']}")

    assert pages == expected.pages
    assert links == expected.links
    assert broken == expected.broken
    assert broken_links == {link for link in expected.links if link[1] in expected.broken}
    assert files == expected.files
    assert min(len(pages), len(links), len(broken_links)) > 0
    assert "redirect" not in items
    # Sets would hide a row that is there twice.
    assert len(items["page"]) == len(pages)
    assert len(items["link"]) == len(links) == sum(page["links"] for page in items["page"])

    requests = site.counts()
    assert set(requests) == expected.pages.keys() | expected.files | expected.broken
    assert set(requests.values()) == {1}
    assert {path for path, status in site.requests if status != 200} == expected.broken

    fanout = result["fanout"]
    assert_balanced(fanout)
    assert fanout["admitted"] == fanout["succeeded"] == len(requests)
    followed = sum(link["internal"] for link in items["link"])
    assert fanout["received"] == 1 + followed + fanout["replayed"]
    assert fanout["duplicate"] == fanout["received"] - fanout["admitted"]
