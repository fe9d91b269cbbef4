"""Storage that fails, hangs or is full for a while, at the one place through which all its calls go.

The driver says what by files in ``$CHAOS_FOLDER/storage``: ``fail``, ``hang`` or ``full``, while they are there.
Each call that is hit leaves a line in the worker's log.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from quarry.lode.retry import Retrier

if TYPE_CHECKING:
    from collections.abc import Callable

READS = frozenset({"read", "list", "open"})
_HANG_S = 120.0


def disturb_storage() -> None:
    """Put the faults in, where the driver asked for any; else change nothing."""
    place = os.environ.get("CHAOS_STORAGE")
    if not place:
        return
    folder = Path(place)
    log = structlog.get_logger("chaos")
    call = Retrier.call

    def meet(action: str) -> None:
        deadline = time.monotonic() + _HANG_S
        if (folder / "hang").exists():
            log.info("chaos.storage_hit", fault="hang", action=action)
            while (folder / "hang").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
        if (folder / "fail").exists():
            log.info("chaos.storage_hit", fault="fail", action=action)
            raise OSError(errno.EIO, "injected")
        if (folder / "full").exists() and action not in READS:
            log.info("chaos.storage_hit", fault="full", action=action)
            raise OSError(errno.ENOSPC, "injected")

    def disturbed(
        self: Retrier, operation: Callable[[], Any], *, action: str, path: str | os.PathLike[str]
    ) -> Any:
        def operate() -> Any:
            meet(action)
            return operation()

        return call(self, operate, action=action, path=path)

    Retrier.call = disturbed  # type: ignore[method-assign]
