"""The documentation crawler on a small site with every kind of link."""

from __future__ import annotations

from tests.examples.quarry_command import EXAMPLES, assert_balanced, items_of, run_quarry
from tests.local_site import Answer


def page(title: str, *hrefs: str) -> Answer:
    links = "".join(f'<a href="{href}">a link</a>' for href in hrefs)
    return Answer(f"<html><head><title>{title}</title></head><body>{links}</body></html>".encode())


def test_each_kind_of_link_becomes_the_item_that_its_docstring_names(tmp_path, serve_site):
    """One page each, fragments and spellings are no other pages; files, redirects and errors are told apart."""
    site = serve_site(
        answers={
            "/": page(
                "Start &amp; more", "one", "one#part", " one ", "/a b", "/moved", "notes.txt", "mailto:x@y.z"
            ),
            "/one": page("One", "", "http://OTHER.test:80", "missing", "http://[half"),
            "/a%20b": page("Two words", "/a%20b", "/"),
            "/moved": Answer(status=301, location="/one"),
            "/notes.txt": Answer(b"text", "text/plain"),
        }
    )
    crawl = EXAMPLES / "docs" / "crawl.py"
    options = ["--max-runs", "100", "--parallel", "4", "--storage-path", "data"]
    result = run_quarry("run", crawl, site.url, *options, cwd=tmp_path).assert_success()
    items = items_of(tmp_path / "data")

    base = site.url.removesuffix("/")
    assert {item["url"]: (item["title"], item["links"]) for item in items["page"]} == {
        f"{base}/": ("Start & more", 4),
        f"{base}/one": ("One", 3),
        f"{base}/a%20b": ("Two words", 2),
    }
    links = {(item["source"], item["target"], item["internal"]) for item in items["link"]}
    assert links == {
        (f"{base}/", f"{base}/one", True),
        (f"{base}/", f"{base}/a%20b", True),
        (f"{base}/", f"{base}/moved", True),
        (f"{base}/", f"{base}/notes.txt", True),
        (f"{base}/one", f"{base}/one", True),
        (f"{base}/one", "http://other.test/", False),
        (f"{base}/one", f"{base}/missing", True),
        (f"{base}/a%20b", f"{base}/a%20b", True),
        (f"{base}/a%20b", f"{base}/", True),
    }
    assert items["file"] == [{"url": f"{base}/notes.txt", "content_type": "text/plain", "size_bytes": 4}]
    assert items["redirect"] == [{"url": f"{base}/moved", "target": f"{base}/one"}]
    assert items["broken"] == [{"url": f"{base}/missing", "status": 404}]
    assert site.counts() == dict.fromkeys(["/", "/one", "/a%20b", "/moved", "/notes.txt", "/missing"], 1)
    assert_balanced(result["fanout"])
