"""The guard that stands before every emit and put: nothing follows a terminal event."""

from __future__ import annotations

from quarry.errors import TerminalEventError
from quarry.sdk.callsite import located


class TerminalGuard:
    """Remembers a run's terminal event, and what it said.

    Attributes:
        terminal: ``run_complete`` or ``run_error`` once the script or the executor has emitted it.
        error: error_type, message and stack of a ``run_error``.
    """

    __slots__ = ("closed", "error", "terminal")

    def __init__(self) -> None:
        self.terminal: str | None = None
        self.error: tuple[str, str, str | None] | None = None
        self.closed = False

    def check(self, verb: str) -> None:
        """Let the verb pass, or refuse it.

        Args:
            verb: As the author wrote it, ``emit.item``.

        Raises:
            TerminalEventError: The run has had its terminal event, or has ended without one.
        """
        if self.terminal is None and not self.closed:
            return
        what = f"its terminal event {self.terminal!r}" if self.terminal else "its end"
        raise TerminalEventError(located(f"{verb} was called after the run had {what}; nothing is kept then"))

    def close(self) -> None:
        """Refuse everything from now on: the run is over, with or without a terminal event."""
        self.closed = True
