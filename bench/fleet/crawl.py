"""One crawl on a fleet, begun as a user would begin it: ``quarry run --broker … --detach``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from bench.fleet.fleet import SCRIPTS, environment
from quarry.errors import LedgerMissingError
from quarry.redisio import make_client
from quarry.scheduler import Ledger
from quarry.types import Counts

if TYPE_CHECKING:
    from pathlib import Path

    from bench.fleet.shapes import Shape

_DEEPEST = 1_000_000


class BenchCrawl:
    """One crawl of a shape.

    Args:
        url: Of the fleet's Redis.
        shape: What to crawl.
        work: Folder for storage, state and seed file.
        parallel: Runs at once over the fleet.

    Attributes:
        crawl: Its id.
        ledger: Of the crawl.
        dataset: Folder of its dataset.
    """

    def __init__(self, url: str, shape: Shape, *, work: Path, parallel: int) -> None:
        self.crawl = f"bench-{shape.name}-{shape.jobs}"
        self.dataset = work / "data" / "datasets" / "quarry"
        self._url = url
        self._shape = shape
        self._work = work
        self._parallel = parallel
        self._client = make_client(url)
        self.ledger = Ledger(self._client, self.crawl)

    async def seed(self) -> None:
        """Admit all roots; returns when the command has left.

        Raises:
            RuntimeError: The command failed; with what it said.
        """
        process = await asyncio.create_subprocess_exec(
            *self._command(),
            env=environment(self._url, self._work),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(
                f"quarry run ended with {process.returncode}: {said.decode(errors='replace')[-3000:]}"
            )

    async def counts(self) -> Counts:
        """Read the counters; zeros before the crawl is there."""
        try:
            return await self.ledger.counts()
        except LedgerMissingError:
            return Counts()

    async def close(self) -> None:
        """End the connection."""
        await self._client.aclose()

    def _command(self) -> list[str]:
        shape = self._shape
        argv = [sys.executable, "-m", "quarry.cli", "run", str(SCRIPTS / f"{shape.name}.py"), "--detach"]
        argv += ["--run-id", self.crawl, "--parallel", str(self._parallel), "--format", "json"]
        argv += ["--storage-path", str(self._work / "data")]
        if shape.depth is None:
            return [*argv, "--depth", str(_DEEPEST), "--job", json.dumps(next(shape.roots()))]
        seeds = self._work / "seeds"
        with seeds.open("w") as file:
            file.writelines(json.dumps(params) + "\n" for params in shape.roots())
        return [*argv, "--seeds", str(seeds)]
