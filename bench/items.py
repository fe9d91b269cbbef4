"""Print the items of a dataset as JSON lines: items.py STORAGE_PATH."""

import sys

import quarry.lode

table = quarry.lode.open(sys.argv[1]).scan(event_type="item", columns=["item_type", "data"])
for row in table.to_pylist():
    if row["item_type"] == "product":
        print(row["data"])
