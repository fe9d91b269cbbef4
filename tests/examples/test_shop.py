"""The example shop: list to detail."""

from __future__ import annotations

import json
import runpy

import quarry.lode
from tests.examples.quarry_command import EXAMPLES, assert_balanced, items_of, run_quarry

SHOP = EXAMPLES / "shop"


def test_the_generator_makes_the_same_site_at_every_start():
    """Two loads of the generator agree on every byte."""
    first, second = (runpy.run_path(str(SHOP / "shop_site.py"))["site"]() for _ in range(2))
    assert first == second
    assert len(first) >= 300


def test_every_product_becomes_one_item_and_every_photograph_one_artifact(tmp_path, shop):
    """The server's count, the rows and the ledger agree with the site's own program."""
    site = runpy.run_path(str(SHOP / "shop_site.py"))
    files, product = site["site"](), site["product"]
    options = ["--depth", "3", "--max-runs", "1000", "--parallel", "8", "--storage-path", "data"]
    result = run_quarry("run", SHOP / "list.py", shop.url, *options, cwd=tmp_path).assert_success()

    assert shop.requests() == dict.fromkeys(files, 1)

    fanout = result["fanout"]
    assert_balanced(fanout)
    pages, products = site["PAGES"], site["PRODUCTS"]
    assert fanout["seeds"] == 1
    assert fanout["admitted"] == fanout["succeeded"] == pages + products
    assert fanout["received"] - fanout["replayed"] == 1 + pages * (pages - 1) + products
    assert fanout["beyond_depth"] == fanout["over_cap"] == fanout["failed"] == 0
    assert fanout["max_depth_seen"] == 2

    items = {item["id"]: item for item in items_of(tmp_path / "data")["product"]}
    assert items.keys() == set(range(1, products + 1))
    for number, item in items.items():
        facts = product(number)
        assert {name: item[name] for name in facts if name != "image"} == {
            name: value for name, value in facts.items() if name != "image"
        }
        assert ("photo" in item) == bool(facts["image"])

    dataset = quarry.lode.open(tmp_path / "data")
    artifacts = dataset.scan(event_type="artifact", columns=["run_id", "payload"]).to_pylist()
    stored = {}
    for row in artifacts:
        payload = json.loads(row["payload"])
        stored[payload["artifact_id"]] = dataset.artifact(row["run_id"], payload["artifact_id"])
    images = {
        item["photo"]: files[f"/img/{number}.png"][1] for number, item in items.items() if "photo" in item
    }
    assert stored == images
    assert len(artifacts) == len(images) == products // site["IMAGE_EVERY"]
    assert dataset.verify() == []
