"""What a crawl tells whoever watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from quarry.types import Counts


class Reporter(Protocol):
    """Shows what happens. No method blocks for long, and none raises."""

    def log_path(self, path: str) -> None:
        """Name the log of this command; comes before anything else."""
        ...

    def progress(self, counts: Counts, elapsed_s: float, failures: int) -> None:
        """Show where the crawl stands; may be called many times a second.

        Args:
            counts: The ledger's counters.
            elapsed_s: Seconds since the crawl began.
            failures: Failed runs so far.
        """
        ...

    def warning(self, text: str) -> None:
        """Say something that the user should mend, in one line."""
        ...

    def info(self, text: str) -> None:
        """Say something that the user may want to know, in one line."""
        ...

    def finish(self) -> None:
        """End the progress display; called once, whatever way the crawl ends."""
        ...
