"""Values of the column ``record_kind`` that layout ``run`` writes; two of them are event types too."""

from __future__ import annotations

EVENT = "event"
ARTIFACT_EVENT = "artifact_event"
ARTIFACT_CHUNK = "artifact_chunk"
METRICS = "metrics"
