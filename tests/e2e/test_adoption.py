"""Two deliveries of one run: one record, one set of rows, the loser's files gone, counts right."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import quarry.lode
from quarry.crawl.children import make_job
from quarry.crawl.plan import CrawlPlan, JobPayload, encode
from quarry.crawl.seeding import seed_crawl
from quarry.engine.server import PrivateServer
from quarry.lode.layout import TEMP_SUFFIX
from quarry.redisio import make_client
from quarry.scheduler import Bounds, CrawlRegistry, Ledger
from tests.e2e.harness import tree
from tests.e2e.site import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCRIPT = str(Path(__file__).parent / "scripts" / "fan.py")
LATE = str(Path(__file__).parent / "scripts" / "late.py")
DRIVER = str(Path(__file__).parent / "deliver_once.py")
CRAWL = "adoption"


class Fixture:
    """A crawl of one job in a private Redis, and workers that are told to deliver it."""

    def __init__(self, folder: Path, server: PrivateServer, ledger: Ledger, key: str) -> None:
        self.folder = folder
        self.server = server
        self.ledger = ledger
        self.key = key
        self.storage = folder / "data"
        self.workers: list[subprocess.Popen[bytes]] = []

    def deliver(self) -> subprocess.Popen[bytes]:
        """Start a worker process that delivers the job once."""
        env = {**os.environ, "DELIVER_URL": self.server.url, "DELIVER_CRAWL": CRAWL, "DELIVER_KEY": self.key}
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            worker = subprocess.Popen([sys.executable, DRIVER], env=env, stdout=subprocess.PIPE, stderr=log)
        self.workers.append(worker)
        return worker

    async def lapse(self) -> None:
        """Let the lease of a delivery that runs end, as if its worker had not beaten for a minute."""
        await self.ledger.abandon()
        answer = await self.ledger.expire()
        assert answer.requeued == 1

    async def told(self, received: int) -> None:
        """Wait until the ledger has counted so many seeds and enqueue events."""
        deadline = time.monotonic() + 60
        while (await self.ledger.counts()).received < received:
            assert time.monotonic() < deadline, f"waited for {received} events"
            await asyncio.sleep(0.005)

    def record_files(self) -> list[Path]:
        return list(self.storage.glob("datasets/quarry/runs/*/*/*.json"))

    def tokens_on_disk(self) -> set[str]:
        """TOKENs of all data files and live folders."""
        root = self.storage / "datasets" / "quarry"
        parts = {p.name.split("-")[1] for p in root.glob("partitions/**/part-*")}
        return parts | {p.name for p in root.glob("live/*/*")}

    def end(self) -> None:
        for worker in self.workers:
            for pid in [worker.pid, *tree(worker.pid)]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()


@asynccontextmanager
async def one_job(folder: Path, url: str, script: str = SCRIPT) -> AsyncIterator[Fixture]:
    server = PrivateServer(folder / "redis")
    await asyncio.to_thread(server.start)
    client = make_client(server.url)
    ledger = Ledger(client, CRAWL)
    plan = CrawlPlan(
        crawl=CRAWL,
        day="2026-01-02",
        started_at=time.time(),
        storage_path=str(folder / "data"),
        dataset="quarry",
        policy="strict",
        timeout_ms=60_000,
        scripts_root=str(Path(SCRIPT).parent),
        cwd=str(folder),
    )
    job = make_job(
        JobPayload(
            target=Path(script).name,
            path=script,
            params={"kind": "leaf", "n": 1, "url": url},
            source="s",
            category="c",
            run_id=CRAWL,
        ),
        depth=0,
    )
    bounds = Bounds(depth=1, max_runs=10, parallel=1, max_attempts=1, max_redeliveries=3, config=encode(plan))
    await seed_crawl(
        ledger=ledger,
        registry=CrawlRegistry(client),
        crawl=CRAWL,
        seeder="test",
        bounds=bounds,
        batches=[(0, 1, [job], True)],
    )
    fixture = Fixture(folder, server, ledger, job.key)
    try:
        yield fixture
    finally:
        fixture.end()
        await client.aclose()
        await asyncio.to_thread(server.stop)


async def until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        await asyncio.sleep(0.005)


async def finished(worker: subprocess.Popen[bytes]) -> str:
    out, _ = await asyncio.to_thread(worker.communicate, timeout=60)
    assert worker.returncode == 0
    return out.decode()


async def assert_one_of_everything(fixture: Fixture) -> None:
    counts = await fixture.ledger.counts()
    assert counts.imbalances() == []
    assert (counts.succeeded, counts.failed, counts.leased, counts.pending) == (1, 0, 0, 0)
    assert len(fixture.record_files()) == 1
    reader = quarry.lode.open(fixture.storage)
    (record,) = reader.runs()
    assert fixture.tokens_on_disk() == {record.token}
    assert reader.scan(event_type="item").num_rows == 1
    assert reader.verify() == []
    # A worker killed right behind its commit may leave the temporary name of its record, and nothing else.
    assert [o.path for o in reader.orphans() if not o.path.endswith(TEMP_SUFFIX)] == []


@pytest.mark.slow
@pytest.mark.clause("RUN-25")
async def test_two_workers_on_one_run_leave_one_record(tmp_path):
    """Both execute, both come to commit: the first wins, the other adopts and drops its files."""
    with serving() as site:
        site.gate.clear()
        async with one_job(tmp_path, site.url) as fixture:
            first = fixture.deliver()
            await until(lambda: sum(site.requests.values()) == 1, "the first delivery")
            await fixture.lapse()
            second = fixture.deliver()
            await until(lambda: sum(site.requests.values()) == 2, "the second delivery")
            site.gate.set()
            said = [await finished(first), await finished(second)]
            assert sorted("committed" in text for text in said) in ([False, True], [True, True])
            await assert_one_of_everything(fixture)
            counts = await fixture.ledger.counts()
            assert counts.redeliveries == 1


@pytest.mark.slow
@pytest.mark.clause("RUN-26")
async def test_worker_killed_between_commit_and_settle_is_adopted_without_running_again(tmp_path):
    """The record is there, the ledger does not know: the next delivery settles from it and fetches nothing."""
    with serving() as site:
        site.gate.clear()
        async with one_job(tmp_path, site.url) as fixture:
            first = fixture.deliver()
            await until(lambda: sum(site.requests.values()) == 1, "the first delivery")
            pid = fixture.server.pid
            os.kill(pid, signal.SIGSTOP)
            try:
                site.gate.set()
                await until(fixture.record_files, "the record")
                os.kill(first.pid, signal.SIGKILL)
                first.wait()
            finally:
                os.kill(pid, signal.SIGCONT)
            counts = await fixture.ledger.counts()
            assert (counts.leased, counts.succeeded) == (1, 0)
            await fixture.lapse()
            said = await finished(fixture.deliver())
            assert "adopted" in said
            assert sum(site.requests.values()) == 1
            await assert_one_of_everything(fixture)


@pytest.mark.slow
@pytest.mark.clause("LEDGER-19")
@pytest.mark.parametrize("winner", [0, 1])
async def test_whichever_delivery_wins_its_enqueue_events_are_counted_once(tmp_path, winner):
    """Both told the ledger of the same three jobs; what the loser said is `replayed`, by the data of the record."""
    with serving() as site:
        site.gate.clear()
        async with one_job(tmp_path, site.url, LATE) as fixture:
            # A request may reach the site before the ledger has answered for the events emitted ahead of it.
            workers = [fixture.deliver()]
            await until(lambda: sum(site.requests.values()) == 1, "the first delivery")
            await fixture.told(1 + 3)
            await fixture.lapse()
            workers.append(fixture.deliver())
            await until(lambda: sum(site.requests.values()) == 2, "the second delivery")
            await fixture.told(1 + 3 + 3)
            loser = workers[1 - winner]
            os.kill(loser.pid, signal.SIGSTOP)
            site.gate.set()
            try:
                await until(fixture.record_files, "the winner's record")
                await finished(workers[winner])
            finally:
                os.kill(loser.pid, signal.SIGCONT)
            await finished(loser)
            counts = await fixture.ledger.counts()
            assert counts.imbalances() == []
            assert (counts.succeeded, counts.admitted, counts.seeds) == (1, 4, 1)
            assert counts.received - counts.replayed - counts.seeds == 3
            assert counts.replayed == (6 if winner == 0 else 3)
            reader = quarry.lode.open(fixture.storage)
            (record,) = reader.runs()
            assert fixture.tokens_on_disk() == {record.token}
            assert reader.scan(event_type="enqueue").num_rows == 3
            assert reader.verify() == []
