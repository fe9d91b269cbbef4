"""Seeds one crawl into a fleet's ledger, by the library that ``quarry run --broker`` uses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from quarry.config.load import Inputs, load_settings
from quarry.crawl.children import make_job
from quarry.crawl.seeding import SeedBatch, seed_crawl
from quarry.redisio import make_client
from quarry.scheduler import CrawlRegistry, Ledger
from quarry.types import new_token
from quarry.wiring import make_bounds, make_dataset, make_plan, make_root

from bench.fleet.fleet import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.fleet.shapes import Shape

_BATCH = 500


class BenchCrawl:
    """One crawl of a shape.

    Args:
        url: Of the fleet's Redis.
        shape: What to crawl.
        storage: Storage path.
        parallel: Runs at once over the fleet.

    Attributes:
        ledger: Of the crawl.
        folder: Its dataset.
    """

    def __init__(self, url: str, shape: Shape, *, storage: Path, parallel: int) -> None:
        self._shape = shape
        flags = {"storage.path": str(storage), "parallel": str(parallel), "broker": url}
        if shape.depth is not None:
            flags["depth"] = str(shape.depth)
        script = str(SCRIPTS / f"{shape.name}.py")
        inputs = Inputs(flags=flags, script=script, config=None, environment={}, cwd=str(SCRIPTS), run=True)
        self._settings = load_settings(inputs).settings
        self._plan = make_plan(self._settings, crawl=f"bench-{shape.name}-{shape.jobs}", now=time.time())
        self._root = make_root(self._settings, self._plan)
        self.folder = make_dataset(self._settings, self._plan).root
        self._client = make_client(url)
        self.ledger = Ledger(self._client, self._plan.crawl)

    async def seed(self) -> None:
        """Admit all roots."""
        await seed_crawl(
            ledger=self.ledger,
            registry=CrawlRegistry(self._client),
            crawl=self._plan.crawl,
            seeder=new_token(),
            bounds=make_bounds(self._settings, self._plan),
            batches=self._batches(),
        )

    async def close(self) -> None:
        """End the connection."""
        await self._client.aclose()

    def _batches(self) -> Iterator[SeedBatch]:
        batch, offset = [], 0
        for params in self._shape.roots():
            if len(batch) == _BATCH:
                yield offset, offset + len(batch), batch, False
                offset += len(batch)
                batch = []
            run_id = None if offset or batch or self._shape.name != "links" else self._plan.crawl
            root = {**_fields(self._root), "params": params, "run_id": run_id}
            batch.append(make_job(type(self._root)(**root), depth=0))
        yield offset, offset + len(batch), batch, True


def _fields(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__struct_fields__}  # type: ignore[attr-defined]
