"""The two ways in which the runtime ends a run: its deadline, and a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT = "timeout"
CANCELLED = "cancelled"


@contextlib.contextmanager
def stopping(timeout_ms: int, cancel: asyncio.Event | None, stop: Callable[[str], None]) -> Iterator[None]:
    """Call ``stop`` with TIMEOUT at the deadline, with CANCELLED when the event is set.

    Nothing is called any more once the block has been left.

    Args:
        timeout_ms: From now.
        cancel: The event, where there is one.
        stop: Must neither block nor raise; may be called twice.
    """
    deadline = asyncio.get_running_loop().call_later(timeout_ms / 1000, stop, TIMEOUT)
    watcher = asyncio.create_task(cancel.wait()) if cancel is not None else None
    if watcher is not None:
        watcher.add_done_callback(lambda task: None if task.cancelled() else stop(CANCELLED))
    try:
        yield
    finally:
        deadline.cancel()
        if watcher is not None:
            watcher.cancel()
