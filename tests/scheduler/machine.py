"""Random interleavings of all steps: the real Lua on a real server and the real store against their models.

Faults: workers that are killed at any step, zombies that go on after their lease lapsed, replies that are lost (the
call is repeated: steps of the ledger and puts), puts that land after their worker was killed, messages that are lost
or repeated, reapers that die between their steps, a stop, and in one of the two machines a rollback of Redis to an
earlier state while all workers keep what they know and the store keeps what it has.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quarry.lode import Dataset
from quarry.redisio import make_client
from tests.scheduler.acting import Acting
from tests.scheduler.actors import CRAWL, FATES, LOST, MOVES, SEEDS, Delivery, Owing, Saved
from tests.scheduler.crawling import Crawl, bounds, job, key_of
from tests.scheduler.ending import CrawlEnd
from tests.scheduler.model import LedgerModel
from tests.scheduler.shelf import Shelf


class LedgerMachine(Acting, CrawlEnd, RuleBasedStateMachine):
    """One crawl, its workers, its reapers, its records.

    Attributes:
        url: The server; emptied by each walk.
        scripts: Lua files under test.
        folder: Each walk has a dataset of its own below it.
        store: Dataset class under test.
    """

    url = ""
    scripts = None
    folder = ""
    store = Dataset
    rolls_back = False

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.client = make_client(self.url)
        self.do(self.client.flushall())
        self.crawl = Crawl(self.client, self.scripts, CRAWL)
        self.shelf = Shelf(Path(tempfile.mkdtemp(dir=self.folder)), self.store)
        self.deliveries: list[Delivery] = []
        self.stalled: list[Delivery] = []
        self.owings: list[Owing] = []
        self.executed: set[str] = set()
        self.tokens = 0
        self.lease: tuple[int, int] | None = None
        self.saved: Saved | None = None
        self.rolled_back = False
        self.puts_in_flight = []

    def do(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def new_token(self, letter: str) -> str:
        self.tokens += 1
        return f"{letter}{self.tokens}"

    @property
    def now(self) -> int:
        return self.crawl.clock.ms

    @initialize(
        depth=st.sampled_from([None, 1, 2]),
        max_runs=st.sampled_from([None, 1, 4, 9]),
        parallel=st.integers(1, 3),
        max_attempts=st.integers(1, 3),
        max_redeliveries=st.integers(0, 2),
    )
    def begin(self, **given):
        self.bounds = bounds(**given)
        self.model = LedgerModel(key_of, **given)
        self.seed(2, lost=False)

    # -- seeding

    @precondition(lambda self: self.model.seedable())
    @rule(size=st.integers(0, 3), lost=st.booleans())
    def seed(self, size, lost):
        start = self.model.offset
        names = SEEDS[start : start + size]
        final = start + len(names) == len(SEEDS)
        if start > 0 and not names:
            return

        def call():
            batch = [job(name) for name in names]
            return self.do(
                self.crawl.ledger.seed(
                    batch, seeder="s", start=start, end=start + len(names), bounds=self.bounds, final=final
                )
            )

        expected = self.model.seed(start, names, final=final, now=self.now)
        answer = call()
        assert answer.status == expected
        if lost and names:
            assert call().status == "repeat"

    # -- many moves at once: Hypothesis spreads single rules too thin to get deep into a crawl

    @rule(
        moves=st.lists(
            st.tuples(st.sampled_from(MOVES), st.integers(0, 20), st.sampled_from(LOST)), max_size=40
        )
    )
    def go(self, moves):
        for kind, i, lost in moves:
            if kind in FATES:
                self.take(kind, i % 4, i % 3 == 2, ("", "", "", "repeated", "claim repeated", "lost")[i % 6])
            elif kind == "work" and self.deliveries:
                self.work(i, 1 + i % 3, lost)
            elif kind == "finish" and self.deliveries:
                delivery = self.deliveries[i % len(self.deliveries)]
                while delivery in self.deliveries and delivery.phase != "settle":
                    self.work(self.deliveries.index(delivery), 1 + i % 3, lost=False)
            elif kind == "lapse":
                self.crawl.clock.advance(60_001)
                self.expire(dies=lost)
            elif kind == "reap" and self.owings:
                self.reap(i, 1 + i % 3, lost=lost, dies=False)
            elif kind == "land" and self.puts_in_flight:
                self.land(i)
            elif kind == "stall" and self.deliveries:
                self.stall(i)
            elif kind == "race" and self.deliveries:
                self.race(i)
            elif kind == "wake" and self.stalled:
                self.wake(i)
            self.the_real_ledger_is_as_the_model()

    # -- a rollback of Redis

    @precondition(lambda self: self.rolls_back and self.model.status != "closed")
    @rule()
    def save(self):
        if self.saved is None:
            keys = self.do(self.client.keys())
            self.saved = Saved(
                {key: self.do(self.client.dump(key)) for key in keys}, copy.deepcopy(self.model)
            )

    @precondition(lambda self: self.saved and not self.rolled_back and self.model.status != "closed")
    @rule()
    def roll_back(self):
        self.do(self.client.flushall())
        for key, value in self.saved.keys.items():
            self.do(self.client.restore(key, 0, value))
        self.model, self.rolled_back, self.lease = self.saved.model, True, None

    # -- promises

    @invariant()
    def the_real_ledger_is_as_the_model(self):
        counts = self.do(self.crawl.ledger.counts())
        expected = self.model.counts()
        assert {name: getattr(counts, name) for name in expected} == expected
        assert counts.imbalances() == []
        assert counts.leased <= self.bounds.parallel
        if self.bounds.max_runs is not None and not self.rolled_back:
            assert len(self.executed) <= self.bounds.max_runs

    def teardown(self):
        try:
            if hasattr(self, "model"):
                self.drive_to_the_end()
        finally:
            self.release()

    def release(self):
        """End what the walk holds; remove its dataset."""
        for delivery in self.deliveries + self.stalled:
            delivery.files.close()
        self.do(self.client.aclose())
        self.loop.close()
        shutil.rmtree(self.shelf.root)


class RollbackMachine(LedgerMachine):
    """The same with a Redis that once falls back to an earlier state."""

    rolls_back = True
