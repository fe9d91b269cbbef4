"""What a pool's store is asked, told, and answers."""

from __future__ import annotations

from dataclasses import dataclass, field

STATES = ("healthy", "resting", "due", "trial")
"""Of an endpoint; ``due``: its next choice is a trial."""

LEAST_BAD = ("banned", "resting")
"""Reasons of a choice for which an endpoint was used that should have rested."""

KEEP_MS = 7 * 24 * 3600 * 1000
"""How long the state of a pool that nobody uses is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One question for an endpoint; a strategy's decision.

    Attributes:
        order: ``next``: the first usable one after the last that was chosen in this order; ``random``.
        window: As many choices back an endpoint is left out.
        sticky: Key that keeps its endpoint; None is none.
        sticky_ttl_ms: Milliseconds that the key is remembered after each use.
        exclude: Positions that this run has given up.
        domain: Target host; endpoints that rest for it are left out. None where it is not known.
        dice: Whole number from 0 to 2**32 - 1, by chance: the store itself throws none.
    """

    order: str
    window: int = 0
    sticky: str | None = None
    sticky_ttl_ms: int = KEEP_MS
    exclude: tuple[int, ...] = ()
    domain: str | None = None
    dice: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The answer.

    Attributes:
        index: Position in the pool's list.
        number: The how-manieth choice of the pool it is, from 1, over the whole fleet.
        reason: ``free``; ``sticky``: the key's own; ``least_recent``: all others were used within the window;
            ``given_up``: this run has given up all others; ``banned``: all others rest for the domain, or
            altogether; ``resting``: all rest, this is the one whose rest ends first.
        trial: Whether it comes back from a rest with this choice: no other run gets it meanwhile.
    """

    index: int
    number: int
    reason: str
    trial: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyReport:
    """What a run found out about an endpoint.

    Attributes:
        index: Position in the pool's list.
        number: Of the choice that gave it to the run.
        ok: Requests that it carried.
        failed: Requests that failed through its fault.
        latency_ms: Sum over those that it carried.
        banned: Target host that refuses it; None is none.
        dice: Whole number from 0 to 2**32 - 1, by chance: for the jitter of a rest.
    """

    index: int
    number: int
    ok: int = 0
    failed: int = 0
    latency_ms: int = 0
    banned: str | None = None
    dice: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of an endpoint with a report.

    Attributes:
        state: ``healthy``, ``resting``, ``due`` (its next choice is a trial) or ``trial``.
        resting_until_ms: Unix milliseconds; None where it does not rest.
        rests: Rests in a row.
        banned_until_ms: Unix milliseconds until which it rests for the reported domain; None without one.
        rested: Whether a rest began with this report.
    """

    state: str = "healthy"
    resting_until_ms: int | None = None
    rests: int = 0
    banned_until_ms: int | None = None
    rested: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointFigures:
    """What is known of one endpoint.

    Attributes:
        chosen: How often it was chosen.
        last_number: Number of its last choice; 0 is never.
        last_used_ms: Unix milliseconds of Redis; None is never.
        ok: Requests that it carried.
        failed: Requests that failed through its fault.
        latency_ms: Sum over those that it carried.
        resting_until_ms: Unix milliseconds; None where it does not rest.
        rests: Rests in a row.
        state: ``healthy``, ``resting``, ``due`` (its next choice is a trial) or ``trial``.
        banned: Unix milliseconds until which it rests for a domain, by domain.
    """

    chosen: int = 0
    last_number: int = 0
    last_used_ms: int | None = None
    ok: int = 0
    failed: int = 0
    latency_ms: int = 0
    resting_until_ms: int | None = None
    rests: int = 0
    state: str = "healthy"
    banned: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolFigures:
    """What is known of a pool at one moment.

    Attributes:
        choices: Choices so far; the highest number.
        window_fill: Endpoints within the recency window now.
        now_ms: Unix milliseconds by the store's clock.
        endpoints: By position; those that were never chosen or reported are left out.
    """

    choices: int = 0
    window_fill: int = 0
    now_ms: int = 0
    endpoints: dict[int, EndpointFigures] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A definition of a pool that somebody uses.

    Attributes:
        name: Of the pool.
        digest: Of the definition.
        last_ms: Unix milliseconds at which a process last began to use it.
        size: Endpoints.
        strategy: ``round_robin``, ``random`` or ``sticky``.
    """

    name: str
    digest: str
    last_ms: int
    size: int
    strategy: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolTotals:
    """What a definition's state says without its endpoints.

    Attributes:
        choices: Choices so far.
        resting: Endpoints that nobody gets now: they rest, or one run tries them.
    """

    choices: int = 0
    resting: int = 0
