"""Every error that Quarry raises on purpose, branched by who must act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class QuarryError(Exception):
    """Root of all Quarry errors.

    Args:
        message: One sentence for a person: what, where, and how to mend it.
        retryable: Whether the same call may succeed later.
        context: Facts for the log (never secrets).
    """

    code = "quarry"

    def __init__(
        self, message: str, *, retryable: bool = False, context: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        self.context: dict[str, Any] = dict(context or {})

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without calling the constructor, whose keyword-only arguments would be lost."""
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(cls: type[QuarryError], args: tuple[Any, ...], state: dict[str, Any]) -> QuarryError:
    """Rebuild an error from its pickle without calling its constructor."""
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(QuarryError):
    """A flag, a file or a value is wrong; the user mends it (exit 64).

    Args:
        problems: All problems found, each one line naming place and mend.
    """

    code = "config"

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class ScriptError(QuarryError):
    """The script's author must act."""

    code = "script"


class EmitError(ScriptError, ValueError):
    """What was handed to an emit verb or to ``storage.put`` can't be represented."""

    code = "emit"


class TerminalEventError(ScriptError):
    """An emit or a put came after the run's terminal event."""

    code = "terminal"


class StoragePutError(ScriptError):
    """The runtime refused or failed a ``storage.put``; the run stays usable."""

    code = "storage_put"


class ProxyRotationError(ScriptError):
    """``emit.rotate_proxy`` got no usable answer; the run keeps the proxy that it has."""

    code = "proxy_rotation"


class ProtocolError(QuarryError):
    """An executor broke the wire contract; its run ends as ``executor_crash``."""

    code = "protocol"


class FrameTooLargeError(ProtocolError):
    """A frame's declared size exceeds the limit."""

    code = "frame_too_large"


class VersionMismatchError(ProtocolError):
    """An executor speaks another contract version."""

    code = "version_mismatch"


class StoreError(QuarryError):
    """A storage operation failed.

    Args:
        kind: auth, denied, not_found, no_space, throttled, timeout or other.
    """

    code = "store"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "other",
        retryable: bool = False,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable, context=context)
        self.kind = kind


class StoreConflictError(StoreError):
    """A create-only object exists already."""

    code = "store_conflict"


class SchedulerError(QuarryError):
    """A ledger step was refused or could not be made."""

    code = "scheduler"


class LedgerMissingError(SchedulerError):
    """The crawl is not in this Redis."""

    code = "ledger_missing"


class LeaseLostError(SchedulerError):
    """The delivery no longer holds its lease; it ends without a record."""

    code = "lease_lost"


class LedgerImbalanceError(SchedulerError):
    """One of the two ledger equations does not hold."""

    code = "ledger_imbalance"


class EngineError(QuarryError):
    """The embedded server or worker could not be started or kept alive."""

    code = "engine"


class EngineBusyError(EngineError):
    """Another command on this machine has the crawl's state folder."""

    code = "engine_busy"
