"""What a delivery does next in a random walk, phase by phase; each is one step of the ledger or of the store."""

from __future__ import annotations

from tests.scheduler.crawling import key_of
from tests.scheduler.writing import lost_record, record_of


class Phases:
    """Phases of deliveries and reapers; the machine that they belong to has the ledger, its model and the shelf."""

    def on_look(self, delivery, size, lost):
        """A delivery above the first looks for the record first, and for that of its attempt."""
        delivery.phase = "run"
        if record := self.shelf.get_record(delivery.key, delivery.token):
            delivery.record, delivery.phase = record, "settle"
        elif record := self.shelf.get_attempt(delivery.run_id, delivery.token):
            delivery.record, delivery.phase = record, "retry"

    def on_run(self, delivery, size, lost):
        """The ledger is told of enqueue events before they become durable."""
        self.executed.add(delivery.name)
        if delivery.said == len(delivery.events) or delivery.gap:
            delivery.files.append(delivery.durable)
            delivery.phase = "seal"
            return
        batch = delivery.events[delivery.said : delivery.said + size]
        expected = self.model.admit(delivery.name, delivery.token, delivery.said, batch, self.now)
        answer = self.do(
            self.crawl.admit(delivery.name, " ".join(batch), token=delivery.token, start=delivery.said)
        )
        assert (answer.status, answer.position) == expected
        if lost:
            return
        if answer.status == "ok":
            delivery.said = answer.position
            delivery.files.append(delivery.durable[: delivery.said])
        delivery.gap = answer.status == "gap"
        if answer.status == "lost":
            delivery.files.discard()
            delivery.phase = "end"

    def on_seal(self, delivery, size, lost):
        delivery.record = record_of(self.shelf, delivery, delivery.files.seal())
        again = delivery.fate == "error" and not delivery.last
        delivery.phase = "put_attempt" if again else "put"

    def on_put(self, delivery, size, lost):
        """Where the answer is lost the record may stand all the same: put again before concluding anything."""
        standing = self.shelf.put_record(delivery.record)
        if not lost:
            delivery.record, delivery.phase = standing, "conclude"

    def on_put_attempt(self, delivery, size, lost):
        standing = self.shelf.put_attempt(delivery.record)
        if not lost:
            delivery.record, delivery.phase = standing, "conclude_attempt"

    def on_conclude(self, delivery, size, lost):
        delivery.files.conclude(delivery.record)
        delivery.phase = "settle"

    def on_conclude_attempt(self, delivery, size, lost):
        delivery.files.conclude(delivery.record)
        delivery.phase = "retry"

    def on_put_final(self, delivery, size, lost):
        """The attempt was the last one after all: its record becomes the job's."""
        standing = self.shelf.put_record(delivery.record)
        if not lost:
            delivery.record, delivery.phase = standing, "settle"
            delivery.start, delivery.data = 0, None

    def on_reap(self, owing, size, lost):
        if owing.own is None:
            owing.own = lost_record(self.shelf, owing, self.new_token("R"))
        standing = self.shelf.put_record(owing.own)
        if not lost:
            owing.record, owing.phase = standing, "settle"

    def put_in_flight(self, worker):
        """The put that a worker has under way, if it has one: it lands though the worker is dead."""
        if worker.phase == "put_attempt":
            return self.shelf.put_attempt, worker.record
        if worker.phase in {"put", "put_final"}:
            return self.shelf.put_record, worker.record
        if worker.phase == "reap" and worker.own:
            return self.shelf.put_record, worker.own
        return None

    def batch_of(self, worker, size):
        """The events to hand in: none before the ledger asked, or from the start those in the record's data."""
        if worker.data is None and size == 3:
            worker.data = self.shelf.enqueued(worker.record)
        if worker.data is None:
            return {"start": 0, "dropped": 0}, []
        data = worker.data
        batch = data[worker.start : worker.start + size]
        behind = max(worker.start + len(batch), len(data))
        ends = worker.start + len(batch) >= len(data)
        return {"start": worker.start, "dropped": worker.record.enqueue_events - behind if ends else 0}, batch

    def go_on_from(self, worker, answer):
        """The ledger said which events it does not know."""
        worker.start = answer.position
        if worker.data is None:
            worker.data = self.shelf.enqueued(worker.record)

    def on_retry(self, delivery, size, lost):
        record = delivery.record
        where, batch = self.batch_of(delivery, size)
        n = record.enqueue_events
        expected = self.model.retry(
            delivery.name, delivery.token, record.token, n, events=batch, now=self.now, **where
        )
        answer = self.do(
            self.crawl.retry(
                delivery.name,
                n,
                token=delivery.token,
                names=" ".join(batch),
                record_token=record.token,
                **where,
            )
        )
        assert (answer.status, answer.position) == expected
        if lost:
            return
        if answer.status == "more":
            self.go_on_from(delivery, answer)
        else:
            delivery.phase = "put_final" if answer.status == "final" else "end"

    def on_settle(self, worker, size, lost):
        record = worker.record
        assert record.key == key_of(worker.name)
        where, batch = self.batch_of(worker, size)
        n = record.enqueue_events
        given = {
            "succeeded": record.outcome.status.value == "success",
            "attempt": record.attempt,
            "depth": record.depth,
            **where,
        }
        expected = self.model.settle(worker.name, record.token, n, events=batch, now=self.now, **given)
        answer = self.do(
            self.crawl.settle(worker.name, n, token=record.token, names=" ".join(batch), **given)
        )
        assert (answer.status, answer.position) == expected
        if lost:
            return
        if answer.status == "more":
            self.go_on_from(worker, answer)
        else:
            worker.phase = "end"
