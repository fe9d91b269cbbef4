"""What a choice of an endpoint costs beside a bare round trip to the same Redis, by size of the pool.

    python bench/proxies/choose.py [--rounds 7] [--count 400] [--write docs/proxy-costs.md]

In each round every pool has its turn, right after as many bare round trips (PING) on the same connection; the
table has the median over the rounds of each one's time and of its ratio to those PINGs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from quarry.recency import RedisRecency
from quarry.redisio import make_client
from quarry.testing import make_pool
from quarry.types.rotation import Ask, ProxyReport

SIZES = (2, 3, 10, 100, 1_000, 10_000, 100_000)


class Case:
    """A pool in a state: how much of it is in the recency window, how much rests."""

    def __init__(
        self, label: str, size: int, *, window: int = 0, resting: int = 0, sticky: str | None = None
    ) -> None:
        self.label, self.size, self.resting, self.sticky, self.count = label, size, resting, sticky, 0
        strategy = "random" if window else "sticky" if sticky else "round_robin"
        self.pool = make_pool(
            size, name=f"{label}-{size}".replace(" ", "-"), strategy=strategy, window=window
        )
        self.order, self.window = "random" if window else "next", window
        self.dice = random.Random(size)

    async def fill(self, store: RedisRecency) -> None:
        """Bring the pool into its state."""
        for at in range(0, self.size if self.resting else 0, max(1, self.size // max(1, self.resting))):
            await store.report(self.pool, ProxyReport(index=at, number=0, failed=3))
        for _ in range(self.window + 1 if self.window else 0):
            await self.choose(store)

    async def choose(self, store: RedisRecency) -> None:
        """Make one choice."""
        self.count += 1
        sticky = f"key {self.count if self.sticky == 'new' else 1}" if self.sticky else None
        ask = Ask(order=self.order, window=self.window, dice=self.dice.getrandbits(32), sticky=sticky)
        await store.choose(self.pool, ask)


def cases() -> list[Case]:
    """Every strategy at every size, and pools of which a tenth rests."""
    found = []
    for size in SIZES:
        found.append(Case("round-robin", size))
        found.append(Case("random, window n/2", size, window=max(1, size // 2)))
        if size >= 10:
            found.append(Case("round-robin, a tenth rests", size, resting=size // 10))
    for size in (10, 100_000):
        found.append(Case("sticky, a known key", size, sticky="known"))
        found.append(Case("sticky, a new key", size, sticky="new"))
    return found


async def _timed(call, count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        await call()
    return (time.perf_counter() - started) / count * 1e6


async def measure(url: str, *, rounds: int, count: int) -> list[str]:
    """Measure, and give the table's lines."""
    client = make_client(url)
    store, todo = RedisRecency(client), cases()
    for case in todo:
        await case.fill(store)
    pings: list[float] = []
    times: dict[int, list[float]] = {at: [] for at in range(len(todo))}
    ratios: dict[int, list[float]] = {at: [] for at in range(len(todo))}
    for _ in range(rounds):
        for at, case in enumerate(todo):
            ping = await _timed(client.ping, count)  # right before: the machine changes from second to second
            pings.append(ping)
            took = await _timed(lambda case=case: case.choose(store), count)
            times[at].append(took)
            ratios[at].append(took / ping)
    await client.aclose()
    lines = [
        f"Bare round trip (PING): {statistics.median(pings):.0f} µs.",
        "",
        "| pool | endpoints | µs a choice | ratio to PING (median, most) |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {case.label} | {case.size:,} | {statistics.median(times[at]):.0f} |"
        f" {statistics.median(ratios[at]):.2f}, {max(ratios[at]):.2f} |"
        for at, case in enumerate(todo)
    ]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    binary = shutil.which("redis-server") or "redis-server"
    with tempfile.TemporaryDirectory(prefix="qr-") as folder:
        socket = f"{folder}/s"
        options = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        server = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while not Path(socket).exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            lines = asyncio.run(measure(f"unix://{socket}?db=0", rounds=given.rounds, count=given.count))
        finally:
            server.terminate()
            server.wait()
    print("\n".join(lines))
    if given.write:
        head = (
            "# What a choice costs\n\nMade by `python bench/proxies/choose.py --write docs/proxy-costs.md`: a"
            " choice of an endpoint beside a bare round trip to the same Redis, on one connection over a unix"
            f" socket, {given.rounds} rounds of {given.count} each. The target is a ratio of at most 2, in"
            " the median.\n\n"
        )
        given.write.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
