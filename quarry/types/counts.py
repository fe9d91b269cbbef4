"""The ledger's counters and its two equations."""

from __future__ import annotations

import msgspec


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """All counters of a crawl, read in one call.

    Each has its own increment in the ledger; none is derived by subtraction. ``seeding`` is 1 while seeds are
    still being admitted, else 0.
    """

    seeds: int = 0
    received: int = 0
    admitted: int = 0
    duplicate: int = 0
    beyond_depth: int = 0
    over_cap: int = 0
    replayed: int = 0
    pending: int = 0
    leased: int = 0
    committing: int = 0
    succeeded: int = 0
    failed: int = 0
    not_executed: int = 0
    unread: int = 0
    redeliveries: int = 0
    max_depth_seen: int = 0
    seeding: int = 0

    def imbalances(self) -> list[str]:
        """Name each equation that does not hold; empty when both do."""
        wrong = []
        if self.received != self.admitted + self.duplicate + self.beyond_depth + self.over_cap:
            wrong.append(
                f"received {self.received} != admitted {self.admitted} + duplicate {self.duplicate}"
                f" + beyond_depth {self.beyond_depth} + over_cap {self.over_cap}"
            )
        states = (
            self.pending,
            self.leased,
            self.committing,
            self.succeeded,
            self.failed,
            self.not_executed,
        )
        if self.admitted != sum(states):
            wrong.append(
                f"admitted {self.admitted} != pending {self.pending} + leased {self.leased} + committing"
                f" {self.committing} + succeeded {self.succeeded} + failed {self.failed}"
                f" + not_executed {self.not_executed}"
            )
        return wrong

    def idle(self) -> bool:
        """Say whether no work is left: pending, leased, committing and seeding are zero."""
        return not (self.pending or self.leased or self.committing or self.seeding)

    def fanout(self) -> dict[str, int]:
        """Give the ``fanout`` object of the JSON result: every counter but ``seeding``."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "seeding"}
