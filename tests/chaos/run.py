"""One run of the suite: a crawl, its faults, those who look at it meanwhile, and what is found at the end."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from quarry.errors import QuarryError
from quarry.redisio import Retrier, make_client
from quarry.scheduler import Ledger
from tests.chaos.answer import answer
from tests.chaos.fleet import SLOTS, WORKERS, Fleet
from tests.chaos.proxies import Proxies
from tests.chaos.scripts.graph import Graph
from tests.chaos.small_disk import SmallDisk
from tests.chaos.watcher import Watcher

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from quarry.types import Counts
    from tests.chaos.scenario import Scenario

PARALLEL = WORKERS * SLOTS + 8
"""More than the slots, so that messages wait in the broker's list and can be lost there."""

LEASE_MS = 3_000
SETTINGS = {"QUARRY_LEASE": f"{LEASE_MS}ms", "QUARRY_CLAIM": "20s", "QUARRY_GRACE": "1500ms"}
"""The ledger's times, as the seeding command's environment."""

REDELIVERIES = 40
"""High: no job may end as `lost` where its worker is killed again and again; that has tests of its own."""


class Run:
    """What the faults, the looks and the checks of one run share.

    Attributes:
        counts: The ledger's counters as they were last read.
        done: Settled jobs so far.
        closed: Whether the crawl is closed and announced.
        wrong: Violations, as sentences.
        tally: How often what was done: kills, restarts, rollbacks …
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.folder = folder
        self.crawl = f"chaos-{scenario.seed}"
        self.graph = Graph(scenario.seed, scenario.jobs, int(LEASE_MS * 2.4) if scenario.long_jobs else 0)
        self.answer = answer(self.graph, max_attempts=scenario.max_attempts)
        self.fleet = Fleet(folder, storage_faults=scenario.storage_faults, switch=scenario.switch)
        self.proxies = Proxies()
        self.storage = folder / "data"
        self.disk = SmallDisk(self.storage, jobs=scenario.jobs)
        self.counts: Counts | None = None
        self.closed = False
        self.wrong: list[str] = []
        self.lost = self.twice = self.hung = self.orphans = 0
        self.tally: dict[str, int] = {}
        self.killed_pids: set[int] = set()
        self.redis_lock = asyncio.Lock()
        self.notes: list[str] = []
        self.started = time.monotonic()

    @property
    def done(self) -> int:
        """Settled jobs."""
        return self.counts.succeeded + self.counts.failed if self.counts else 0

    def count(self, what: str, by: int = 1) -> None:
        """Count something that was done or seen."""
        self.tally[what] = self.tally.get(what, 0) + by

    def note(self, text: str) -> None:
        """Say what was done, for whoever reads the evidence."""
        where = f"{self.done}/{self.answer.admitted} leased={self.counts.leased if self.counts else '?'}"
        self.notes.append(f"{time.monotonic() - self.started:7.2f}s {where} {text}")

    def violation(self, text: str, *, kind: str = "") -> None:
        """Note what must not be."""
        if kind:
            setattr(self, kind, getattr(self, kind) + 1)
        self.note(f"VIOLATION {text}")
        self.wrong.append(text)

    def open_ledger(self) -> None:
        """Connect to Redis, on its own socket."""
        self.client = make_client(self.fleet.server.url)
        self.ledger = Ledger(self.client, self.crawl, retrier=Retrier(20))

    async def seed(self) -> None:
        """Begin the crawl by the real command, and wait until its seeds are in the ledger.

        Raises:
            RuntimeError: They do not come.
        """
        self.watcher = Watcher(self, settings=SETTINGS, parallel=PARALLEL, redeliveries=REDELIVERIES)
        self.watcher.seed()
        while (state := await self.ledger.state()).status in {"", "seeding"}:
            if self.watcher.pid is None:
                raise RuntimeError(f"the command that seeds ended: {self.watcher.said()}")
            await asyncio.sleep(0.02)
        self.started = self.changed = time.monotonic()
        assert state.parallel == PARALLEL

    async def follow(self) -> None:
        """Read the ledger until the crawl is closed and announced; both equations at each read."""
        while not self.closed:
            await self._read_or_note()
            for name, pid, code in self.fleet.revive():
                self.count("restarts")
                if pid not in self.killed_pids:
                    self.killed_pids.add(pid)
                    self.count("self-exits")
                    self.note(f"worker {name} had ended by itself with {code} and was started again")
                    if code is None or code < 0:
                        self.violation(
                            f"worker {name} was ended by signal {code and -code}, which nobody sent"
                        )
            if self.watcher.code is not None and not self.watcher_down:
                await self._read_or_note()
                if not self.closed:
                    self.violation(f"the watcher ended with {self.watcher.code}: {self.watcher.said()}")
                    self.watcher_down = True
            await asyncio.sleep(0.05)

    async def _read_or_note(self) -> None:
        try:
            await self._read()
        except QuarryError as error:
            self.note(f"the ledger could not be read: {error.message[:120]}")

    async def _read(self) -> None:
        counts = await self.ledger.counts()
        for problem in counts.imbalances():
            self.violation(f"while it ran: {problem}")
        if counts.leased > PARALLEL:
            self.violation(f"{counts.leased} leases, --parallel is {PARALLEL}")
        self.count("looks-ledger")
        if counts != self.counts:
            self.changed = time.monotonic()
        self.counts = counts
        if counts.idle():
            if not self.idle_seen:
                self.note("all jobs are settled")
            self.idle_seen = True
            state = await self.ledger.state()
            self.closed = state.status == "closed" and state.announced

    changed = 0.0
    idle_seen = False
    watcher_down = False

    async def wait_moment(self, fraction: float, rng: random.Random) -> bool:
        """Wait until so much of the crawl is settled and jobs are leased; false where it ended before."""
        target = fraction * self.answer.admitted
        while not self.closed:
            if self.done >= target and self.counts is not None and self.counts.leased >= 3:
                await asyncio.sleep(rng.uniform(0, 0.15))
                return not self.closed
            await asyncio.sleep(0.01)
        return False

    def keep_evidence(self) -> None:
        """Write what was done and found beside the logs."""
        with suppress(OSError):
            (self.folder / "story.txt").write_text("\n".join([*self.notes, "", *self.wrong]) + "\n")
            (self.folder / "tally.json").write_text(json.dumps(self.tally, indent=1))
