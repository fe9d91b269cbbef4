"""The dashboard's queries and the alerts, evaluated by a real Prometheus that scrapes a fleet at work."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from tests.flower.fleet import ROOT, Fleet, wait_for
from tests.metrics.conftest import Served, make_pool_config, scrape
from tests.proxies.servers import Tinyproxy
from tests.services import require_service
from tests.workers.kit import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("prometheus")

WORKERS = ROOT / "workers"
DASHBOARD = json.loads((WORKERS / "grafana" / "quarry.json").read_text())
CONFIG = YAML(typ="safe").load(WORKERS / "prometheus.yml")
ALERTS = YAML(typ="safe").load(WORKERS / "alerts.yml")

VARIABLES = {"$__rate_interval": "30s", "$crawl": ".*"}
"""What Grafana would put in their place."""


def queries() -> list[tuple[str, str]]:
    """Title and query of every target of every panel."""
    found = [(p["title"], t["expr"]) for p in DASHBOARD["panels"] for t in p.get("targets", [])]
    return [(title, substituted(expr)) for title, expr in found]


def substituted(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


class Prometheus:
    """A real Prometheus with the repository's configuration, its targets put in the place of the sample's."""

    def __init__(self, fleet: Fleet, folder: Path, targets: dict[str, int]) -> None:
        self.port = free_port()
        config = json.loads(json.dumps(CONFIG))
        config["global"] = {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
        }
        config["rule_files"] = [str(WORKERS / "alerts.yml")]
        for job in config["scrape_configs"]:
            job.pop("scrape_timeout", None)
            job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
        path = folder / "prometheus.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        fleet.spawn(
            "prometheus",
            require_service("prometheus"),
            f"--config.file={path}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        )
        wait_for(lambda: self.get("/-/ready", plain=True), "Prometheus", timeout_s=60)

    def get(self, path: str, *, plain: bool = False, **parameters: str) -> Any:
        """An answer of its API; None where it does not answer."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}{query}", timeout=30) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
        except OSError:
            return None
        return text if plain else json.loads(text)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples of a query now; an error of the query fails."""
        answer = self.get("/api/v1/query", query=expr)
        assert answer is not None
        assert answer["status"] == "success", (expr, answer)
        return list(answer["data"]["result"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus beside a crawl through a proxy that has ended and one that runs."""
    require_service("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with Tinyproxy(folder / "proxy") as proxy, Fleet(folder) as fleet:
        port = free_port()
        config, pool = make_pool_config(folder, proxy)
        fleet.worker("w", env={"QUARRY_METRICS_PORT": str(port), "QUARRY_CONFIG": str(config)})
        served = Served(fleet)
        wait_for(lambda: scrape(port), "the worker's figures")
        made = Prometheus(fleet, folder, {"quarry": served.port, "quarry-workers": port})
        fleet.seed("ended", {"url": fleet.site.url}, max_attempts=2, pool=pool)
        fleet.wait_closed("ended")
        until = folder / "go on"
        fleet.seed("running", {"url": fleet.site.url, "until": str(until)})
        wait_for(
            lambda: made.query('quarry_crawl_jobs{crawl="running",state="leased"} == 1'), "the running crawl"
        )
        yield made
        until.touch()
        fleet.wait_closed("running")


@pytest.mark.slow
@pytest.mark.clause("METRICS-17")
def test_every_query_of_the_dashboard_finds_data(prometheus):
    """No query of the shipped dashboard is wrong or asks for what nobody serves."""
    wanted = dict.fromkeys(expr for _, expr in queries())
    assert len(wanted) > 32

    for expr in wanted:
        wait_for(lambda expr=expr: prometheus.query(expr), f"data for {expr}", timeout_s=60)


@pytest.mark.slow
@pytest.mark.clause("METRICS-17")
def test_the_dashboards_figures_are_those_of_the_crawls(prometheus):
    exprs = dict(queries())

    def says(title: str, value: str) -> bool:
        return [each["value"][1] for each in prometheus.query(exprs[title])] == [value]

    for title, value in (
        ("Redis", "1"),
        ("Workers", "1"),
        ("Crawls at work", "1"),
        ("Ledger imbalance", "0"),
    ):
        # A scrape that came late on a busy machine is an answer of its own.
        wait_for(lambda title=title, value=value: says(title, value), f"{title} to be {value}", timeout_s=30)
    labels = prometheus.get("/api/v1/label/crawl/values")["data"]
    assert sorted(labels) == ["ended", "running"]


@pytest.mark.slow
@pytest.mark.clause("METRICS-17")
def test_the_alerts_are_loaded_and_none_fires_on_a_healthy_fleet(prometheus):
    def rules() -> list[dict[str, Any]]:
        groups = prometheus.get("/api/v1/rules")["data"]["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        return found if found and all(rule["health"] == "ok" for rule in found) else []

    loaded = wait_for(rules, "the alerts", timeout_s=30)
    assert len(loaded) == sum(len(group["rules"]) for group in ALERTS["groups"])
    # A crawl has just failed two runs of eleven, no more; what waits for minutes can't have fired yet.
    assert [rule["name"] for rule in loaded if rule["state"] == "firing"] == []


@pytest.mark.clause("METRICS-17")
def test_the_alerts_fire_when_they_should():
    """`promtool test rules`: minutes and hours of made-up figures, evaluated at once."""
    folder = ROOT / "tests" / "metrics"
    done = subprocess.run(
        [require_service("promtool"), "test", "rules", str(folder / "alerts_test.yml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.clause("METRICS-17")
def test_the_sample_configuration_is_valid():
    done = subprocess.run(
        [require_service("promtool"), "check", "config", str(WORKERS / "prometheus.yml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_have_ids_places_and_words():
    """What Grafana needs of a dashboard, and what a reader does: each panel says what it shows."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [tuple(panel["gridPos"][name] for name in "xywh") for panel in panels]
    cells = [(x + dx, y + dy) for x, y, w, h in places for dx in range(w) for dy in range(h)]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24
    for panel in panels:
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["targets"]
