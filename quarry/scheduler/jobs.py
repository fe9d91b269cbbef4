"""What the ledger is given: jobs to admit, and the bounds of a crawl."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """A job as a seed line or an enqueue event names it.

    Attributes:
        key: From `job_key`, 32 hex digits.
        payload: Opaque text that `claim` hands back; never read by the ledger.
        label: Name of the Celery message as Flower shows it, few different ones (``run:shop/list``).
        repr: Arguments as Flower shows them, without secrets.
        first_attempt: Number of its first attempt.
        queue: The broker's list for its messages where it is not the crawl's own; letters, digits, dots.
    """

    key: str
    payload: str
    label: str
    repr: str
    first_attempt: int = 1
    queue: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The bounds of a crawl; set by its first seed batch, never changed.

    Attributes:
        depth: Deepest derivation depth, or None for no bound.
        max_runs: Distinct jobs admitted at most, roots among them, or None for no bound.
        parallel: Leases at once over the whole fleet, at least 1.
        max_attempts: Attempts a job.
        max_redeliveries: How often one attempt is delivered again after its worker was lost.
        lease_ms: Time between two beats after which a delivery counts as lost.
        claim_ms: Time that an unclaimed lease waits before its message is published again.
        grace_ms: The same where the broker's list no longer holds a message as old.
        config: Opaque text that `claim` and `state` hand back.
    """

    depth: int | None
    max_runs: int | None
    parallel: int
    max_attempts: int
    max_redeliveries: int
    lease_ms: int = 60_000
    claim_ms: int = 900_000
    grace_ms: int = 10_000
    config: str
