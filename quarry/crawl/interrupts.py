"""Ctrl-C and SIGTERM: once finishes what is in flight, twice ends now."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

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

    async def until_first(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Do something unless the first interrupt comes before its end; it is cancelled then.

        Args:
            work: What to do; what it raises is raised here.

        Returns:
            Whether it was done.
        """
        doing = asyncio.create_task(work)
        heard = asyncio.create_task(self.once.wait())
        try:
            await asyncio.wait({doing, heard}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
                return True
            return False
        finally:
            heard.cancel()
            doing.cancel()
            await asyncio.gather(heard, doing, return_exceptions=True)

    def _note(self) -> None:
        if self.once.is_set():
            self.twice.set()
            return
        self.once.set()
        self._reporter.info(self._hint)
