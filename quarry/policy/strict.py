"""The strict policy: an event is durable before the next frame is read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from quarry.policy.counters import PolicyCounters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarry.ipc.frames import ArtifactChunk
    from quarry.policy.base import EventSink
    from quarry.types import Event


class StrictPolicy:
    """Write events as they come; events that already arrived together share one write.

    It drops nothing by choice. Events of a write that failed are counted as dropped, so that received =
    persisted + dropped holds at every moment; the failure itself ends the run as ``policy_failure``.

    Args:
        sink: Where the events go.
    """

    name = "strict"

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._received: Counter[str] = Counter()
        self._persisted: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    def ingest(self, events: Sequence[Event]) -> None:
        """Make the events durable, in order, with one write.

        Raises:
            StoreError: None of these events was kept.
        """
        if not events:
            return
        types = Counter(event.type for event in events)
        self._received.update(types)
        try:
            self._sink.append(events)
        except BaseException:
            self._dropped.update(types)
            raise
        self._persisted.update(types)

    def chunk(self, chunk: ArtifactChunk) -> None:
        """Write a chunk through; the artifact's event comes later and so is durable later.

        Raises:
            StoreError: The chunk could not be kept.
        """
        self._sink.append_chunk(chunk)

    def flush(self) -> None:
        """Do nothing: whatever was taken is durable already."""

    def counters(self) -> PolicyCounters:
        """Give a snapshot of the counters; ``flushes`` is empty."""
        return PolicyCounters(
            received=dict(self._received), persisted=dict(self._persisted), dropped=dict(self._dropped)
        )
