"""How a crawl ends in a random walk: stop, audit, close, and the books that must balance then."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.scheduler.actors import NAME_OF, Owing


class CrawlEnd:
    """Steps of whoever closes; the machine that they belong to has the ledger, its model and the shelf."""

    @precondition(lambda self: self.model.status != "closed")
    @rule(really=st.sampled_from([False] * 9 + [True]))
    def stop(self, really):
        if really:
            ended = self.model.stop(self.now)
            assert self.do(self.crawl.ledger.stop()).not_executed == ended

    @rule()
    def begin_close(self):
        lease = self.do(self.crawl.ledger.begin_close("h", 60_000))
        if self.model.status == "closed":
            assert lease.status == "closed"
        elif not self.model.idle():
            assert lease.status == "not_idle"
        else:
            assert lease.status == "ok"
            before = self.model.revision
            self.audit()
            # Whoever compared before and found the same may still close.
            self.lease = self.lease or (lease.revision, before)

    def audit(self):
        """Every record of a job that the ledger does not hold as ended is settled first."""
        statuses = self.do(self.crawl.ledger.statuses(self.shelf.keys()))
        for key, status in statuses.items():
            name = NAME_OF[key]
            assert status == self.model.status_of(name)
            if status in {"unknown", "not_executed"}:
                record = self.shelf.get_record(key)
                settler = Owing(name, record.attempt, record.depth, phase="settle", record=record)
                while settler.phase == "settle":
                    self.on_settle(settler, 2, lost=False)

    @precondition(lambda self: self.lease)
    @rule()
    def close(self):
        (revision, of_model), self.lease = self.lease, None
        expected = self.model.close(of_model)
        answer = self.do(self.crawl.ledger.close("h", revision))
        assert answer == expected
        if expected == "ok":
            # The audit was complete, and no worker is left but zombies of jobs that have ended.
            self.check_books()
            self.shelf.conclude(self.do(self.crawl.ledger.counts()), self.bounds)

    def check_books(self):
        """What a closed crawl shows: ledger and records say the same, job by job and event by event."""
        statuses = self.do(self.crawl.ledger.statuses(list(NAME_OF)))
        for key, status in statuses.items():
            stands = key in self.shelf.finals
            if stands and not (self.rolled_back and status in {"unknown", "not_executed"}):
                assert status == ("succeeded" if self.shelf.succeeded(key) else "failed"), NAME_OF[key]
            else:
                assert status in {"unknown", "not_executed"}, NAME_OF[key]
        if self.rolled_back and (self.bounds.max_attempts > 1 or self.shelf.late):
            return
        counts = self.do(self.crawl.ledger.counts())
        assert counts.received - counts.replayed - counts.seeds == self.shelf.enqueue_events()

    def anybody_is_left(self):
        """Whether somebody still acts, or a put of a dead worker is under way."""
        return bool(self.deliveries or self.stalled or self.owings or self.puts_in_flight)

    def drive_to_the_end(self):
        """Without further faults every crawl completes; what is still under way then changes nothing."""
        for _ in range(400):
            if self.model.status == "closed":
                break
            if self.model.status == "seeding":
                self.seed(5, lost=False)
            while self.rolls_back and self.stalled:
                self.wake(0)
            while self.rolls_back and self.puts_in_flight:
                self.land(0)
            while self.deliveries:
                self.work(0, 2, lost=False)
            while self.owings:
                self.reap(0, 2, lost=False, dies=False)
            if self.do(self.client.llen("quarry")):
                self.take("ok", 0, 0, "")
                continue
            self.crawl.clock.advance(60_001)
            self.expire(dies=False)
            self.begin_close()
            if self.lease:
                self.close()
            self.the_real_ledger_is_as_the_model()
        assert self.model.status == "closed", f"the crawl did not complete: {self.model.counts()}"
        while self.anybody_is_left():
            if self.stalled:
                self.wake(0)
            elif self.deliveries:
                self.work(0, 2, lost=False)
            elif self.owings:
                self.reap(0, 2, lost=False, dies=False)
            else:
                self.land(0)
        self.check_books()
        self.shelf.check(rolled_back=self.rolled_back)
