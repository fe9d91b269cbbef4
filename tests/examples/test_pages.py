"""Scripts that the documentation shows run as shown."""

from __future__ import annotations

import re

from tests.examples.quarry_command import EXAMPLES, ROOT, items_of, run_quarry
from tests.local_site import Answer

_PYTHON_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_script_in_the_readme_is_the_one_in_the_examples():
    """README and examples/shop/list.py say the same, comments aside."""
    (shown,) = _PYTHON_BLOCK.findall((ROOT / "README.md").read_text())
    code = (EXAMPLES / "shop" / "list.py").read_text().partition('"""\n\n')[2]
    kept = [line for line in code.splitlines() if not line.strip().startswith("#")]
    assert [line for line in shown.splitlines() if line] == [line for line in kept if line]


def test_the_script_of_the_quickstart_crawls_a_site(tmp_path, serve_site):
    """The first block of the page, saved under its name and run by the page's own options."""
    (tmp_path / "titles.py").write_text(
        _PYTHON_BLOCK.findall((ROOT / "docs" / "quickstart.md").read_text())[0]
    )
    site = serve_site(
        answers={
            "/": Answer(
                b"<title>Start</title><a href='/one#x'>1</a><a href='/one'>1</a><a href='http://x.test/'>x</a>"
            ),
            "/one": Answer(b"<a href='/'>back</a>"),
        }
    )
    options = ["--depth", "3", "--max-runs", "1000", "--parallel", "8", "--storage-path", "data"]
    run_quarry("run", "titles.py", site.url, *options, cwd=tmp_path).assert_success()
    pages = {item["url"]: item["title"] for item in items_of(tmp_path / "data")["page"]}
    assert pages == {site.url: "Start", f"{site.url}one": None}
