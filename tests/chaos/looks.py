"""Readers that look while the crawl runs: what is visible is visible once, and never changes."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import quarry.lode

if TYPE_CHECKING:
    from quarry.lode import Reader
    from tests.chaos.run import Run


class Looks:
    """One run's readers. What they find is noted as violations.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._inodes: dict[str, int] = {}
        self._ended = threading.Event()

    async def watch_records(self) -> None:
        """List the records again and again: none is replaced, none vanishes."""
        while not self._ended.is_set():
            await asyncio.to_thread(self.compare_records)
            await asyncio.sleep(0.2)

    def compare_records(self) -> None:
        """Compare the records with those of the last time, by their inodes."""
        found: dict[str, int] = {}
        for folder in self._run.storage.glob(f"datasets/quarry/runs/*/crawl={self._run.crawl}"):
            with os.scandir(folder) as entries:
                found |= {e.name: e.inode() for e in entries if e.name.endswith(".json") and e.name[0] != "."}
        for name, inode in self._inodes.items():
            if found.get(name) != inode:
                what = "vanished" if name not in found else "was replaced"
                self._run.violation(
                    f"the record {name} {what}", kind="lost" if name not in found else "twice"
                )
        self._inodes = found

    async def read_rows(self) -> None:
        """Read all visible rows a few times, while the crawl runs."""
        shares = (0.15, 0.5, 0.8) if self._run.answer.admitted < 5000 else (0.4,)
        for share in shares:
            while self._run.done < share * self._run.answer.admitted and not self._run.closed:
                await asyncio.sleep(0.05)
            if self._run.closed:
                return
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Look once, as any reader of the dataset would."""
        started = time.monotonic()
        reader = quarry.lode.open(self._run.storage)
        for problem in visible_twice(reader, self._run):
            self._run.violation(f"a reader saw: {problem}", kind="twice")
        self._run.count("looks-reader")
        self._run.note(f"a reader looked for {time.monotonic() - started:.1f} s")

    def end(self) -> None:
        """Look no more."""
        self._ended.set()


def visible_twice(reader: Reader, run: Run) -> list[str]:
    """Name items that are visible more than once, or that are no final attempt's."""
    rows = reader.scan(event_type="item", crawl=run.crawl, columns=["run_id", "attempt", "data"]).to_pylist()
    seen: Counter[tuple[int, int]] = Counter()
    wrong = []
    runs_of: dict[int, set[str]] = {}
    for row in rows:
        data = json.loads(row["data"])
        seen[data["n"], data["part"]] += 1
        runs_of.setdefault(data["n"], set()).add(row["run_id"])
        if data["attempt"] != row["attempt"]:
            wrong.append(f"an item of attempt {data['attempt']} in a row of attempt {row['attempt']}")
    wrong += [f"item {part} of job {n} {times} times" for (n, part), times in seen.items() if times > 1]
    wrong += [f"rows of {len(runs)} runs of job {n}" for n, runs in runs_of.items() if len(runs) > 1]
    return wrong
