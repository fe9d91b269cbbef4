"""Turn measurements into the costs that ``quarry simulate`` computes with.

    python bench/fleet/calibrate.py FOLDER [--out quarry/simulate/costs.json]

FOLDER holds what series.py left there. Each cost is the difference of two crawls of equally many jobs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

NAMES = (
    "worker_cpu_us",
    "executor_cpu_us",
    "redis_cpu_us",
    "redis_round_trips",
    "redis_commands",
    "redis_net_bytes",
    "storage_files",
    "storage_bytes",
)
Cost = dict[str, float]


def main(argv: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "quarry/simulate/costs.json")
    options = parser.parse_args(argv)
    read = {
        name: json.loads((options.folder / f"{name}.json").read_text())
        for name in ("empty", "tiny", "items", "links", "pages-small", "pages-large", "keys", "tiny-10000")
    }
    options.out.write_text(json.dumps(calibrate(read), indent=2) + "\n")
    return 0


def cost_of(found: dict[str, Any]) -> Cost:
    """Give the cost of a run of one measurement."""
    cpu, redis, storage = found["cpu_ms_per_run"], found["redis"], found["storage"]
    trees = storage["by_tree"]
    kept = [trees[name] for name in ("partitions", "segments", "runs") if name in trees]
    jobs = found["shape"]["jobs"]
    values = (
        1000 * cpu["workers"],
        1000 * cpu["executors"],
        1000 * cpu["redis"],
        redis["round_trips"],
        redis["commands"],
        redis["total_net_input_bytes"] + redis["total_net_output_bytes"],
        sum(tree["files"] for tree in kept) / jobs,
        sum(tree["bytes"] for tree in kept) / jobs,
    )
    return dict(zip(NAMES, values, strict=True))


def calibrate(read: dict[str, Any]) -> dict[str, Any]:
    """Compute all costs.

    Args:
        read: Measurements by name; those of shapes had equally many jobs.
    """
    empty, tiny, items, links = (cost_of(read[name]) for name in ("empty", "tiny", "items", "links"))
    each, enqueues = read["items"]["shape"]["events"], read["links"]["shape"]["enqueues"]
    event = _map(lambda n: (items[n] - tiny[n]) / (each - 1))
    kind = _map(lambda n: tiny[n] - empty[n] - event[n])
    enqueue = _map(lambda n: (links[n] - empty[n] - 2 * kind[n] - event[n]) / enqueues)
    small, large = cost_of(read["pages-small"]), cost_of(read["pages-large"])
    small_kb, large_kb = (read[name]["shape"]["page_bytes"] / 1000 for name in ("pages-small", "pages-large"))
    page_kb = _map(lambda n: (large[n] - small[n]) / (large_kb - small_kb))
    fetch = _map(lambda n: small[n] - tiny[n] - page_kb[n] * small_kb)
    # Pages are read, not kept: what the store and Redis seem to have had of them is the length of a URL.
    for name in NAMES:
        if not name.endswith("cpu_us"):
            fetch[name] = page_kb[name] = 0.0
    keys, long = read["keys"], read["tiny-10000"]
    workers = long["memory"]["workers"]
    return {
        "measured": {
            "date": long["date"],
            **long["machine"],
            "what": f"bench/fleet/series.py: {long['fleet']['workers']} workers of {long['fleet']['slots']}"
            " slots, Redis on a unix socket with its append-only file, strict policy, one file a run and"
            " event type",
        },
        "run": _rounded(empty),
        "event_type": _rounded(kind),
        "event": _rounded(event),
        "enqueue": _rounded(enqueue),
        "fetch": _rounded(fetch),
        "page_kb": _rounded(page_kb),
        "memory": {
            # With its scripts and everybody's connections.
            "redis_base_bytes": long["redis_memory"]["end"] - _keys_bytes(keys, long["shape"]["jobs"]),
            "seen_key_bytes": [[row["keys"], round(row["bytes_per_key"], 1)] for row in keys["seen_keys"]],
            "compact_keys": keys["buckets"] * int(keys["limits"]["hash-max-listpack-entries"]),
            "wide_key_bytes": round(keys["wide_key_bytes"], 1),
            "pending_job_bytes": round(
                keys["pending"]["bytes_above_key"] - keys["pending"]["payload_bytes"], 1
            ),
            "payload_bytes": round(keys["pending"]["payload_bytes"], 1),
            "worker_bytes": max(worker["highest_bytes"] for worker in workers),
            "executor_bytes": max(worker["executors_highest_bytes"] for worker in workers),
        },
        "seed_cpu_us": round(1000 * long["cpu_ms_per_run"]["seeder"], 1),
        "close_us": round(1e6 * long["close_seconds"] / long["shape"]["jobs"], 2),
    }


def _keys_bytes(keys: dict[str, Any], jobs: int) -> int:
    """Give the bytes of the seen keys of a crawl, at the nearest size that was measured."""
    nearest = min(keys["seen_keys"], key=lambda row: abs(row["keys"] - jobs))
    return int(jobs * nearest["bytes_per_key"])


def _map(value: Any) -> Cost:
    return {name: value(name) for name in NAMES}


def _rounded(cost: Cost) -> Cost:
    """Round; a difference of two noisy figures that came out below zero is zero."""
    return {name: round(max(0.0, value), 3) for name, value in cost.items()}


if __name__ == "__main__":
    sys.exit(main())
