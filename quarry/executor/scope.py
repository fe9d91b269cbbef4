"""Which run is executing: carried by context, so that output and tasks find their run."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from quarry.executor.output import RunOutput

_GRACE_S = 1.0


class RunScope:
    """What belongs to one run of this process.

    Args:
        output: Takes what the run prints, or None: it goes to stderr (single-shot).
    """

    def __init__(self, output: RunOutput | None = None) -> None:
        self.output = output
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()

    async def end_tasks(self) -> None:
        """Cancel the tasks that the script left behind, and give them a second to end."""
        own = asyncio.current_task()
        left = [task for task in self.tasks if task is not own and not task.done()]
        if not left:
            return
        for task in left:
            task.cancel()
        done, _ = await asyncio.wait(left, timeout=_GRACE_S)
        for task in done:
            if not task.cancelled():
                task.exception()  # seen: nobody else will ask


CURRENT_RUN: contextvars.ContextVar[RunScope | None] = contextvars.ContextVar("quarry_run", default=None)


def make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """Make a task and note it with the run in whose context it was made (a task factory)."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    context: contextvars.Context | None = options.get("context")
    scope = CURRENT_RUN.get() if context is None else context.get(CURRENT_RUN)
    if scope is not None:
        scope.tasks.add(task)
    return task
