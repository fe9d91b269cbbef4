"""The driver's side of the proxies between workers and Redis."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from tests.chaos.fleet import ROOT, WORKERS

if TYPE_CHECKING:
    from pathlib import Path


class Proxies:
    """One process with a port for each worker; ends with its standard input."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self, target: Path) -> None:
        """Start it before a unix socket."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.proxy", str(target), str(WORKERS)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        ports = (await self._process.stdout.readline()).decode().split()
        self.urls = [f"redis://127.0.0.1:{port}/0" for port in ports]

    async def drop(self, url: str) -> int:
        """Make the connections that go by this address half open; how many."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        port = url.rpartition(":")[2].partition("/")[0]
        self._process.stdin.write(f"drop {port}\n".encode())
        await self._process.stdin.drain()
        return int(await self._process.stdout.readline())

    async def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()
