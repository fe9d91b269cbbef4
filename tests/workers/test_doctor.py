"""`quarry doctor`: what it looks at, how it says it, and its exit code."""

from __future__ import annotations

import pytest

from quarry.cli.examination import examine_browser, judge_library
from quarry.config.yaml_text import dump_yaml
from tests.cli.commands import quarry, tree_of
from tests.workers.kit import free_port, redis_server


def _by_check(done):
    return {finding["check"]: finding for finding in done.document["findings"]}


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.mark.clause("FLEET-10")
def test_all_is_well(home, broker):
    """A good broker, a storage that is there: exit code 0, every check named, and nothing left behind."""
    (home / "data").mkdir()
    before = tree_of(home / "data")
    done = quarry("doctor", "--broker", broker.url, "--storage-path", "data", cwd=home)
    assert done.code == 0, done.out + done.err
    assert list(_by_check(done)) == [
        "broker", "broker version", "broker mode", "broker memory", "broker durability", "clock",
        "storage", "storage room", "browser", "scripts root", "python", "quarry", "celery", "kombu", "redis",
    ]  # fmt: skip
    assert (done.document["ok"], done.document["broken"]) == (True, 0)
    assert [path for path in tree_of(home / "data") if path not in before] == []


@pytest.mark.clause("FLEET-10")
def test_what_is_broken_comes_with_its_mend(home, tmp_path):
    """A Redis that evicts keys, a storage that is a file, a scripts root that is not there: exit code 1, each mended."""
    (home / "data").touch()
    with redis_server(
        tmp_path / "redis", "--requirepass", "hunter2", "--maxmemory-policy", "allkeys-lfu"
    ) as port:
        done = quarry(
            "doctor", "--storage-path", "data", cwd=home,
            env={"QUARRY_BROKER": f"redis://:hunter2@127.0.0.1:{port}/0", "QUARRY_SCRIPTS_ROOT": "/no/scripts"},
        )  # fmt: skip
    found = _by_check(done)
    assert done.code == 1
    assert "hunter2" not in done.out + done.err
    broken = [check for check, finding in found.items() if finding["severity"] == "broken"]
    assert broken == ["broker memory", "storage", "scripts root"]
    assert all(found[check]["mend"] for check in broken)
    assert found["broker durability"]["severity"] == "warning"
    assert (done.document["broken"], done.document["ok"]) == (3, False)


@pytest.mark.clause("FLEET-10")
def test_without_a_broker_it_looks_for_a_server(home):
    """Nothing is named: what a crawl on one machine would start."""
    done = quarry("doctor", cwd=home)
    assert done.code == 0, done.out + done.err
    assert "server of its own" in _by_check(done)["broker"]["what"]


@pytest.mark.clause("FLEET-10")
def test_a_broker_that_is_away_or_malformed(home):
    """One is a finding, the other too: exit code 1, no password in it."""
    gone = quarry("doctor", "--broker", f"redis://:hunter2@127.0.0.1:{free_port()}/0", cwd=home)
    assert (gone.code, _by_check(gone)["broker"]["severity"]) == (1, "broken")
    assert "hunter2" not in gone.out + gone.err


@pytest.mark.clause("FLEET-10")
def test_table_and_yaml(home):
    """The same for people and for programs."""
    (home / "file").touch()
    table = quarry("doctor", "--format", "table", "--storage-path", "file/data", cwd=home)
    assert table.code == 1
    assert "broken   storage" in table.out
    assert "to mend it: " in table.out
    yaml = quarry("doctor", "--format", "yaml", "--storage-path", "file/data", cwd=home)
    document = quarry("doctor", "--format", "json", "--storage-path", "file/data", cwd=home).document
    assert yaml.out == dump_yaml(document)


def test_browsers(tmp_path):
    """None is something to think about, a wrong path is broken, an endpoint is taken without its password."""
    nothing = examine_browser({"PATH": str(tmp_path), "QUARRY_BROWSER_PATH": "/no/browser"})
    assert (nothing.severity, bool(nothing.mend)) == ("broken", True)
    endpoint = examine_browser({"QUARRY_BROWSER_ENDPOINT": "ws://u:hunter2@h:1"})
    assert (endpoint.severity, "hunter2" in endpoint.what) == ("ok", False)


@pytest.mark.parametrize(
    ("version", "bounds", "severity"),
    [
        ("5.7.0", ">=5.7,<5.8", "ok"),
        ("5.9.0", ">=5.7,<5.8", "warning"),
        (None, "", "broken"),
        ("1", "", "ok"),
    ],
)
def test_libraries(version, bounds, severity):
    """Within the bounds that were tried, outside of them, missing, nothing known."""
    assert judge_library("celery", version, bounds).severity == severity
