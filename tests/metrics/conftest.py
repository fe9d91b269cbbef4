from __future__ import annotations

import json
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quarry.config.worker import load_worker_settings
from tests.flower.fleet import Fleet, wait_for
from tests.workers.kit import free_port

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from quarry.types.proxy import ProxyPool
    from tests.proxies.servers import ProxyProcess


def scrape(port: int) -> dict[tuple[str, ...], float]:
    """What is served: value by metric name and label values, labels sorted by name; empty where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Served:
    """A `quarry metrics serve` of a fleet's Redis."""

    def __init__(self, fleet: Fleet, *arguments: str) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "quarry.cli", "metrics", "serve", "--port", str(self.port)]
        self.process: subprocess.Popen[bytes] = fleet.spawn("metrics", *command, *arguments)
        wait_for(self.read, "quarry metrics serve", timeout_s=60)

    def read(self) -> dict[tuple[str, ...], float]:
        return scrape(self.port)

    def of(self, crawl: str) -> dict[tuple[str, ...], float]:
        """Figures of one crawl, without its id."""
        return {
            (key[0].removeprefix("quarry_crawl_"), *key[2:]): value
            for key, value in self.read().items()
            if key[0].startswith("quarry_crawl_") and key[1] == crawl
        }


def make_pool_config(folder: Path, *proxies: ProxyProcess) -> tuple[Path, ProxyPool]:
    """A worker's configuration with a pool ``shop`` of these proxies, and that pool."""
    path = folder / "quarry.yaml"
    path.write_text(json.dumps({"proxies": {"shop": {"endpoints": [each.url for each in proxies]}}}))
    return path, load_worker_settings({"QUARRY_CONFIG": str(path)}, str(folder)).proxies["shop"]


@pytest.fixture
def fleet(tmp_path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as made:
        yield made


@pytest.fixture
def served(fleet) -> Any:
    return Served(fleet)
