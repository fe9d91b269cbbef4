"""What the way to Redis costs a run: ``python -m tests.network.latency [--write docs/latency.md]``.

One crawl (each job emits an item and enqueues jobs) by one worker that reaches its Redis through a proxy with a
latency; times are those of Redis. `--parallel 1` shows how many round trips follow one another in a run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from quarry.types import new_token
from tests.workers.kit import clean_env, end, redis_server, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
ROUND_TRIPS_MS = (0, 2, 20)
SLOTS = 32


@dataclass(frozen=True)
class Measured:
    """One crawl.

    Attributes:
        runs: Jobs executed.
        took_ms: From the first seed to the close.
        calls: Commands that clients sent, by name, reaper and events included.
    """

    runs: int
    took_ms: int
    calls: dict[str, int]

    @property
    def ms_a_run(self) -> float:
        """Wall time a run."""
        return self.took_ms / self.runs

    def a_run(self, *names: str) -> float:
        """Commands of these names a run."""
        return sum(self.calls.get(name, 0) for name in names) / self.runs


@dataclass(frozen=True)
class Row:
    """One latency: a crawl without parallel runs, and one with."""

    round_trip_ms: float
    alone: Measured
    many: Measured


class Bench:
    """One Redis, one worker, and the latency between them."""

    def __init__(self, folder: Path, port: int, round_trip_ms: float) -> None:
        self._folder = folder
        self._url = f"redis://127.0.0.1:{port}/0"
        self._client = redis.Redis(port=port)
        self._env = {"XDG_STATE_HOME": str(folder / "state"), "QUARRY_SCRIPTS_ROOT": str(SCRIPTS)}
        self._proxy = subprocess.Popen(
            [sys.executable, "-m", "tests.network.proxy", "127.0.0.1", str(port), str(round_trip_ms)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._proxy.stdout is not None
        near = self._proxy.stdout.readline().decode().strip()
        with (folder / "worker.log").open("wb") as log:
            self._worker = subprocess.Popen(
                [str(Path(sys.executable).with_name("celery")), "-A", "quarry.tasks", "worker", "-n", "w@latency",
                 "-c", str(SLOTS), "-l", "INFO", "--without-gossip", "--without-mingle"],
                env=clean_env(QUARRY_BROKER=f"redis://127.0.0.1:{near}/0", **self._env),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            )  # fmt: skip

    def crawl(self, *, jobs: int, parallel: int) -> Measured:
        """Run one crawl to its end."""
        crawl = f"c{new_token()}"
        self._client.config_resetstat()
        done = subprocess.run(
            [sys.executable, "-m", "quarry.cli", "run", "--script", str(SCRIPTS / "tree.py"), "--run-id", crawl,
             "--job", json.dumps({"jobs": jobs, "n": 0}), "--depth", "40", "--parallel", str(parallel), "--detach",
             "--broker", self._url, "--storage-path", str(self._folder / "data"), "--format", "json"],
            env=clean_env(**self._env), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        head = f"q:{{{crawl}}}:meta"
        wait_for(lambda: self._client.hget(head, "closed_ms"), f"the crawl: {self.log()}", timeout_s=600)
        calls = {
            name.removeprefix("cmdstat_"): figures["calls"]
            for name, figures in self._client.info("commandstats").items()
        }
        began, closed = (int(value or 0) for value in self._client.hmget(head, "created_ms", "closed_ms"))
        counters = {k.decode(): int(v) for k, v in self._client.hgetall(f"q:{{{crawl}}}:n").items()}
        assert counters["succeeded"] == counters["admitted"] == jobs, counters
        return Measured(jobs, closed - began, calls)

    def log(self) -> str:
        """Give the end of the worker's log."""
        return (self._folder / "worker.log").read_text()[-2000:]

    def end(self) -> None:
        """End worker and proxy."""
        end(self._worker)
        end(self._proxy)
        self._client.close()


@contextlib.contextmanager
def bench(folder: Path, round_trip_ms: float) -> Iterator[Bench]:
    """A bench that is warm: its executors have run."""
    folder.mkdir()
    with redis_server(folder / "redis", "--appendonly", "yes") as port:
        made = Bench(folder, port, round_trip_ms)
        try:
            made.crawl(jobs=20, parallel=SLOTS)
            yield made
        finally:
            made.end()


