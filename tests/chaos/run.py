"""One run of the suite: a crawl, its faults, those who look at it meanwhile, and what is found at the end."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.crawl.children import make_job
from quarry.crawl.plan import CrawlPlan, JobPayload, encode
from quarry.crawl.seeding import seed_crawl
from quarry.errors import QuarryError
from quarry.redisio import Retrier, make_client
from quarry.scheduler import Bounds, CrawlRegistry, Ledger
from tests.chaos.answer import SCRIPT, answer, params_of, seeds_of
from tests.chaos.fleet import SLOTS, WORKERS, Fleet
from tests.chaos.scripts.graph import SHARES, Graph

if TYPE_CHECKING:
    from quarry.types import Counts
    from tests.chaos.scenario import Scenario

PARALLEL = WORKERS * SLOTS + 8
"""More than the slots, so that messages wait in the broker's list and can be lost there."""

LEASE_MS = 3_000
CLAIM_MS = 20_000
GRACE_MS = 1_500
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
        self.graph = Graph(scenario.seed, scenario.jobs, int(LEASE_MS * 1.4) if scenario.long_jobs else 0)
        self.answer = answer(self.graph, max_attempts=scenario.max_attempts)
        self.fleet = Fleet(folder, storage_faults=scenario.storage_faults, switch=scenario.switch)
        self.storage = folder / "data"
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
        self.registry = CrawlRegistry(self.client)

    async def seed(self) -> None:
        """Seed the crawl as `quarry run --broker --detach` does."""
        scripts = Path(__file__).parent / "scripts"
        self.plan = CrawlPlan(
            crawl=self.crawl,
            day=datetime.now(UTC).strftime("%Y-%m-%d"),
            started_at=time.time(),
            storage_path=str(self.storage),
            dataset="quarry",
            policy="strict",
            timeout_ms=60_000,
            scripts_root=str(scripts),
            cwd=str(scripts),
            seeded=True,
            fleet=True,
            lease_ms=LEASE_MS,
        )
        jobs = [
            make_job(
                JobPayload(
                    target=SCRIPT,
                    path=str(scripts / SCRIPT),
                    params=params_of(self.graph, n),
                    source="chaos",
                    category="default",
                ),
                depth=0,
            )
            for n in seeds_of(self.graph)
        ]
        bounds = Bounds(
            depth=len(SHARES) - 1,
            max_runs=None,
            parallel=PARALLEL,
            max_attempts=self.scenario.max_attempts,
            max_redeliveries=REDELIVERIES,
            lease_ms=LEASE_MS,
            claim_ms=CLAIM_MS,
            grace_ms=GRACE_MS,
            config=encode(self.plan),
        )
        batches = [
            (at, min(at + 500, len(jobs)), jobs[at : at + 500], at + 500 >= len(jobs))
            for at in range(0, len(jobs), 500)
        ]
        await seed_crawl(
            ledger=self.ledger,
            registry=self.registry,
            crawl=self.crawl,
            seeder="chaos",
            bounds=bounds,
            batches=batches,
        )

    async def follow(self) -> None:
        """Read the ledger until the crawl is closed and announced; both equations at each read."""
        while not self.closed:
            try:
                await self._read()
            except QuarryError as error:
                self.note(f"the ledger could not be read: {error.message[:120]}")
            for name in self.fleet.revive():
                self.count("restarts")
                self.note(f"worker {name} ended by itself and was started again")
                self.count("self-exits")
            await asyncio.sleep(0.05)

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
            state = await self.ledger.state()
            self.closed = state.status == "closed" and state.announced

    changed = 0.0

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
