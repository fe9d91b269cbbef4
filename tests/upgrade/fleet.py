"""Workers of two versions on one Redis, and what the crawl over the tree of numbers must give."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import quarry.lode
from tests.e2e.harness import tree

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
JOBS = 150
MAX_ATTEMPTS = 2
LEASE_S = 25
"""Two and a half beats of an old worker, which beats every ten seconds whatever a crawl's lease is."""

SLOTS = 4


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 90) -> Any:
    """Poll until the condition gives something true, and give that."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.02)
    return value


class Worker:
    """A `celery worker` whose quarry is the wheel's, or this repository's."""

    def __init__(self, name: str, folder: Path, url: str, *, site: Path | None) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self._log = self.folder / "log"
        self._note = self.folder / "code"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("celery")),
                    *("-A", "noted_app", "worker", "-n", f"{name}@upgrade", "-c", str(SLOTS), "-l", "INFO"),
                    *("--without-gossip", "--without-mingle"),
                ],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(site, QUARRY_BROKER=url, UPGRADE_WORKER=name, UPGRADE_NOTE=str(self._note)),
            )

    def wait_ready(self) -> None:
        """Wait until it takes messages."""
        wait_for(
            lambda: self.process.poll() is not None or f"{self.name}@upgrade ready." in self.text(),
            f"{self.name} to be ready: {self.text()[-2000:]}",
        )
        assert self.process.poll() is None, self.text()

    def text(self) -> str:
        """Give its log."""
        return self._log.read_text()

    def code(self) -> str:
        """Give the file of the package that it runs."""
        return self._note.read_text()

    def kill(self) -> None:
        """kill -9, of its own process alone."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it and all that is below it."""
        for pid in [self.process.pid, *tree(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def environment(site: Path | None, **more: str) -> dict[str, str]:
    """Give the environment of a process of one version: the wheel's folder, or this repository.

    The test's own folder is last, for ``noted_app``; this repository is found by nobody who has a wheel before it.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("QUARRY_", "CELERY_", "PYTHONPATH"))}
    first = site or HERE.parents[1]
    return {**kept, "PYTHONPATH": f"{first}{os.pathsep}{HERE}", "PYTHONWARNINGS": "ignore", **more}


def children(n: int) -> list[int]:
    """Give the jobs that job n enqueues."""
    return [child for child in (3 * n + 1, 3 * n + 2, 3 * n + 3, n // 2) if child < JOBS]


def attempts(n: int) -> int:
    """Say with which attempt job n ends."""
    return 2 if n % 25 == 7 or n % 10 == 3 else 1


def fails(n: int) -> bool:
    """Say whether job n fails with each attempt."""
    return n % 25 == 7


def check_counts(fanout: dict[str, int]) -> None:
    """Both equations, and each counter that no lost delivery can change."""
    events = sum(len(children(n)) * attempts(n) for n in range(JOBS))
    failed = sum(fails(n) for n in range(JOBS))
    states = ("pending", "leased", "committing", "succeeded", "failed", "not_executed")
    assert (
        fanout["received"]
        == fanout["admitted"] + fanout["duplicate"] + fanout["beyond_depth"] + fanout["over_cap"]
    )
    assert fanout["admitted"] == sum(fanout[name] for name in states), fanout
    assert (fanout["admitted"], fanout["succeeded"], fanout["failed"]) == (JOBS, JOBS - failed, failed), (
        fanout
    )
    assert (fanout["beyond_depth"], fanout["over_cap"], fanout["not_executed"]) == (0, 0, 0), fanout
    assert fanout["received"] - fanout["replayed"] - fanout["seeds"] == events, (fanout, events)


def check_rows(storage: Path, crawl: str) -> set[str]:
    """Each job has one record and one row, of the attempt that it ended with; gives the code that ran them."""
    reader = quarry.lode.open(storage)
    assert reader.verify() == []
    records = {record.job["n"]: record for record in reader.runs(crawl=crawl)}
    assert sorted(records) == list(range(JOBS))
    wrong = {n: record.attempt for n, record in records.items() if record.attempt != attempts(n)}
    assert not wrong, wrong
    rows = reader.scan(event_type="item", crawl=crawl).to_pylist()
    said = [(row["run_id"], json.loads(row["data"])) for row in rows]
    finals = Counter(data["n"] for run_id, data in said if run_id == records[data["n"]].run_id)
    assert finals == Counter(range(JOBS))
    assert all(
        data["attempt"] == attempts(data["n"]) for run_id, data in said if run_id == records[data["n"]].run_id
    )
    return {data["code"] for _, data in said}
