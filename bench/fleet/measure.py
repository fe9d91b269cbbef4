"""Measure one crawl on a private fleet: real Redis, real Celery workers, real files.

    python bench/fleet/measure.py --jobs 1000 [--shape tiny|items|links|pages] [--each N] [--workers 2]
        [--slots 16] [--parallel 64] [--storage FOLDER] [--out FILE]

Samples while it runs, checks every count at the end, and writes one JSON document. What is measured so far is
in FILE every few seconds; ``complete`` says whether it is all. Exit code 1 where a check failed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.fleet import figures, results
from bench.fleet.crawl import BenchCrawl
from bench.fleet.fleet import Fleet
from bench.fleet.sampling import Sampler, storage_of
from bench.fleet.shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

_SITE = Path(__file__).with_name("site.py")
_KEEP_EVERY_S = 10.0
_STALL_S = 120.0
_CLOSE_S = 3600.0


def main(argv: list[str] | None = None) -> int:
    """Run the command; 0 where every check passed."""
    options = _parse(argv)
    work = Path(tempfile.mkdtemp(prefix="quarry-fleet-", dir=options.storage))
    try:
        with _site(options) as site:
            shape = Shape(
                name=options.shape,
                jobs=options.jobs,
                each=options.each,
                page_bytes=options.page_bytes,
                site=site,
            )
            found = measure(shape, options, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write(options.out, found)
    for check in found["checks"]:
        print(f"{'ok  ' if check['ok'] else 'FAIL'} {check['name']}: {check['told']}", file=sys.stderr)
    return 0 if all(check["ok"] for check in found["checks"]) else 1


def measure(shape: Shape, options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run one crawl and measure it.

    Args:
        shape: What to crawl.
        options: Of the command line.
        work: Folder for everything; on the storage that is to be measured.
    """
    with Fleet(work / "fleet", workers=options.workers, slots=options.slots, strace=options.strace) as fleet:
        found = asyncio.run(_measure(shape, options, work, fleet))
    return {**found, "complete": True}


async def _measure(shape: Shape, options: argparse.Namespace, work: Path, fleet: Fleet) -> dict[str, Any]:
    crawl = BenchCrawl(fleet.url, shape, work=work, parallel=options.parallel)
    sampler = Sampler(fleet)
    head = results.head(shape, options)
    samples = [sampler.sample(await crawl.counts())]
    started = time.monotonic()
    seeding = asyncio.create_task(crawl.seed())
    kept, moved, runs, asked = started, started, 0, 0
    try:
        while True:
            # Finer at the end, where seconds of the last poll would be taken for the close's or the runs'.
            left = shape.jobs - samples[-1]["runs"]
            await asyncio.sleep(options.interval if left > options.parallel * 4 else options.interval / 10)
            if seeding.done():
                seeding.result()
            if dead := fleet.dead_workers():
                raise RuntimeError(dead[0])
            counts = await crawl.counts()
            asked += 1
            samples.append(sampler.sample(counts))
            now = time.monotonic()
            if samples[-1]["runs"] > runs:
                runs, moved = samples[-1]["runs"], now
            if now - moved > options.stall:
                raise TimeoutError(f"no run ended for {options.stall:g} s: {counts}\n{fleet.logs()}")
            if seeding.done() and counts.idle():
                break
            if now - kept > _KEEP_EVERY_S:
                kept = now
                write(options.out, {**head, "complete": False, "samples": samples})
        settled_s = time.monotonic() - started
        settled = samples[-1]
        before, after = sampler.redis()
        io = sampler.io()
        traffic = sampler.traffic()
        close_s = await _wait_closed(crawl, fleet, sampler, samples)
        counts = await crawl.ledger.counts()
        samples.append(sampler.sample(counts))
    finally:
        seeding.cancel()
        await asyncio.gather(seeding, return_exceptions=True)
        await crawl.close()
        sampler.close()
    stats = figures.commands(before, after)
    closing = figures.commands(after, sampler_stats(fleet))
    found = {
        **head,
        "seconds": round(settled_s, 3),
        "close_seconds": round(close_s, 3),
        "runs_per_s": round(shape.jobs / settled_s, 2),
        "steady_runs_per_s": round(figures.steady_rate([(s["t_s"], s["runs"]) for s in samples]), 2),
        "polls": asked,
        "cpu_ms_per_run": results.cpu(settled, shape.jobs),
        "redis": {
            **figures.add_up(stats, runs=shape.jobs),
            **results.per_run(traffic, shape.jobs),
            "commands_by_name": stats,
        },
        "redis_close": figures.add_up(closing, runs=shape.jobs),
        "redis_memory": results.redis_memory(samples, settled, shape.jobs),
        "worker_io": results.per_run(io, shape.jobs),
        "storage": storage_of(crawl.dataset),
        "counts": counts.fanout(),
        "memory": results.worker_memory(samples, options),
        "samples": samples,
    }
    found["storage"] |= {
        "files_per_run": found["storage"]["files"] / shape.jobs,
        "bytes_per_run": found["storage"]["bytes"] / shape.jobs,
    }
    found["checks"] = results.checks(found, shape)
    return found


