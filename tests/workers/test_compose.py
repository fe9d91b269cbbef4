"""compose.yaml: valid by the specification's schema, and what it says is what runs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import urllib.request
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.services import require_service
from tests.workers import compose
from tests.workers.kit import ROOT, SCRIPTS, Broker, Crawl, free_port, wait_for


def _schema():
    # Looked up and not imported: the package's command line is not needed.
    found = importlib.util.find_spec("check_jsonschema")
    if found is None or found.origin is None:
        missing = "check-jsonschema, which ships the schema of the Compose specification, is not installed"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return json.loads((Path(found.origin).parent / "builtin_schemas/vendor/compose-spec.json").read_text())


@pytest.mark.clause("FLEET-12")
def test_the_file_is_valid_by_the_specification():
    """With its variables put in, against the JSON schema of the Compose specification; and the schema can refuse."""
    validator = jsonschema.validators.validator_for(_schema())(_schema())
    file = compose.interpolate(compose.load(), {})
    assert [error.message for error in validator.iter_errors(file)] == []
    file["services"]["redis"]["no_such_key"] = 1
    assert list(validator.iter_errors(file))


@pytest.mark.clause("FLEET-12")
def test_every_variable_has_a_default_and_is_in_the_guide():
    """`docker compose up` needs nothing set; what can be set is listed."""
    guide = (ROOT / "docs" / "workers.md").read_text()
    for name, defaults in compose.variables().items():
        assert len(defaults) == 1, (name, defaults)
        assert defaults != {None}, name
        assert f"`{name}`" in guide, name


@pytest.mark.clause("FLEET-12")
def test_everything_is_published_on_loopback():
    """Redis, Flower and metrics ask for no password: none may be reachable from elsewhere by default."""
    for service in compose.interpolate(compose.load(), {})["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.clause("FLEET-12")
@pytest.mark.parametrize("environ", [{}, {"HTTP_METRICS_PORT": "7001", "BROWSER_METRICS_PORT": "7002"}])
def test_prometheus_scrapes_the_ports_on_which_workers_serve(environ):
    """Also where they were moved; by default they are those of the file for a fleet without containers."""
    file = compose.interpolate(compose.load(), environ)
    jobs = _jobs(file["configs"]["prometheus"]["content"])
    scraped = {
        tuple(place["names"]): str(place["port"]) for place in jobs["quarry-workers"]["dns_sd_configs"]
    }
    served = {
        (name,): service["environment"]["QUARRY_METRICS_PORT"]
        for name, service in file["services"].items()
        if "QUARRY_METRICS_PORT" in service.get("environment", {})
    }
    assert scraped == served
    if not environ:
        plain = _jobs((ROOT / "workers" / "prometheus.yml").read_text())
        ports = {job: made["static_configs"][0]["targets"][0].split(":")[1] for job, made in plain.items()}
        assert ports == {"quarry": "9108", "quarry-workers": "9109"}
        assert set(served.values()) == {"9109"}
        assert jobs["quarry"]["static_configs"][0]["targets"] == ["metrics:9108"]


def _jobs(text):
    """The scrape jobs of a Prometheus configuration, by name."""
    return {job["job_name"]: job for job in YAML(typ="safe").load(text)["scrape_configs"]}


@pytest.mark.clause("FLEET-11")
def test_images_build_from_the_repository():
    """The Dockerfile's targets are those that compose names, what it copies is there, and commands are the same."""
    text = (ROOT / "workers" / "Dockerfile").read_text()
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", text, re.MULTILINE))
    file = compose.interpolate(compose.load(), {})["services"]
    for service in file.values():
        if "build" in service:
            assert service["build"]["target"] in targets
            assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source
    commands = [json.loads(command) for command in re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)]
    assert commands == [file["http"]["command"], file["browser"]["command"]]


@pytest.fixture
def fleet(tmp_path):
    """The file with its ports moved by the variables that it offers; ends with the test."""
    ports = {
        name: str(free_port())
        for name in (
            "REDIS_PORT", "FLOWER_PORT", "METRICS_PORT", "PROMETHEUS_PORT", "HTTP_METRICS_PORT", "BROWSER_METRICS_PORT",
        )
    }  # fmt: skip
    storage = tmp_path / "data"
    storage.mkdir()
    loopback = dict.fromkeys(("REDIS_HOST", "FLOWER_HOST", "METRICS_HOST", "PROMETHEUS_HOST"), "127.0.0.1")
    made = compose.Fleet(
        tmp_path,
        {
            **ports, **loopback,
            "QUARRY_BROKER": f"redis://127.0.0.1:{ports['REDIS_PORT']}/0",
            "METRICS_TARGET": f"127.0.0.1:{ports['METRICS_PORT']}",
            "QUARRY_STORAGE_PATH": str(storage), "QUARRY_SCRIPTS_ROOT": str(SCRIPTS),
        },
    )  # fmt: skip
    yield made
    made.end()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.clause("FLEET-12")
async def test_what_the_file_says_runs(fleet, tmp_path):
    """Every service starts, becomes healthy, does its work and ends by TERM: Redis, workers, Flower, metrics, Prometheus."""
    for command in ("redis-server", "redis-cli", "hostname", "prometheus", "wget"):
        require_service(command)
    for name in fleet.names():
        fleet.start(name)
    for name in fleet.names():
        fleet.wait_healthy(name)
    assert sorted(fleet.processes) == ["browser", "flower", "http", "metrics", "prometheus", "redis"]

    doctor = fleet.run("quarry")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    found = json.loads(doctor.stdout)["findings"]
    assert [f for f in found if f["severity"] != "ok" and f["check"] not in ("browser", "storage room")] == []

    job = {"n": 0, "hold": False, "gate": "", "notes": str(tmp_path)}
    ran = fleet.run(
        "quarry", "run", str(SCRIPTS / "hold.py"), "--job", json.dumps(job), "--run-id", "by-command"
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["fanout"]["succeeded"] == 1

    broker = Broker(int(fleet.environ["REDIS_PORT"]))
    crawl = Crawl(tmp_path, broker.url)
    await crawl.seed(3, hold=False, queue="quarry.browser")
    wait_for(lambda: len(crawl.noted("done")) == 3, "the runs of the browser worker")
    broker.close()

    def up():
        query = f"http://127.0.0.1:{fleet.environ['PROMETHEUS_PORT']}/api/v1/query?query=quarry_up"
        with urllib.request.urlopen(query, timeout=10) as answer:
            series = json.loads(answer.read())["data"]["result"]
        return [one["value"][1] for one in series] == ["1"]

    wait_for(up, "Prometheus to have scraped the metrics")
    codes = fleet.stop()
    assert {name: codes.get(name) for name in ("http", "browser", "redis", "metrics", "prometheus")} == {
        "http": 0, "browser": 0, "redis": 0, "metrics": 0, "prometheus": 0,
    }  # fmt: skip
    assert "flower" in codes
    assert any(Path(tmp_path / "volumes" / "redis").iterdir())
