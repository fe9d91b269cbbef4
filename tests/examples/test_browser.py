"""The browser page."""

from __future__ import annotations

import json

import quarry.lode
from tests.examples.quarry_command import EXAMPLES, items_of, run_quarry


def test_a_page_filled_by_javascript_is_read_and_pictured(tmp_path, serve_site, require_service):
    """Items hold what the script on the page wrote; the artifact is a PNG."""
    require_service("browser")
    site = serve_site(EXAMPLES / "browser")
    script = EXAMPLES / "browser" / "rendered.py"
    result = run_quarry(
        "run", script, f"{site.url}page.html", "--storage-path", "data", cwd=tmp_path
    ).assert_success()

    assert result["fanout"] is None
    offers = [item["text"] for item in items_of(tmp_path / "data")["offer"]]
    assert offers == ["1. Kettle", "2. Lamp", "3. Whistle"]
    dataset = quarry.lode.open(tmp_path / "data")
    (row,) = dataset.scan(event_type="artifact").to_pylist()
    artifact = json.loads(row["payload"])
    picture = dataset.artifact(result["run_id"], artifact["artifact_id"])
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) == artifact["size_bytes"]
