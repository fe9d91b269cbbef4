"""What the deliveries of a walk write: real files under their TOKEN, and the records that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.lode import Sealed
from quarry.policy import PolicyCounters
from quarry.types import Outcome, OutcomeStatus, RunIdentity, derived_run_id
from tests.lode.samples import event
from tests.lode.samples import record as sample
from tests.scheduler.actors import CRAWL
from tests.scheduler.crawling import key_of

if TYPE_CHECKING:
    from quarry.lode import CommitRecord
    from tests.scheduler.actors import Delivery, Owing
    from tests.scheduler.shelf import Shelf

_STATUS = {
    "ok": OutcomeStatus.SUCCESS,
    "drops": OutcomeStatus.SUCCESS,
    "error": OutcomeStatus.SCRIPT_ERROR,
    "policy": OutcomeStatus.POLICY_FAILURE,
}


class Written:
    """The files of one delivery, by the real writer; the shelf is told what must lie there.

    Its first event is an item that names the TOKEN, so that rows show whose they are.

    Args:
        shelf: The walk's records.
        run_id: The run.
        attempt: Its attempt.
        token: TOKEN of the delivery.
    """

    def __init__(self, shelf: Shelf, *, run_id: str, attempt: int, token: str) -> None:
        self._shelf = shelf
        self._run_id, self._attempt, self._token = run_id, attempt, token
        self._events: list[str] | None = None
        self._writer = shelf.of(token).writer(
            crawl=CRAWL,
            day=shelf.day,
            source="shop",
            category="default",
            identity=RunIdentity(run_id=run_id, root_run_id=run_id, attempt=attempt),
            token=token,
        )

    def append(self, events: list[str]) -> None:
        """Make enqueue events durable; ``events`` are all that are to be durable by then."""
        rows = []
        if self._events is None:
            self._events = []
            rows.append(self._row(1, "item", {"item_type": "page", "data": {"token": self._token}}))
            if int(self._token[1:]) % 4 == 0:
                self._writer.put_file("page.html", "text/html", b"<p>")
                self._shelf.sealed.add(self._token)
        for name in events[len(self._events) :]:
            self._events.append(name)
            payload = {"target": "t.py", "params": {"name": name}}
            rows.append(self._row(len(self._events) + 1, "enqueue", payload))
        self._writer.append(rows)
        self._shelf.live.add(self._token)

    def seal(self) -> Sealed:
        """Turn what was appended into files that a record can name."""
        sealed = self._writer.seal({"duration_ms": 5})
        assert sealed.enqueue_events == len(self._events)
        self._shelf.sealed.add(self._token)
        self._shelf.said[self._token] = self._events
        return sealed

    def conclude(self, standing: CommitRecord) -> None:
        """Leave what the record names, which is nothing where it is another's."""
        if standing.token == self._token:
            self._writer.drop_live()
            self._shelf.live.discard(self._token)
        else:
            self.discard()

    def discard(self) -> None:
        """Leave nothing."""
        self._writer.discard()
        self._shelf.live.discard(self._token)
        self._shelf.sealed.discard(self._token)

    def close(self) -> None:
        """Close files, as the end of the process does."""
        self._writer.close()

    def _row(self, seq, kind, payload):
        return event(seq, kind, payload, run_id=self._run_id, attempt=self._attempt)


def record_of(shelf: Shelf, delivery: Delivery, sealed: Sealed) -> CommitRecord:
    """The record of a delivery that ran."""
    n, kept = delivery.n, sealed.enqueue_events
    counters = PolicyCounters(
        received={"item": 1, "enqueue": n},
        persisted={"item": 1, "enqueue": kept},
        dropped={"enqueue": n - kept},
    )
    status = _STATUS[delivery.fate]
    message = "" if status is OutcomeStatus.SUCCESS else "it failed"
    return _record(
        shelf,
        delivery,
        sealed,
        token=delivery.token,
        deliveries=delivery.number,
        outcome=Outcome(status=status, message=message),
        counters=counters,
        enqueue_events=n,
    )


def lost_record(shelf: Shelf, owing: Owing, token: str) -> CommitRecord:
    """The record of a job that no delivery ended."""
    outcome = Outcome(
        status=OutcomeStatus.EXECUTOR_CRASH, message="lost", error_type=owing.reason, reason=owing.reason
    )
    return _record(shelf, owing, Sealed(), token=token, deliveries=owing.deliveries, outcome=outcome)


def _record(shelf, worker, sealed, **fields):
    key = key_of(worker.name)
    run_id = derived_run_id(CRAWL, key, worker.attempt)
    return sample(
        sealed,
        key=key,
        crawl=CRAWL,
        day=shelf.day,
        run_id=run_id,
        root_run_id=run_id,
        attempt=worker.attempt,
        depth=worker.depth,
        parent_job=worker.parent,
        target="t.py",
        job={"name": worker.name},
        **fields,
    )
