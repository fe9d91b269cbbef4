"""Artifacts and stored files."""

from __future__ import annotations

import json

import quarry.lode
from tests.examples.quarry_command import EXAMPLES, items_of, run_quarry


def test_bytes_come_back_as_they_were_emitted(tmp_path, shop):
    """From memory, from a file, piece by piece, and beside the run: the same bytes, under their names."""
    script = EXAMPLES / "artifacts" / "archive.py"
    result = run_quarry("run", script, shop.url, "--storage-path", "data", cwd=tmp_path).assert_success()
    run_id = result["run_id"]

    dataset = quarry.lode.open(tmp_path / "data")
    stored = {}
    for row in dataset.scan(event_type="artifact").to_pylist():
        payload = json.loads(row["payload"])
        stored[payload["name"]] = (payload["content_type"], dataset.artifact(run_id, payload["artifact_id"]))
        assert payload["size_bytes"] == len(stored[payload["name"]][1])
    assert stored.keys() == {"page.html", "links.csv", "links.ndjson"}
    assert stored["page.html"][0] == "text/html; charset=utf-8"
    assert b"Catalogue, page 1" in stored["page.html"][1]
    links = [json.loads(line)["link"] for line in stored["links.ndjson"][1].splitlines()]
    assert [line.split(",")[1] for line in stored["links.csv"][1].decode().splitlines()] == links
    assert len(links) == 36

    summary = json.loads(dataset.file(run_id, "summary.json"))
    (item,) = items_of(tmp_path / "data")["archive"]
    assert summary == {"url": shop.url, "links": len(links)}
    assert item == {**summary, "summary_key": item["summary_key"]}
    assert item["summary_key"].endswith("/summary.json")
    assert shop.requests() == {"/": 1}
