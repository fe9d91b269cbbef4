"""The two seams of a policy: what the runtime calls, and what the policy writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarry.ipc.frames import ArtifactChunk
    from quarry.policy.counters import PolicyCounters
    from quarry.types import Event


class EventSink(Protocol):
    """Where a policy writes. Every call blocks; what it wrote is durable when it returns."""

    def append(self, events: Sequence[Event]) -> None:
        """Write these events, in order; all of them or none.

        Raises:
            StoreError: None of them is kept.
        """

    def append_chunk(self, chunk: ArtifactChunk) -> None:
        """Write a chunk of an artifact; durable at the latest when the chunk that is last returns.

        Raises:
            StoreError: The chunk is not kept.
        """


class Policy(Protocol):
    """What the runtime hands a run's events to. Every call blocks: the runtime calls it in threads.

    Attributes:
        name: Name of the policy, as in the commit record.
    """

    name: str

    def ingest(self, events: Sequence[Event]) -> None:
        """Take events that arrived together, in order.

        Raises:
            StoreError: An event that may not be dropped could not be kept.
        """

    def chunk(self, chunk: ArtifactChunk) -> None:
        """Take a chunk of an artifact; it is durable before the artifact's event is.

        Raises:
            StoreError: The chunk could not be kept.
        """

    def flush(self) -> None:
        """Make everything taken so far durable; called at the terminal event and at the end.

        Raises:
            StoreError: An event that may not be dropped could not be kept.
        """

    def counters(self) -> PolicyCounters:
        """Give a snapshot of what was received, persisted and dropped."""
