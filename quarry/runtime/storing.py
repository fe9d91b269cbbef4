"""The blocking half of a run: its policy and its files, called in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from quarry.errors import StoreError
from quarry.ipc import ArtifactChunk, FileWrite, FileWriteAck
from quarry.types import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarry.policy import Policy
    from quarry.runtime.files import Files
    from quarry.runtime.redact import Redactor

Work = list[list[Event] | ArtifactChunk | tuple[FileWrite, str | None] | None]
"""What to store, in order: events that came together; a chunk; a file with the reason to refuse it, or None;
None: flush, the terminal event has come."""


class FilePut(Protocol):
    """Stores a file of ``storage.put``; blocks."""

    def __call__(self, filename: str, content_type: str, data: bytes) -> str:
        """Store it durably and give its key.

        Raises:
            StoreError: It is not stored; the run goes on.
        """


class Storing:
    """Store a run's work through its policy, until storage fails.

    Args:
        policy: Takes events and chunks.
        put_file: Takes files.
        files: Counts what became of files.
        redactor: Knows the run's secrets, which a file's name may hold.
        logger: A structlog logger bound to the run.

    Attributes:
        ingest_fault: What ``ingest`` or ``chunk`` raised.
        flush_fault: What ``flush`` raised.
        unflushed: Whether the policy has been given something since its last flush, or never flushed.
    """

    def __init__(
        self, policy: Policy, put_file: FilePut, files: Files, *, redactor: Redactor, logger: Any
    ) -> None:
        self.ingest_fault: Exception | None = None
        self.flush_fault: Exception | None = None
        self.unflushed = True
        self._policy = policy
        self._put_file = put_file
        self._files = files
        self._redactor = redactor
        self._log = logger

    @property
    def failed(self) -> bool:
        """Whether storage failed; nothing more is stored then."""
        return self.ingest_fault is not None or self.flush_fault is not None

    def store(self, work: Work) -> list[FileWriteAck]:
        """Store work in order, until storage fails.

        Returns:
            Acks for the executor, in order.
        """
        acks: list[FileWriteAck] = []
        for piece in work:
            if self.failed:
                break
            if piece is None:
                self.flush()
            elif isinstance(piece, tuple):
                ack = self._put(*piece)
                if ack.write_id:
                    acks.append(ack)
            else:
                self._ingest(piece)
        return acks

    def flush(self) -> None:
        """Flush the policy, unless storage has failed already."""
        if self.failed:
            return
        try:
            self._policy.flush()
        except Exception as error:  # noqa: BLE001  whatever it is, events may not be kept
            self._note("storage.flush_failed", error)
            self.flush_fault = error
        else:
            self.unflushed = False

    def _ingest(self, piece: Sequence[Event] | ArtifactChunk) -> None:
        self.unflushed = True
        try:
            if isinstance(piece, ArtifactChunk):
                self._policy.chunk(piece)
            else:
                self._policy.ingest(piece)
        except Exception as error:  # noqa: BLE001  as above
            self._note("storage.ingest_failed", error)
            self.ingest_fault = error

    def _put(self, write: FileWrite, refusal: str | None) -> FileWriteAck:
        """Store one file, or say why not."""
        if refusal is None:
            try:
                key = self._put_file(write.filename, write.content_type, write.data)
            except (StoreError, OSError) as error:
                self._files.failed(write.filename)
                refusal = str(error) or type(error).__name__
            else:
                self._files.stored()
                return FileWriteAck(write_id=write.write_id, ok=True, key=key, run_id=write.run_id)
        filename, reason = self._redactor.text(write.filename), self._redactor.text(refusal)
        self._log.info("storage.put_refused", filename=filename[:255], reason=reason)
        return FileWriteAck(write_id=write.write_id, ok=False, error=refusal, run_id=write.run_id)

    def _note(self, event: str, error: Exception) -> None:
        known = isinstance(error, (StoreError, OSError))
        words = self._redactor.text(str(error))
        self._log.error(event, error=words, error_type=type(error).__name__, exc_info=not known)