def sampler_stats(fleet: Fleet) -> dict[str, Any]:
    """Read ``INFO commandstats`` once more."""
    with fleet.client() as client:
        found: dict[str, Any] = client.info("commandstats")
        return found


def write(path: Path | None, found: dict[str, Any]) -> None:
    """Write the document; whoever reads the file sees the former one or this one, never half of one."""
    text = json.dumps(found, indent=1)
    if path is None:
        if found.get("complete"):
            print(text)
        return
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


async def _wait_closed(
    crawl: BenchCrawl, fleet: Fleet, sampler: Sampler, samples: list[dict[str, Any]]
) -> float:
    """Wait for summary and index, sampling memory meanwhile; give the seconds."""
    started = sampled = time.monotonic()
    while not (await crawl.ledger.state()).announced:
        if dead := fleet.dead_workers():
            raise RuntimeError(dead[0])
        if time.monotonic() - started > _CLOSE_S:
            raise TimeoutError("the crawl was not closed")
        if time.monotonic() - sampled > 1.0:
            sampled = time.monotonic()
            samples.append(sampler.sample(await crawl.counts()))
        await asyncio.sleep(0.1)
    return time.monotonic() - started


@contextlib.contextmanager
def _site(options: argparse.Namespace) -> Iterator[str]:
    """Serve pages while the block runs, where the shape needs them."""
    if options.shape != "pages":
        yield ""
        return
    argv = [sys.executable, str(_SITE), str(options.page_bytes)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--shape", choices=["tiny", "items", "links", "pages"], default="tiny")
    parser.add_argument("--each", type=int, default=20, help="items or enqueues of a run (items, links)")
    parser.add_argument("--page-bytes", type=int, default=20_000, help="size of a page (pages)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=16, help="runs at once in a worker")
    parser.add_argument("--parallel", type=int, default=64, help="runs at once over the fleet")
    parser.add_argument("--storage", type=Path, default=None, help="folder to work in, such as /dev/shm")
    parser.add_argument("--out", type=Path, default=None, help="JSON; standard output without it")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between samples")
    parser.add_argument(
        "--stall", type=float, default=_STALL_S, help="give up when no run ended for so many seconds"
    )
    parser.add_argument(
        "--strace", type=Path, default=None, help="count system calls into FILE.0, FILE.1 … (slow)"
    )
    options = parser.parse_args(argv)
    if options.each < 0 or (options.each == 0 and options.shape != "items"):
        parser.error("--each must be at least 1 (0 for items)")
    if min(options.jobs, options.workers, options.slots, options.parallel, options.page_bytes) < 1:
        parser.error("every number must be at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
