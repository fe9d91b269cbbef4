"""The tables of docs/monitoring.md, held against what is served."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from quarry.metrics import CrawlFigures, FleetFigures, PoolUse
from quarry.metrics.fleet import make_fleet_registry
from quarry.metrics.proxies import REASONS
from quarry.metrics.worker import DELIVERIES, WorkerFigures
from quarry.types import Counts
from tests.flower.fleet import ROOT
from workers.flower_settings import make_defaults

PAGE = (ROOT / "docs" / "monitoring.md").read_text()
ROW = re.compile(r"^\| `(quarry_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Type and labels by name."""
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(PAGE)}


def served() -> dict[str, tuple[str, tuple[str, ...]]]:
    figures = FleetFigures(
        crawls=[
            CrawlFigures(crawl="c", status="closed", counts=Counts(), parallel=1, created_ms=1, closed_ms=2)
        ],
        queues={"quarry": 0},
        pools=[PoolUse(pool="p", digest="d", endpoints=1, choices=0, resting=0)],
    )
    worker = WorkerFigures()
    worker.proxy_chosen("p", "e", "free")
    found = {}
    for registry in (make_fleet_registry(lambda: figures), worker.registry):
        for metric in registry.collect():
            labels = next((sample.labels for sample in metric.samples if sample.labels), {})
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            if name.startswith("quarry_"):
                found[name] = (metric.type, tuple(label for label in labels if label != "le"))
    return found


@pytest.mark.clause("METRICS-16")
def test_the_tables_name_every_metric_with_type_and_labels():
    assert documented() == served()


@pytest.mark.clause("METRICS-16")
def test_every_way_in_which_a_delivery_ends_is_explained():
    assert [how for how in DELIVERIES if f"`{how}`" not in PAGE] == []


@pytest.mark.clause("METRICS-16")
def test_every_reason_of_a_choice_is_named():
    assert [reason for reason in REASONS if f"`{reason}`" not in PAGE] == []


def test_every_alert_is_explained():
    groups = YAML(typ="safe").load(ROOT / "workers" / "alerts.yml")["groups"]
    names = {rule["alert"] for group in groups for rule in group["rules"]}
    assert names == set(re.findall(r"^\| `(Quarry\w+)` \|", PAGE, re.MULTILINE))


def test_flowers_settings_are_those_of_the_table():
    settings = make_defaults({"HOME": "/h"})
    for name in ("max_tasks", "address", "purge_offline_workers"):
        assert re.search(rf"`FLOWER_{name.upper()}`[^|]*\| {settings[name]} \|", PAGE), name
