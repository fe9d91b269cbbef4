"""Who acts in a random walk: the broker, workers and what befalls them, time, and the reapers."""

from __future__ import annotations

import json

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from quarry.types import derived_run_id
from tests.scheduler.actors import CRAWL, GRAPH, NAME_OF, Delivery, Owing
from tests.scheduler.crawling import key_of
from tests.scheduler.phases import Phases
from tests.scheduler.writing import Written


class Acting(Phases):
    """Moves of workers and reapers; the machine that they belong to has the ledger, its model and the shelf."""

    # -- the broker and the workers

    @rule(
        fate=st.sampled_from(["ok", "ok", "error", "error", "policy", "drops"]),
        kept=st.integers(0, 3),
        variant=st.sampled_from([0, 0, 1]),
        message=st.sampled_from(["", "", "", "repeated", "lost", "claim repeated"]),
    )
    def take(self, fate, kept, variant, message):
        text = self.do(self.client.rpop("quarry"))
        if text is None:
            return
        name = self.crawl.name_in(text)
        at = next(i for i, (queued, _) in enumerate(self.model.queue) if queued == name)
        _, pushed = self.model.queue.pop(at)
        if message == "repeated":
            self.do(self.client.rpush("quarry", text))
            self.model.queue.insert(0, (name, pushed))
        if message == "lost":
            return
        token = self.new_token("T")
        expected = self.model.claim(name, token, self.now)
        claim = self.do(self.crawl.claim(name, token))
        if message == "claim repeated":
            assert self.do(self.crawl.claim(name, token)) == claim
        assert claim.status == expected[0]
        if claim.status != "ok":
            return
        assert expected[1:] == (claim.depth, claim.attempt, claim.delivery, claim.last_attempt, claim.stopped)
        events = GRAPH.get(name, ([], []))[variant]
        run_id = derived_run_id(CRAWL, key_of(name), claim.attempt)
        delivery = Delivery(
            name=name,
            token=token,
            attempt=claim.attempt,
            number=claim.delivery,
            depth=claim.depth,
            last=claim.last_attempt,
            parent=json.loads(claim.payload).get("parent"),
            events=events,
            fate=fate,
            kept=min(kept, len(events)),
            files=Written(self.shelf, run_id=run_id, attempt=claim.attempt, token=token),
        )
        if claim.delivery > 1:
            delivery.phase = "look"
        self.deliveries.append(delivery)

    @precondition(lambda self: self.deliveries)
    @rule(i=st.integers(0, 20), size=st.integers(1, 3), lost=st.booleans())
    def work(self, i, size, lost):
        delivery = self.deliveries[i % len(self.deliveries)]
        getattr(self, f"on_{delivery.phase}")(delivery, size, lost)
        if delivery.phase == "end":
            self.deliveries.remove(delivery)

    @precondition(lambda self: self.deliveries)
    @rule(i=st.integers(0, 20), lands=st.booleans())
    def kill(self, i, lands):
        delivery = self.deliveries.pop(i % len(self.deliveries))
        delivery.files.close()
        self.leave_put(delivery, lands)

    @precondition(lambda self: self.deliveries)
    @rule(i=st.integers(0, 20))
    def stall(self, i):
        """A worker stands still, for so long maybe that its job ends without it."""
        self.stalled.append(self.deliveries.pop(i % len(self.deliveries)))

    @precondition(lambda self: self.stalled)
    @rule(i=st.integers(0, 20))
    def wake(self, i):
        self.deliveries.append(self.stalled.pop(i % len(self.stalled)))

    def race(self, i):
        """A worker stands still before its put until its lease has lapsed: the next delivery is its rival."""
        delivery = self.deliveries[i % len(self.deliveries)]
        while delivery in self.deliveries and delivery.phase not in {"put", "put_attempt", "retry", "settle"}:
            self.work(self.deliveries.index(delivery), 2, lost=False)
        if delivery in self.deliveries:
            self.stall(self.deliveries.index(delivery))
            self.crawl.clock.advance(60_001)
            self.expire(dies=False)

    def leave_put(self, worker, lands):
        if lands and (put := self.put_in_flight(worker)):
            self.puts_in_flight.append(put)

    @precondition(lambda self: self.puts_in_flight)
    @rule(i=st.integers(0, 20))
    def land(self, i):
        """A put arrives whose worker is dead: it counts, or meets what stands, and nobody cleans up after it."""
        put, record = self.puts_in_flight.pop(i % len(self.puts_in_flight))
        put(record)

    @precondition(lambda self: self.deliveries)
    @rule(i=st.integers(0, 20))
    def beat(self, i):
        delivery = self.deliveries[i % len(self.deliveries)]
        held = self.model.beat(delivery.name, delivery.token, self.now)
        lost = self.do(self.crawl.ledger.beat({key_of(delivery.name): delivery.token}))
        assert lost == ([] if held else [key_of(delivery.name)])

    # -- time and the reapers

    @rule(ms=st.sampled_from([1, 9_000, 30_000, 60_000, 900_000]))
    def wait(self, ms):
        self.crawl.clock.advance(ms)

    @rule(dies=st.sampled_from([False, False, True]))
    def expire(self, dies):
        republished, requeued, owed = self.model.expire(self.now)
        answer = self.do(self.crawl.ledger.expire(1000))
        assert (answer.republished, answer.requeued, answer.idle) == (
            republished,
            requeued,
            self.model.idle(),
        )
        told = [(NAME_OF[o.key], o.attempt, o.deliveries, o.token, o.depth, o.reason) for o in answer.owed]
        assert sorted(told) == owed
        if not dies:
            self.owings += [
                Owing(
                    NAME_OF[o.key],
                    o.attempt,
                    o.depth,
                    o.deliveries,
                    o.reason,
                    json.loads(o.payload).get("parent"),
                )
                for o in answer.owed
            ]

    @precondition(lambda self: self.owings)
    @rule(
        i=st.integers(0, 20),
        size=st.integers(1, 3),
        lost=st.booleans(),
        dies=st.sampled_from([False] * 5 + [True]),
    )
    def reap(self, i, size, lost, dies):
        owing = self.owings[i % len(self.owings)]
        getattr(self, f"on_{owing.phase}")(owing, size, lost)
        if dies:
            self.leave_put(owing, lost)
        if dies or owing.phase == "end":
            self.owings.remove(owing)
