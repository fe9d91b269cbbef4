"""The cable between two hosts is pulled while runs are in flight on both, and put back."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import quarry.lode
from quarry.types import format_timestamp
from tests.e2e.harness import assert_balanced, wait_for
from tests.network.hosts import Hosts, Worker, shifted_clock, two_hosts
from tests.network.scripts.shape import HELD, asks_again, jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

AHEAD_S = 3600
SCRIPTS = Path(__file__).parent / "scripts"
ALL_SLOTS = 16


@pytest.fixture
def hosts(tmp_path) -> Iterator[Hosts]:
    """Two hosts, Redis on A."""
    with two_hosts(tmp_path, SCRIPTS) as made:
        yield made


@pytest.mark.timeout(400)
@pytest.mark.clause("RUN-48")
@pytest.mark.clause("LEDGER-42")
@pytest.mark.parametrize(
    ("cut_s", "lease_s"),
    [pytest.param(25, 5, id="25s"), pytest.param(90, 10, id="90s", marks=pytest.mark.slow)],
)
def test_a_partition_costs_nothing_but_time(hosts, cut_s, lease_s):
    """Runs of the cut host are adopted or delivered again; every count and row is exact, and the host comes back."""
    workers = [Worker(hosts.a, f"a{i}") for i in range(2)]
    workers += [Worker(hosts.b, f"b{i}", **shifted_clock(AHEAD_S)) for i in range(2)]
    for worker in workers:
        worker.wait_ready()
    run = hosts.begin(
        *("--job", json.dumps({"kind": "root", "n": 0, "notes": str(hosts.notes)}), "--run-id", "cut"),
        *("--depth", "9", "--parallel", str(ALL_SLOTS), "--max-redeliveries", "9"),
        QUARRY_LEASE=f"{lease_s}s",
        QUARRY_GRACE="3s",
    )
    wait_for(lambda: len(_held_by(hosts, "ab")) == HELD, timeout_s=90, what="all held jobs to have begun")
    quiet = _pull_the_cable(hosts, cut_s)
    assert run.poll() is None
    hosts.plug()
    (hosts.notes / "gate-held").touch()
    healed = time.monotonic()
    wait_for(lambda: hosts.noted("began-tail-*-b-*"), timeout_s=120, what=_logs(workers))
    print(f"host B executes again {time.monotonic() - healed:.1f} s after the cable was put back")
    (hosts.notes / "gate-tail").touch()
    result = hosts.result(run)
    assert all(worker.process.poll() is None for worker in workers), _logs(workers)
    _check_books(result)
    _check_rows(hosts, adopted=quiet)
    assert any("clock" in line["check"] for worker in workers[2:] for line in worker.logged("worker.check"))


def _held_by(hosts: Hosts, names: str) -> set[int]:
    return {int(n) for _, _, n, host, _ in hosts.noted("began-held-*") if host in names}


def _pull_the_cable(hosts: Hosts, cut_s: int) -> set[int]:
    """Cut host B off for so long; gives the jobs whose record B puts meanwhile, which it can't settle."""
    cut = _held_by(hosts, "b") - _held_by(hosts, "a")
    quiet = {n for n in sorted(cut) if not asks_again(n)}
    assert quiet, cut
    assert cut - quiet, cut
    before = hosts.counters("cut").get("redeliveries", 0)
    hosts.pull()
    pulled = time.monotonic()
    for n in quiet:
        (hosts.notes / f"gate-held-{n}").touch()
    wait_for(
        lambda: hosts.counters("cut").get("redeliveries", 0) >= before + len(cut),
        timeout_s=60,
        what="the leases of B to lapse",
    )
    for n in (
        _held_by(hosts, "a") - cut
    ):  # the slots of A are free from now on, and jobs of B are in line first
        (hosts.notes / f"gate-held-{n}").touch()
    wait_for(lambda: cut - quiet <= _held_by(hosts, "a"), timeout_s=60, what="A to run what B has in flight")
    while (left_s := pulled + cut_s - time.monotonic()) > 0:  # the fault's own length
        time.sleep(left_s)
    print(
        f"cut for {time.monotonic() - pulled:.1f} s: {len(cut)} runs in flight on B, {len(quiet)} of them ended there"
    )
    return quiet


def _check_books(result: dict[str, Any]) -> None:
    fanout, events = result["fanout"], jobs()
    assert (result["exit_code"], result["outcome"]) == (0, "success"), result
    assert_balanced(fanout)
    assert (fanout["admitted"], fanout["succeeded"], fanout["failed"]) == (len(events), len(events), 0), (
        fanout
    )
    assert fanout["received"] - fanout["replayed"] - fanout["seeds"] == sum(events.values()), fanout
    print(f"redeliveries {fanout['redeliveries']}, replayed events {fanout['replayed']}")


def _check_rows(hosts: Hosts, *, adopted: set[int]) -> None:
    reader = quarry.lode.open(hosts.storage)
    assert reader.verify() == []
    found = reader.scan(event_type="item", crawl="cut").to_pylist()
    rows = [{**json.loads(row["data"]), "run_id": row["run_id"]} for row in found]
    assert Counter(row["job"] for row in rows) == Counter(list(jobs()))
    by_host = {name: [row for row in rows if row["host"] == name] for name in "ab"}
    assert all(by_host.values())
    for host in (hosts.a, hosts.b):
        assert {Path(row["script"]).parent for row in by_host[host.name]} == {host.scripts}
    assert min(row["clock"] for row in by_host["b"]) > time.time() + AHEAD_S / 2
    assert max(row["clock"] for row in by_host["a"]) <= time.time()
    ahead = format_timestamp(time.time() + AHEAD_S / 2)
    late = {record.run_id for record in reader.runs(crawl="cut") if record.started_at > ahead}
    assert late == {row["run_id"] for row in by_host["b"]}  # B's workers are as wrong as its executors
    ended_on_b = {
        int(row["job"].removeprefix("held-")) for row in by_host["b"] if row["job"].startswith("held-")
    }
    assert adopted <= ended_on_b, (adopted, ended_on_b)


def _logs(workers: list[Worker]) -> str:
    return "\n".join(f"{worker.name}: {worker.text()[-1500:]}" for worker in workers)
