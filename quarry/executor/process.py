"""What all runs of one executor process share, and how the process ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from quarry.executor.browser import BrowserHost
from quarry.executor.clock import EventClock
from quarry.executor.loader import ScriptLoader
from quarry.executor.log import log_line
from quarry.executor.scope import make_task
from quarry.executor.script_imports import ScriptImports
from quarry.sdk import Memory
from quarry.sdk.process_tree import descendants

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from quarry.http import Transport


class ProcessServices:
    """Loader, clock, memory figures, HTTP transport and browsers of the process.

    Args:
        environ: The environment.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.loader = ScriptLoader(ScriptImports(resolve_folders(environ)))
        self.clock = EventClock()
        self.memory = Memory()
        self.browsers = BrowserHost(environ)
        self._transport: Transport | None = None

    def transport(self) -> Transport:
        """Give the HTTP transport, made on first use."""
        if self._transport is None:
            from quarry.http.curl import CurlTransport

            self._transport = CurlTransport()
        return self._transport

    async def close(self) -> None:
        """Close browsers and connections."""
        await self.browsers.close()
        if self._transport is not None:
            await self._transport.close()


def resolve_folders(environ: Mapping[str, str]) -> list[str]:
    """Read QUARRY_RESOLVE_FROM: folders, absolute, separated like PATH."""
    parts = environ.get("QUARRY_RESOLVE_FROM", "").split(os.pathsep)
    return [os.path.abspath(part) for part in parts if part]


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run the event loop until the main coroutine ends, whatever scripts raise.

    A ``sys.exit()`` in a task that a script started would end the loop: it is named on stderr, and the loop
    goes on.
    """
    loop = asyncio.new_event_loop()
    loop.set_task_factory(make_task)  # type: ignore[arg-type]
    asyncio.set_event_loop(loop)
    task = loop.create_task(main)
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if task.done():
                raise
            log_line(f"a task raised {error!r}; ignored")


def kill_descendants() -> None:
    """Kill every process below this one: browsers leave our process group, so the group's end misses them."""
    for pid in descendants("/proc", os.getpid()) or ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def leave(code: int) -> NoReturn:
    """End the process; a thread that a script left behind can't hold it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    kill_descendants()
    if threading.active_count() > 1:
        os._exit(code)
    sys.exit(code)
