"""A million seeds: when the first run starts, what memory the command takes, a seeder that is killed.

    python bench/fleet/seeds.py [--seeds 1000000] [--max-runs 20000] [--workers 2] [--slots 16]
        [--parallel 64] [--storage FOLDER] [--out FILE]

The command ``quarry run --seeds`` is ended by SIGKILL while it seeds; ``quarry run --attach`` goes on. Exit
code 1 where a check failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.fleet.fleet import SCRIPTS, Fleet, environment
from bench.fleet.measure import write
from bench.fleet.results import machine
from quarry.errors import LedgerMissingError
from quarry.redisio import make_client
from quarry.scheduler import Ledger
from quarry.scheduler.names import Names
from quarry.types import Counts

START_S = 5.0
MEMORY_BYTES = 256 * 1000 * 1000
CRAWL = "bench-seeds"
_POLL_S = 0.01
_WAIT_S = 300.0
_END_S = 3600.0


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 where every check passed."""
    options = _parse(argv)
    work = Path(tempfile.mkdtemp(prefix="quarry-seeds-", dir=options.storage))
    try:
        with Fleet(work / "fleet", workers=options.workers, slots=options.slots) as fleet:
            found = measure(fleet, options, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write(options.out, {**found, "complete": True})
    for check in found["checks"]:
        print(f"{'ok  ' if check['ok'] else 'FAIL'} {check['name']}: {check['told']}", file=sys.stderr)
    return 0 if all(check["ok"] for check in found["checks"]) else 1


def measure(fleet: Fleet, options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Seed, kill, attach, wait for the end, and look."""
    seeds = work / "seeds"
    with seeds.open("w") as file:
        file.writelines(f'{{"n": {n}}}\n' for n in range(options.seeds))
    head = ["--broker", fleet.url, "--format", "json"]
    begin = [
        str(SCRIPTS / "tiny.py"),
        "--seeds",
        str(seeds),
        "--max-runs",
        str(options.max_runs),
        "--depth",
        "0",
    ]
    begin += ["--parallel", str(options.parallel), "--run-id", CRAWL, "--storage-path", str(work / "data")]
    seeder = _command(fleet, work, [*begin, *head], "begin")
    started = time.monotonic()
    first_s, cut, first_peak = asyncio.run(_watch_first(fleet, seeder, started, options.max_runs // 4))
    seeder.send_signal(signal.SIGKILL)
    seeder.wait()
    watcher = _command(fleet, work, ["--attach", CRAWL, *head], "attach")
    peak = _wait(watcher, fleet)
    told = (work / "attach.err").read_text()
    if watcher.returncode:
        raise RuntimeError(f"quarry run --attach ended with {watcher.returncode}: {told[-3000:]}")
    fanout = json.loads((work / "attach.out").read_text())["fanout"]
    found = {
        "kind": "seeds",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "seeds": options.seeds,
        "max_runs": options.max_runs,
        "first_run_s": round(first_s, 3),
        "received_at_kill": cut,
        "begin_peak_bytes": first_peak,
        "attach_peak_bytes": peak,
        "seconds": round(time.monotonic() - started, 1),
        "fanout": fanout,
    }
    return {**found, "checks": checks(found)}


def checks(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare what came out with what must come out."""
    fanout, runs = found["fanout"], min(found["max_runs"], found["seeds"])
    expected = {
        "received": runs,
        "admitted": runs,
        "succeeded": runs,
        "seeds": runs,
        "duplicate": 0,
        "over_cap": 0,
    }
    wrong = {name: (fanout[name], value) for name, value in expected.items() if fanout[name] != value}
    peak = max(found["begin_peak_bytes"], found["attach_peak_bytes"])
    return [
        {
            "name": "first run",
            "ok": found["first_run_s"] <= START_S,
            "told": f"after {found['first_run_s']} s",
        },
        {"name": "memory of the command", "ok": peak <= MEMORY_BYTES, "told": f"{peak / 1e6:.0f} MB at most"},
        {
            "name": "killed in between",
            "ok": 0 < found["received_at_kill"] < runs,
            "told": f"at seed {found['received_at_kill']}",
        },
        {
            "name": "counts",
            "ok": not wrong,
            "told": f"(is, should be): {wrong}" if wrong else f"{runs} succeeded",
        },
    ]


async def _watch_first(
    fleet: Fleet, seeder: subprocess.Popen[bytes], started: float, cut_at: int
) -> tuple[float, int, int]:
    """Wait until a run has started and so many seeds were received.

    Returns:
        Seconds until a worker had claimed the first run, seeds received, highest memory of the command.
    """
    client = make_client(fleet.url)
    ledger, unclaimed = Ledger(client, CRAWL), Names(CRAWL, "quarry").fixed[7]
    first, peak = 0.0, 0
    try:
        while True:
            try:
                counts = await ledger.counts()
            except LedgerMissingError:
                counts = Counts()
            now = time.monotonic() - started
            peak = max(peak, _peak_bytes(seeder.pid))
            if not first and counts.leased + counts.succeeded > await client.zcard(unclaimed):
                first = now
            if first and counts.received >= cut_at:
                return first, counts.received, peak
            if seeder.poll() is not None or now > _WAIT_S:
                raise RuntimeError(f"no run had started after {now:.0f} s, {counts}; {fleet.logs()}")
            await asyncio.sleep(_POLL_S)
    finally:
        await client.aclose()


def _command(fleet: Fleet, work: Path, arguments: list[str], name: str) -> subprocess.Popen[bytes]:
    with (work / f"{name}.out").open("wb") as out, (work / f"{name}.err").open("wb") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "quarry.cli", "run", *arguments],
            env=environment(fleet.url, work),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )


def _wait(command: subprocess.Popen[bytes], fleet: Fleet) -> int:
    """Wait for a command's end; give the highest memory it had."""
    deadline, peak = time.monotonic() + _END_S, 0
    while command.poll() is None:
        peak = max(peak, _peak_bytes(command.pid))
        if dead := fleet.dead_workers():
            raise RuntimeError(dead[0])
        if time.monotonic() > deadline:
            command.kill()
            raise TimeoutError(f"the crawl did not end: {fleet.logs()}")
        time.sleep(0.1)
    return peak


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1_000_000)
    parser.add_argument("--max-runs", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--storage", default=None)
    parser.add_argument("--out", type=Path, default=None)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