def measure(folder: Path, *, alone: int, many: int, rounds: int) -> list[Row]:
    """Measure every latency.

    Args:
        folder: For files.
        alone: Jobs of the crawl without parallel runs.
        many: Jobs of the one with.
        rounds: How often each; the quickest counts, since a machine's other work only adds.
    """
    rows = []
    for round_trip_ms in ROUND_TRIPS_MS:
        with bench(folder / f"{round_trip_ms}ms", round_trip_ms) as made:
            rows.append(
                Row(
                    round_trip_ms,
                    alone=_quickest(made.crawl(jobs=alone, parallel=1) for _ in range(rounds)),
                    many=_quickest(made.crawl(jobs=many, parallel=SLOTS) for _ in range(rounds)),
                )
            )
    return rows


def _quickest(measured: Iterable[Measured]) -> Measured:
    return min(measured, key=lambda one: one.took_ms)


def sequential_round_trips(rows: list[Row]) -> float:
    """Give the round trips that follow one another in a run: how its time grows with the latency."""
    first, last = rows[0], rows[-1]
    return (last.alone.ms_a_run - first.alone.ms_a_run) / (last.round_trip_ms - first.round_trip_ms)


def table(rows: list[Row]) -> str:
    """Give the figures as a Markdown table."""
    columns = ["round trip to Redis", f"runs/s, `--parallel {SLOTS}`", "ms a run", "ms a run, `--parallel 1`"]
    columns += ["ledger calls a run", "messages a run"]
    lines = [
        f"| {' | '.join(columns)} |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.round_trip_ms:g} ms | {1000 / row.many.ms_a_run:.0f} | {row.many.ms_a_run:.1f} |"
        f" {row.alone.ms_a_run:.1f} | {row.many.a_run('evalsha', 'eval'):.2f} | {row.many.a_run('brpop'):.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def page(rows: list[Row]) -> str:
    """Give the page of the documentation."""
    return f"""# Latency between workers and Redis

What a run costs where Redis is far away, by `python -m tests.network.latency --write docs/latency.md`: one worker of
{SLOTS} slots, one crawl of {rows[0].many.runs} tiny jobs ({rows[0].alone.runs} with `--parallel 1`), each with an
item and up to four enqueue events, and a TCP proxy that makes every round trip so much longer. On {os.cpu_count()} cores that
worker, Redis, proxy and storage share. Times are from the first seed to the close, of the quickest of three crawls.

{table(rows)}

With `--parallel 1` a run waits for **{sequential_round_trips(rows):.1f} round trips, one after another**: the growth of
a run's time from the first row to the last, divided by the latency between them.

- *Ledger calls* are all calls of Lua steps: `claim`, `script` (is this the crawl's version?), `admit` (one for the
  enqueue events that arrive together) and `settle`; the reaper's and the seeder's are in the figure, which makes it a little
  larger.
- *Messages* are the `BRPOP`s that bring a run to the worker; one that comes back empty counts too.
- Task events (`PUBLISH`) are flushed ten times a second in one batch, and heartbeats go out for all runs of a worker together:
  both cost nothing a run.

Runs of a worker wait for Redis at the same time, so `--parallel` hides the ledger calls. Its messages it fetches one after another,
whatever its slots: **a worker process begins at most one run a round trip**, 50 a second at 20 ms. Where Redis is far and
runs are short, start several workers on a machine rather than one with more slots, or put Redis nearer; the storage may
be far.
"""


def main() -> None:
    """Measure, print the table, write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.network.latency")
    parser.add_argument("--write", type=Path, help="page to write")
    parser.add_argument("--alone", type=int, default=100, help="jobs of the crawl without parallel runs")
    parser.add_argument("--many", type=int, default=1000, help="jobs of the crawl with parallel runs")
    parser.add_argument("--rounds", type=int, default=3, help="crawls of each kind; the quickest counts")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quarry-latency-") as folder:
        rows = measure(Path(folder), alone=options.alone, many=options.many, rounds=options.rounds)
    print(table(rows))
    print(
        f"{sequential_round_trips(rows):.2f} sequential round trips a run; took {time.monotonic() - started:.0f} s"
    )
    if options.write is not None:
        options.write.write_text(page(rows))


if __name__ == "__main__":
    main()
