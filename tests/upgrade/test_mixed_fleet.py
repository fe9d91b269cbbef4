"""A deploy: workers of the release before this one and of today execute one crawl on one Redis."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import quarry
from quarry.redisio import make_client
from quarry.scheduler import Ledger
from tests.upgrade import fleet
from tests.upgrade.fleet import Worker, check_counts, check_rows, environment, wait_for
from tests.workers.kit import redis_server

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).parent / "scripts" / "walk.py"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("upgrade")]


class Stage:
    """One Redis, two old and two new workers, and a crawl to come."""

    def __init__(self, folder: Path, url: str, old_site: Path) -> None:
        self.url = url
        self.old_site = old_site
        self.storage = folder / "data"
        self.notes = folder / "notes"
        self.workers = [
            Worker(f"{version}{at}", folder, url, site=old_site if version == "old" else None)
            for version in ("old", "new")
            for at in (1, 2)
        ]
        self.notes.mkdir()
        self.storage.mkdir()

    @property
    def params(self) -> dict[str, Any]:
        """The root's params."""
        return {"n": 0, "jobs": fleet.JOBS, "notes": str(self.notes)}

    def wait_ready(self) -> None:
        """Wait for the workers; each runs the code that it is named after."""
        for worker in self.workers:
            worker.wait_ready()
            old = worker.code().startswith(str(self.old_site))
            assert old == worker.name.startswith("old"), (worker.name, worker.code())
            assert old or worker.code() == quarry.__file__

    def kill_one_of_each(self) -> None:
        """kill -9 of an old and of a new worker while each of them has a run that waits; then let all go on."""
        for version in ("old", "new"):
            holder = wait_for(lambda v=version: self._holding(v), f"an {version} worker with a run under way")
            next(worker for worker in self.workers if worker.name == holder).kill()
        (self.notes / "gate").touch()

    def _holding(self, version: str) -> str | None:
        names = {path.name.split("-")[1] for path in self.notes.glob(f"waits-{version}*")}
        return min(names) if names else None

    def end(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.end()


@pytest.fixture
def stage(tmp_path, old_site) -> Iterator[Stage]:
    """Four workers of two versions on an empty, durable Redis."""
    with redis_server(tmp_path / "redis", "--appendonly", "yes") as port, contextlib.ExitStack() as stack:
        made = Stage(tmp_path, f"redis://127.0.0.1:{port}/0", old_site)
        stack.callback(made.end)
        made.wait_ready()
        yield made


def _check(stage: Stage, crawl: str, fanout: dict[str, int]) -> None:
    check_counts(fanout)
    assert fanout["redeliveries"] >= 2, fanout
    used = check_rows(stage.storage, crawl)
    assert used == {quarry.__file__, str(stage.old_site / "quarry" / "__init__.py")}


@pytest.mark.clause("LEDGER-47")
def test_a_crawl_of_today_is_executed_by_both(tmp_path, stage):
    """`quarry run` of today, two workers of each version, one of each killed: counts, rows and equations exact."""
    command = [sys.executable, "-m", "quarry.cli", "run", str(SCRIPT), "--job", json.dumps(stage.params)]
    command += ["--run-id", "today", "--depth", "50", "--parallel", "16", "--max-redeliveries", "9"]
    command += [
        "--max-attempts",
        str(fleet.MAX_ATTEMPTS),
        "--storage-path",
        str(stage.storage),
        "--format",
        "json",
    ]
    with (tmp_path / "err").open("wb") as err:
        run = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            env=environment(
                None,
                QUARRY_BROKER=stage.url,
                QUARRY_LEASE=f"{fleet.LEASE_S}s",
                XDG_STATE_HOME=str(tmp_path / "state"),
            ),
        )
    try:
        stage.kill_one_of_each()
        out, _ = run.communicate(timeout=200)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 0, (out, (tmp_path / "err").read_text()[-2000:])
    _check(stage, "today", json.loads(out)["fanout"])


@pytest.mark.clause("LEDGER-47")
async def test_a_crawl_of_the_former_release_is_executed_by_both(stage):
    """The same with a crawl that the former release began, and that nobody watches."""
    asked = {
        "crawl": "former",
        "script": str(SCRIPT),
        "storage": str(stage.storage),
        "params": stage.params,
        "bounds": {
            "parallel": 16,
            "max_attempts": fleet.MAX_ATTEMPTS,
            "max_redeliveries": 9,
            "lease_ms": fleet.LEASE_S * 1000,
        },
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "seed_old.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env=environment(stage.old_site, QUARRY_BROKER=stage.url),
        timeout=60,
    )
    assert done.stdout.strip() == str(stage.old_site / "quarry" / "__init__.py"), done.stderr
    await asyncio.to_thread(stage.kill_one_of_each)
    client = make_client(stage.url)
    try:
        ledger = Ledger(client, "former")
        deadline = time.monotonic() + 200
        while not (await ledger.state()).announced:
            assert time.monotonic() < deadline, await ledger.counts()
            await asyncio.sleep(0.1)
        counts = await ledger.counts()
    finally:
        await client.aclose()
    assert counts.imbalances() == []
    _check(stage, "former", counts.fanout())
