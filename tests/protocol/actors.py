"""Workers of a trace: what they write, and the records that name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.lode import Sealed
from quarry.scheduler import NewJob, job_key
from quarry.types import Outcome, OutcomeStatus, RunIdentity, derived_run_id
from tests.lode.samples import event
from tests.lode.samples import record as sample

if TYPE_CHECKING:
    from quarry.lode import CommitRecord, Dataset
    from quarry.scheduler import Claim, Owed

CRAWL = "traces"
DAY = "2026-01-31"
_KEYS = [job_key("t.py", {"job": job}) for job in range(8)]


def key_of(job: int) -> str:
    """Key of the job of this number."""
    return _KEYS[job]


def new_job(job: int, parent: int | None = None) -> NewJob:
    """The job of this number, as its parent enqueues it."""
    return NewJob(key=key_of(job), payload="{}", label="run:t/t", repr=f"({job})")


class Worker:
    """A worker of the model: it does what it is told, and knows only what it was answered.

    Args:
        dataset: Where it writes.
        job: Number of the job.
        token: TOKEN of the delivery.
        claim: The ledger's answer.
        batches: What its script enqueues, as it hands it in.
    """

    def __init__(
        self, dataset: Dataset, *, job: int, token: str, claim: Claim, batches: list[list[int]]
    ) -> None:
        self.job = job
        self.token = token
        self.batches = batches
        self.events = [child for batch in batches for child in batch]
        self.failed = False
        self._claim = claim
        self._sealed: Sealed | None = None
        self._run_id = derived_run_id(CRAWL, key_of(job), claim.attempt)
        identity = RunIdentity(run_id=self._run_id, root_run_id=self._run_id, attempt=claim.attempt)
        self._writer = dataset.writer(
            crawl=CRAWL, day=DAY, source="shop", category="default", identity=identity, token=token
        )

    def write(self) -> None:
        """Make the enqueue events durable."""
        rows = [self._row(1, "item", {"item_type": "page", "data": {"token": self.token}})]
        for seq, child in enumerate(self.events, 2):
            rows.append(self._row(seq, "enqueue", {"target": "t.py", "params": {"job": child}}))
        self._writer.append(rows)

    def record(self) -> CommitRecord:
        """Seal once; the record that names it."""
        if self._sealed is None:
            self._sealed = self._writer.seal({"duration_ms": 5})
        status = OutcomeStatus.SCRIPT_ERROR if self.failed else OutcomeStatus.SUCCESS
        return _record(
            self._sealed,
            self.job,
            token=self.token,
            run_id=self._run_id,
            attempt=self._claim.attempt,
            depth=self._claim.depth,
            deliveries=self._claim.delivery,
            outcome=Outcome(status=status, message="it failed" if self.failed else ""),
            enqueue_events=len(self.events),
        )

    def conclude(self, standing: CommitRecord) -> None:
        """Leave what the record names."""
        if standing.token == self.token:
            self._writer.drop_live()
        else:
            self._writer.discard()

    def close(self) -> None:
        """Close files, as the end of the process does."""
        self._writer.close()

    def _row(self, seq: int, kind: str, payload: dict[str, Any]) -> Any:
        return event(seq, kind, payload, run_id=self._run_id, attempt=self._claim.attempt)


def lost_record(owed: Owed, job: int) -> CommitRecord:
    """The record with which a reaper ends a job."""
    return _record(
        Sealed(),
        job,
        token=f"reaper{owed.attempt}",
        run_id=derived_run_id(CRAWL, owed.key, owed.attempt),
        attempt=owed.attempt,
        depth=owed.depth,
        deliveries=owed.deliveries,
        outcome=Outcome(
            status=OutcomeStatus.EXECUTOR_CRASH, message="lost", error_type=owed.reason, reason=owed.reason
        ),
    )


def _record(sealed: Sealed, job: int, **fields: Any) -> CommitRecord:
    return sample(
        sealed,
        key=key_of(job),
        crawl=CRAWL,
        day=DAY,
        root_run_id=fields["run_id"],
        target="t.py",
        job={"job": job},
        **fields,
    )
