"""The checks of one run's frames, as a state machine without I/O: frames in, verdicts out."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from quarry.errors import ProtocolError, VersionMismatchError
from quarry.runtime.artifacts import Artifacts
from quarry.runtime.files import Files
from quarry.runtime.payloads import check_payload
from quarry.types import TERMINAL_TYPES, Event
from quarry.version import CONTRACT_VERSION

if TYPE_CHECKING:
    from quarry.ipc import ArtifactChunk, RunResultFrame
    from quarry.types import RunIdentity

_CANONICAL_LENGTH = len("2026-01-31T12:00:00.000Z")


class Ingest:
    """Judge what an executor sends for one run.

    Args:
        identity: The run. Its lineage is stamped on events: what an executor leaves out, and what it made up.
        contract_version: The only version that is accepted, compared as a string.

    Attributes:
        terminal: The first terminal event, once it came.
        result: The first ``run_result``.
        received: Events that passed the checks, by type.
        after_terminal: Events and chunks after the terminal event; not stored.
        artifacts: State of the artifacts.
        files: State of the file writes.
    """

    def __init__(self, identity: RunIdentity, *, contract_version: str = CONTRACT_VERSION) -> None:
        self.terminal: Event | None = None
        self.result: RunResultFrame | None = None
        self.received: Counter[str] = Counter()
        self.after_terminal = 0
        self.artifacts = Artifacts()
        self.files = Files()
        self._identity = identity
        self._lineage = {
            "job_id": identity.job_id,
            "parent_run_id": identity.parent_run_id,
            "root_run_id": identity.root_run_id or (identity.run_id if identity.depth == 0 else None),
            "depth": identity.depth,
        }
        self._contract_version = contract_version
        self._last_seq = 0

    def event(self, event: Event) -> Event | None:
        """Judge an event: version, run_id, attempt, seq, then what its type asks for.

        Returns:
            The event to store, its lineage complete; None after the terminal event.

        Raises:
            VersionMismatchError: It speaks another contract version.
            ProtocolError: Any other check failed.
        """
        if self.terminal is not None:
            self.after_terminal += 1
            return None
        self._check_envelope(event)
        check_payload(event)
        stamped = self._stamped(event)
        if event.type == "artifact":
            self.artifacts.event(event)
        elif event.type in TERMINAL_TYPES:
            self.terminal = stamped
        self._last_seq = event.seq
        self.received[event.type] += 1
        return stamped

    def chunk(self, chunk: ArtifactChunk) -> bool:
        """Judge a chunk; False where it came after the terminal event and is not stored.

        Raises:
            ProtocolError: A rule of artifacts is broken.
        """
        if self.terminal is not None:
            self.after_terminal += 1
            return False
        self.artifacts.chunk(chunk)
        return True

    def run_result(self, frame: RunResultFrame) -> None:
        """Take the run's result; a second one is ignored."""
        if self.result is None:
            self.result = frame

    def _check_envelope(self, event: Event) -> None:
        if event.contract_version != self._contract_version:
            raise VersionMismatchError(
                f"the executor speaks contract version {event.contract_version[:80]!r},"
                f" this runtime {self._contract_version!r}"
            )
        if event.run_id != self._identity.run_id:
            raise ProtocolError(
                f"an event of run {event.run_id[:80]!r} came in run {self._identity.run_id!r}"
            )
        if event.attempt != self._identity.attempt:
            raise ProtocolError(
                f"an event of attempt {event.attempt} came in attempt {self._identity.attempt}"
            )
        if event.seq != self._last_seq + 1:
            raise ProtocolError(f"event seq {self._last_seq + 1} was due, {event.seq} came")

    def _stamped(self, event: Event) -> Event:
        """Give the event with the run's own lineage and a canonical timestamp."""
        changes: dict[str, object] = {
            name: value for name, value in self._lineage.items() if getattr(event, name) != value
        }
        ts = canonical_timestamp(event)
        if ts is not event.ts:
            changes["ts"] = ts
        return msgspec.structs.replace(event, **changes) if changes else event


def canonical_timestamp(event: Event) -> str:
    """Give the event's timestamp as ISO 8601 UTC with milliseconds.

    Any ISO 8601 form is read; one without an offset is UTC.

    Raises:
        ProtocolError: It is no timestamp.
    """
    ts = event.ts
    try:
        moment = datetime.fromisoformat(ts)
        if len(ts) == _CANONICAL_LENGTH and ts[10] == "T" and ts[23] == "Z":
            return ts
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ProtocolError(
            f"event {event.seq} ({event.type[:80]}): ts {ts[:80]!r} is no ISO 8601 time"
        ) from error
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
