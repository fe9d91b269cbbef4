"""What a policy did with the events of one run, by type."""

from __future__ import annotations

import msgspec


class PolicyCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one run's policy; part of its commit record.

    Attributes:
        received: Events handed to the policy, by event type.
        persisted: Events that are durable, by event type.
        dropped: Events that are not kept, by event type.
        flushes: Early and final writes, by what triggered them; empty for a policy that buffers nothing.
    """

    received: dict[str, int] = {}
    persisted: dict[str, int] = {}
    dropped: dict[str, int] = {}
    flushes: dict[str, int] = {}

    def imbalances(self) -> list[str]:
        """Name each event type for which received is not persisted plus dropped; empty when none is."""
        return [
            f"{name}: received {self.received.get(name, 0)} != persisted {self.persisted.get(name, 0)}"
            f" + dropped {self.dropped.get(name, 0)}"
            for name in sorted({*self.received, *self.persisted, *self.dropped})
            if self.received.get(name, 0) != self.persisted.get(name, 0) + self.dropped.get(name, 0)
        ]
