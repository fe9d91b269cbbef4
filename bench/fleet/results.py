"""The result of a measurement, from its samples, and what must be true of it."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.fleet import figures

if TYPE_CHECKING:
    import argparse

    from bench.fleet.shapes import Shape

MAX_SLOPE_BYTES = 1024
JUDGED_RUNS = 10_000


def checks(found: dict[str, Any], shape: Shape) -> list[dict[str, Any]]:
    """Compare what came out with what must come out."""
    counts, expected = found["counts"], shape.expected()
    wrong = {name: (counts[name], value) for name, value in expected.items() if counts[name] != value}
    received = sum(counts[name] for name in ("admitted", "duplicate", "beyond_depth", "over_cap"))
    states = ("pending", "leased", "committing", "succeeded", "failed", "not_executed")
    admitted = sum(counts[name] for name in states)
    records = found["storage"]["by_tree"].get("runs", {}).get("files", 0)
    return [
        {
            "name": "counts",
            "ok": not wrong,
            "told": f"(is, should be): {wrong}" if wrong else f"{shape.jobs} succeeded",
        },
        {
            "name": "received",
            "ok": counts["received"] == received,
            "told": f"{counts['received']} = {received}",
        },
        {
            "name": "admitted",
            "ok": counts["admitted"] == admitted,
            "told": f"{counts['admitted']} = {admitted}",
        },
        {"name": "records", "ok": records == shape.jobs, "told": f"{records} commit records"},
        flat_check(found, "slope_bytes_per_run", "PSS"),
        flat_check(found, "anonymous_slope_bytes_per_run", "PSS without files"),
    ]


def flat_check(found: dict[str, Any], figure: str, name: str) -> dict[str, Any]:
    """Say whether the memory of no worker grows with its runs; a short crawl is all warming up."""
    steepest, judged = max(worker[figure] for worker in found["memory"]["workers"]), found["memory"]["judged"]
    told = f"{steepest:.0f} bytes a run, at most {MAX_SLOPE_BYTES}"
    return {
        "name": f"worker memory ({name})",
        "ok": steepest <= MAX_SLOPE_BYTES or not judged,
        "told": told if judged else f"{told} (not judged below {JUDGED_RUNS:,} jobs)",
    }


def head(shape: Shape, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "kind": "fleet",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "shape": {
            "name": shape.name,
            "jobs": shape.jobs,
            "events": shape.events,
            "enqueues": shape.enqueues,
            "page_bytes": shape.page_bytes,
        },
        "fleet": {
            "workers": options.workers,
            "slots": options.slots,
            "parallel": options.parallel,
            "traced": options.strace is not None,
        },
    }


def machine() -> dict[str, Any]:
    """Say what kind of machine this is; nothing that names it."""
    version = subprocess.run(
        ["redis-server", "--version"], capture_output=True, text=True, check=False
    ).stdout
    return {
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "redis": next((word[2:] for word in version.split() if word.startswith("v=")), "unknown"),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
    }


def cpu(sample: dict[str, Any], jobs: int) -> dict[str, float]:
    return {name: round(1000 * value / jobs, 4) for name, value in sample["cpu_s"].items()}


def per_run(values: dict[str, int], jobs: int) -> dict[str, float]:
    return {name: round(value / jobs, 2) for name, value in values.items()}


def redis_memory(samples: list[dict[str, Any]], last: dict[str, Any], jobs: int) -> dict[str, float]:
    first = samples[0]
    fullest = max(samples, key=lambda sample: sample["redis_used"])
    return {
        "start": first["redis_used"],
        "highest": fullest["redis_used"],
        "pending_then": fullest["pending"],
        "end": last["redis_used"],
        "bytes_per_ended_job": (last["redis_used"] - first["redis_used"]) / jobs,
    }


def worker_memory(samples: list[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    """Memory of each worker over its own runs, taken as an equal share of all.

    Only while runs were left: then the close begins, which reads all records into one worker.
    """
    runs = samples[-1]["runs"]
    working = [sample for sample in samples if sample["runs"] < runs] or samples[:1]
    workers = []
    for number in range(options.workers):
        line = [(s["runs"] / options.workers, s["worker_pss"][number]) for s in working]
        last = figures.watched(line, runs / options.workers)
        own = [(s["runs"] / options.workers, s["worker_anonymous"][number]) for s in working]
        workers.append(
            {
                "start_bytes": line[0][1],
                "end_bytes": line[-1][1],
                "highest_bytes": max(bytes_ for _, bytes_ in line),
                "highest_bytes_at_close": max(s["worker_pss"][number] for s in samples),
                "slope_bytes_per_run": round(figures.slope(last), 1),
                "anonymous_slope_bytes_per_run": round(
                    figures.slope(figures.watched(own, runs / options.workers)), 1
                ),
                "slope_over_runs": round(last[-1][0] - last[0][0]) if last else 0,
                "executors_highest_bytes": max(s["executors_pss"][number] for s in working),
            }
        )
    return {"workers": workers, "judged": runs >= JUDGED_RUNS}
