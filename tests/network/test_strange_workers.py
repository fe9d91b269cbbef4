"""A host whose scripts or storage are not the crawl's: it is told so, counted and named, and writes nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import quarry.lode
from tests.e2e.harness import assert_balanced, wait_for
from tests.network.hosts import Hosts, Worker, two_hosts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

SCRIPTS = Path(__file__).parent / "scripts"
SEEDS = 12
A_SLOTS = 4


@pytest.fixture
def hosts(tmp_path) -> Iterator[Hosts]:
    """Two hosts, Redis on A."""
    with two_hosts(tmp_path, SCRIPTS) as made:
        yield made


def _begin(hosts: Hosts) -> tuple[Worker, Popen[bytes]]:
    """Begin a crawl of jobs that wait for a gate; gives A's worker, which has all that it can take."""
    worker = Worker(hosts.a, "a0", slots=A_SLOTS).wait_ready()
    seeds = hosts.a.folder / "seeds"
    seeds.write_text(
        "".join(json.dumps({"kind": "tail", "n": n, "notes": str(hosts.notes)}) + "\n" for n in range(SEEDS))
    )
    run = hosts.begin(
        *("--seeds", str(seeds), "--run-id", "strange", "--parallel", str(SEEDS), "--max-failures", "100%"),
        QUARRY_GRACE="1s",
    )
    wait_for(lambda: len(hosts.noted("began-tail-*-a-*")) == A_SLOTS, timeout_s=60, what="A to be full")
    return worker, run


def _finish(hosts: Hosts, run: Popen[bytes]) -> dict[str, Any]:
    (hosts.notes / "gate-tail").touch()
    result = hosts.result(run)
    assert_balanced(result["fanout"])
    assert quarry.lode.open(hosts.storage).verify() == []
    return result


def _failures_of(hosts: Hosts, run: Popen[bytes]) -> list[Any]:
    """Wait until B has had all that A can't take, and give the failed records."""
    wait_for(
        lambda: hosts.counters("strange").get("failed", 0) == SEEDS - A_SLOTS,
        timeout_s=90,
        what="B to refuse the rest",
    )
    result = _finish(hosts, run)
    fanout = result["fanout"]
    assert (fanout["admitted"], fanout["succeeded"], fanout["failed"]) == (SEEDS, A_SLOTS, SEEDS - A_SLOTS), (
        fanout
    )
    records = list(quarry.lode.open(hosts.storage).runs(crawl="strange"))
    failed = [record for record in records if record.outcome.status.value != "success"]
    summed = Counter({failure["error_type"]: failure["count"] for failure in result["failures"]})
    assert summed == Counter(record.outcome.error_type for record in failed)
    assert hosts.noted("began-tail-*-b-*") == []
    return failed


@pytest.mark.clause("LEDGER-40")
def test_a_host_with_another_version_of_a_script_does_not_execute_it(hosts):
    """One changed character: each run that it takes ends as `script_mismatch`, and the summary counts them."""
    with (hosts.b.scripts / "walk.py").open("a") as script:
        script.write("# \n")
    _, run = _begin(hosts)
    Worker(hosts.b, "b0").wait_ready()
    for record in _failures_of(hosts, run):
        assert record.outcome.error_type == "script_mismatch", record.outcome
        assert "give every worker the same scripts" in str(record.outcome.message)


@pytest.mark.clause("LEDGER-40")
def test_a_host_without_a_script_says_so(hosts):
    """Each run that it takes ends as `unresolved_target`, and the message names script and host."""
    (hosts.b.scripts / "walk.py").unlink()
    _, run = _begin(hosts)
    Worker(hosts.b, "b0").wait_ready()
    for record in _failures_of(hosts, run):
        assert record.outcome.error_type == "unresolved_target", record.outcome
        assert "walk.py" in str(record.outcome.message)


@pytest.mark.clause("LODE-35")
def test_a_host_with_another_disk_at_the_storages_path_writes_nothing(hosts, tmp_path):
    """It refuses the crawl, nothing appears on its disk, and the other host does all the work."""
    other = tmp_path / "another-disk"
    other.mkdir()
    _, run = _begin(hosts)
    stranger = Worker(hosts.b, "b0", storage=(other, hosts.storage)).wait_ready()
    wait_for(lambda: "mount the same storage" in stranger.text(), timeout_s=60, what="B to refuse the crawl")
    result = _finish(hosts, run)
    fanout = result["fanout"]
    assert (fanout["admitted"], fanout["succeeded"], fanout["redeliveries"]) == (SEEDS, SEEDS, 0), fanout
    assert list(other.iterdir()) == []
    assert hosts.noted("began-tail-*-b-*") == []
