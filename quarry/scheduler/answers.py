"""What the ledger's steps answer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedAnswer:
    """Of `seed`.

    Attributes:
        status: ``ok``; ``repeat``: the batch was received before; ``exists``: the crawl is another seeder's;
            ``stopped``: the batch was refused and counted as unread; ``offset``: seeding stands elsewhere.
        offset: Seed lines consumed so far.
        admitted: New jobs of the last batch.
        unread: Lines of the last batch that were not received.
        capped: Whether ``max_runs`` was met: nothing more need be read.
        idle: Whether nothing is left to do: the crawl can close.
    """

    status: str
    offset: int
    admitted: int
    unread: int
    capped: bool
    idle: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Of `claim`.

    Attributes:
        status: ``ok``; ``busy``: another delivery holds the lease; ``gone``: there is none to claim. All else
            is empty unless ``ok``.
        depth: Derivation depth of the job.
        attempt: Number of the attempt.
        delivery: 1 for the first delivery of this attempt; above it, look for the job's record first.
        last_attempt: Whether a failure is final.
        stopped: Whether the crawl was stopped.
        payload: As it was admitted.
        config: As the crawl was seeded.
    """

    status: str
    depth: int = 0
    attempt: int = 0
    delivery: int = 0
    last_attempt: bool = False
    stopped: bool = False
    payload: str = ""
    config: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmitAnswer:
    """Of `admit`.

    Attributes:
        status: ``ok``; ``lost``: the lease is not held, end the delivery; ``gap``: events from `position` to
            the batch are missing (the ledger was rolled back), nothing was done.
        position: Enqueue events of this delivery that are counted.
    """

    status: str
    position: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryAnswer:
    """Of `retry`.

    Attributes:
        status: ``ok``: the next attempt is pending; ``more``: call again with the events from `position`;
            ``final``: attempts are spent or the crawl is stopped, put the final record; ``lost``: the lease
            is not held, put nothing more.
        position: Enqueue events of the attempt that are counted.
    """

    status: str
    position: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SettleAnswer:
    """Of `settle`.

    Attributes:
        status: ``ok``: this call ended the job; ``already``: it had ended; ``more``: call again with the
            events from `position`; ``closed``: as ok or already, and nothing is left to do in the crawl: it
            can close, or has.
        position: Enqueue events of the record that are counted.
    """

    status: str
    position: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """A job that ends only through a record, which the caller of `expire` now owes.

    Attributes:
        key: Job key.
        attempt: Attempt that the record is of.
        deliveries: How often that attempt was delivered.
        token: TOKEN of its last delivery, empty if there was none. The record has a TOKEN of its own.
        payload: As it was admitted.
        depth: Derivation depth.
        reason: ``lost``, or ``stopped`` for an attempt that was never delivered.
    """

    key: str
    attempt: int
    deliveries: int
    token: str
    payload: str
    depth: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpireAnswer:
    """Of `expire`.

    Attributes:
        republished: Messages of unclaimed leases that were pushed again.
        requeued: Lapsed deliveries that are pending again.
        owed: Jobs to end, oldest debt first.
        idle: Whether nothing is left to do.
    """

    republished: int
    requeued: int
    owed: list[Owed] = field(default_factory=list)
    idle: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StopAnswer:
    """Of `stop`.

    Attributes:
        status: ``ok``, or ``closed``: the crawl had ended.
        not_executed: Pending jobs that this call ended.
        idle: Whether nothing is left to do.
    """

    status: str
    not_executed: int = 0
    idle: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseLease:
    """Of `begin_close`.

    Attributes:
        status: ``ok``: compare the records, then close; ``busy``: somebody else does; ``not_idle``: work is
            left; ``closed``.
        revision: Of the ledger; `close` refuses when it moved.
    """

    status: str
    revision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerState:
    """Of `state`.

    Attributes:
        exists: Whether the crawl is in this Redis. All else is empty if not.
        status: ``seeding``, ``open``, ``stopped`` or ``closed``.
        stopped: Whether it was stopped, before its close too.
        revision: Moves with each change of a job or counter.
        offset: Seed lines consumed.
        capped: Whether seeding met ``max_runs``.
        seeder: Whose seeds they are.
        config: As the crawl was seeded.
        depth: Bound, or None.
        max_runs: Bound, or None.
        parallel: Bound.
        max_attempts: Bound.
        max_redeliveries: Bound.
        created_ms: Redis time of the first batch.
        closed_ms: Redis time of the close, or None.
        announced: Whether the completion was announced.
        now_ms: Redis time of this answer.
        stop_reason: Why it was stopped; empty if it was not.
        scripts: SHA-256 of the scripts that the crawl executes, by target.
        lease_ms: Bound.
        closer: Who closes it, or did; empty until somebody tries.
        close_until_ms: Redis time until which nobody else need.
        peak_leased: The most leases that there were at once; 0 where an older worker handed them all out.
    """

    exists: bool
    status: str = ""
    stopped: bool = False
    revision: int = 0
    offset: int = 0
    capped: bool = False
    seeder: str = ""
    config: str = ""
    depth: int | None = None
    max_runs: int | None = None
    parallel: int = 0
    max_attempts: int = 0
    max_redeliveries: int = 0
    created_ms: int = 0
    closed_ms: int | None = None
    announced: bool = False
    now_ms: int = 0
    stop_reason: str = ""
    scripts: dict[str, str] = field(default_factory=dict)
    lease_ms: int = 0
    peak_leased: int = 0
    closer: str = ""
    close_until_ms: int = 0
