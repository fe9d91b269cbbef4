"""Ctrl-C and SIGTERM: once finishes what is in flight, twice ends now."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarry.crawl.reporter import Reporter


class Interrupts:
    """Counts interrupts; must be made on the event loop that waits for them.

    Attributes:
        once: Set at the first.
        twice: Set at the second.

    Args:
        reporter: Told what the first one does.
        hint: That, in a few words.
    """

    def __init__(
        self,
        reporter: Reporter,
        *,
        hint: str = "finishing what is in flight; interrupt again to end now",
    ) -> None:
        self._hint = hint
        self.once = asyncio.Event()
        self.twice = asyncio.Event()
        self._reporter = reporter

    def listen(self) -> None:
        """Take SIGINT and SIGTERM over, until the loop closes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._note)

    def _note(self) -> None:
        if self.once.is_set():
            self.twice.set()
            return
        self.once.set()
        self._reporter.info(self._hint)
