"""Compare what ``quarry simulate`` predicts with what was measured, and write the tables of docs/scaling.md.

    python bench/fleet/report.py FOLDER [--docs docs/scaling.md] [--check]

FOLDER holds what series.py left there. ``--check`` writes nothing and exits 1 where the document is another.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from collections.abc import Sequence

from quarry.simulate import Prices, Workload, answer, default_costs
from quarry.simulate.model import compute_needs, machine_rate, seen_key_bytes

ROOT = Path(__file__).parents[2]
_EXTRAPOLATED = (
    ("10⁶", Workload(jobs=10**6, rate=200, enqueues=20, page_bytes=20_000)),
    ("10⁷", Workload(jobs=10**7, rate=1000, enqueues=20, page_bytes=20_000)),
    ("10⁸", Workload(jobs=10**8, rate=2000, enqueues=20, page_bytes=20_000)),
    ("10⁹", Workload(jobs=10**9, rate=2000, enqueues=20, page_bytes=20_000)),
    ("10⁹ seeds, 100,000 pending", Workload(jobs=10**9, rate=2000, page_bytes=20_000)),
)
_REDIS_BYTES = 64e9
_CLOSE_S = 1.0
"""A shorter close is not compared: it was under way when its beginning was seen."""


def main(argv: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs/scaling.md")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(argv)
    tables = make_tables(options.folder)
    former = options.docs.read_text()
    text = former
    for name, lines in tables.items():
        text = put_table(text, name, lines)
    if options.check:
        return 0 if text == former else 1
    options.docs.write_text(text)
    return 0


def make_tables(folder: Path) -> dict[str, list[str]]:
    """Make every table for which there are measurements."""
    runs = [found for path in sorted(folder.glob("*-*.json")) if (found := read(path)).get("kind") == "fleet"]
    sizes = sorted((run for run in runs if run["shape"]["jobs"] in {10**3, 10**4, 10**5}), key=_order)
    tables = {"extrapolated": extrapolated(), "measured": measured(sizes), "compared": compared(sizes)}
    if (folder / "keys.json").exists():
        tables["keys"] = keys_table(read(folder / "keys.json"))
    if (folder / "seeds.json").exists():
        tables["seeds"] = seeds_table(read(folder / "seeds.json"))
    return tables


def read(path: Path) -> dict[str, Any]:
    """Read one result; nothing of one that is not complete."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found if found.get("complete") else {}


def put_table(text: str, name: str, lines: list[str]) -> str:
    """Put a table between its two marks.

    Raises:
        ValueError: The document has no such marks.
    """
    begin, end = f"<!-- table: {name} -->\n", "<!-- end -->"
    before, mark, rest = text.partition(begin)
    _, other, after = rest.partition(end)
    if not mark or not other:
        raise ValueError(f"the document has no place for the table {name!r}")
    return before + begin + "\n" + "\n".join(lines) + "\n\n" + end + after


def measured(runs: list[dict[str, Any]]) -> list[str]:
    """Cost of a run at each size."""
    head = (
        "crawl",
        "runs/s",
        "CPU ms a run: worker",
        "executors",
        "Redis",
        "round trips a run",
        "Redis bytes an ended job",
        "highest Redis MB",
        "worker MB",
        "slope, bytes a run",
        "close s",
        "checks",
    )
    rows = []
    for run in runs:
        cpu, memory, workers = run["cpu_ms_per_run"], run["redis_memory"], run["memory"]["workers"]
        slopes = max(worker["slope_bytes_per_run"] for worker in workers)
        rows.append(
            (
                f"{run['shape']['name']} {run['shape']['jobs']:,}",
                f"{run['steady_runs_per_s']:.0f}",
                f"{cpu['workers']:.2f}",
                f"{cpu['executors']:.2f}",
                f"{cpu['redis']:.2f}",
                f"{run['redis']['round_trips']:.2f}",
                f"{memory['bytes_per_ended_job']:.0f}",
                f"{memory['highest'] / 1e6:.1f}",
                f"{max(worker['highest_bytes'] for worker in workers) / 1e6:.0f}",
                f"{slopes:.0f}" if run["memory"]["judged"] else "-",
                f"{run['close_seconds']:.1f}",
                "all passed" if all(check["ok"] for check in run["checks"]) else "FAILED",
            )
        )
    return table(head, rows)


def compared(runs: list[dict[str, Any]]) -> list[str]:
    """Predicted beside measured, and how far off."""
    costs, rows = default_costs(), []
    for run in runs:
        name = f"{run['shape']['name']} {run['shape']['jobs']:,}"
        for what, predicted, was, form in compare(costs, run):
            off = f"{100 * (predicted - was) / was:+.0f} %" if was else "-"
            rows.append((name, what, form.format(predicted), form.format(was), off))
    return table(("crawl", "figure", "predicted", "measured", "off by"), rows)


def compare(costs: Any, run: dict[str, Any]) -> list[tuple[str, float, float, str]]:
    """Give name, prediction, measurement and format of each figure of one crawl."""
    shape, fleet = run["shape"], run["fleet"]
    pages = shape["page_bytes"] if shape["name"] == "pages" else 0
    jobs = shape["jobs"]
    work = Workload(
        jobs=jobs,
        rate=run["runs_per_s"],
        events=shape["events"],
        enqueues=shape["enqueues"],
        page_bytes=pages,
        slots=fleet["slots"],
        pending=run["redis_memory"]["pending_then"],
    )
    needs, trees = compute_needs(costs, work), run["storage"]["by_tree"]
    kept = [trees[name] for name in ("partitions", "segments", "runs") if name in trees]
    cpu = run["cpu_ms_per_run"]
    figures = [
        (
            "runs/s, all cores busy",
            machine_rate(costs, work, cores=run["machine"]["cores"]),
            run["steady_runs_per_s"],
            "{:.0f}",
        ),
        (
            "CPU ms a run, workers and executors",
            (needs.per_run.worker_cpu_us + needs.per_run.executor_cpu_us) / 1000,
            cpu["workers"] + cpu["executors"],
            "{:.2f}",
        ),
        ("CPU ms a run, Redis", needs.per_run.redis_cpu_us / 1000, cpu["redis"], "{:.3f}"),
        ("Redis commands a run", needs.per_run.redis_commands, run["redis"]["commands"], "{:.1f}"),
        (
            "Redis MB at its fullest",
            needs.redis_memory_bytes / 1e6,
            run["redis_memory"]["highest"] / 1e6,
            "{:.1f}",
        ),
        ("files", needs.storage_requests, sum(tree["files"] for tree in kept), "{:,.0f}"),
        ("MB on disk", needs.storage_bytes / 1e6, sum(tree["bytes"] for tree in kept) / 1e6, "{:.1f}"),
    ]
    if run["close_seconds"] >= _CLOSE_S:
        figures.append(("close s", needs.close_s, run["close_seconds"], "{:.1f}"))
    return figures


def keys_table(found: dict[str, Any]) -> list[str]:
    """Memory of seen keys and of a pending job."""
    limit = int(found["limits"]["hash-max-listpack-entries"])
    rows = [
        (
            f"{row['keys']:,}",
            f"{row['bytes_per_key']:.1f}",
            f"{row['keys'] / found['buckets']:.1f}",
            ", ".join(f"{name} {count}" for name, count in sorted(row["encodings"].items())),
        )
        for row in found["seen_keys"]
    ]
    rows.append(
        (
            f"above {found['buckets'] * limit:,}",
            f"{found['wide_key_bytes']:.1f}",
            f"above {limit}",
            "hashtable",
        )
    )
    pending = found["pending"]
    return [
        *table(("seen keys", "bytes a key", "keys a bucket", "encoding of buckets looked at"), rows),
        "",
        (
            f"A pending job takes {pending['bytes_above_key']:.0f} bytes beside its key,"
            f" {pending['payload_bytes']:.0f} of them its payload."
        ),
    ]


def seeds_table(found: dict[str, Any]) -> list[str]:
    """The crawl of a million seeds."""
    peak = max(found["begin_peak_bytes"], found["attach_peak_bytes"])
    rows = [
        ("seeds in the file", f"{found['seeds']:,}"),
        ("`--max-runs`", f"{found['max_runs']:,}"),
        ("first run started after", f"{found['first_run_s']:.1f} s"),
        ("memory of the command, highest", f"{peak / 1e6:.0f} MB"),
        ("seeder killed at seed", f"{found['received_at_kill']:,}"),
        ("succeeded in the end", f"{found['fanout']['succeeded']:,}"),
        ("checks", "all passed" if all(check["ok"] for check in found["checks"]) else "FAILED"),
    ]
    return table(("figure", "value"), rows)


def extrapolated() -> list[str]:
    """What larger crawls need."""
    costs, rows = default_costs(), []
    for name, work in _EXTRAPOLATED:
        said = answer(costs, Prices(), work, redis_bytes=_REDIS_BYTES)
        redis, workers = said["redis"], said["workers"]
        beyond = [limit["name"] for limit in said["limits"] if limit["reached"]]
        rows.append(
            (
                name,
                f"{work.rate:,.0f}",
                f"{said['time']['crawl_s'] / 86400:.1f}",
                f"{workers['cores']:,}",
                f"{redis['core']:.0%}",
                f"{redis['memory_bytes'] / 1e9:.1f}",
                f"{seen_key_bytes(costs.memory, work.jobs):.0f}",
                "yes" if redis["one_suffices"] else "no",
                f"{said['storage']['write_requests'] / 1e6:,.0f}",
                f"{said['storage']['bytes'] / 1e12:.2f}",
                f"{said['time']['close_s'] / 3600:.1f}",
                f"{said['money']['total']:,.0f}",
                ", ".join(beyond) or "none",
            )
        )
    head = (
        "jobs",
        "runs/s",
        "days",
        "cores",
        "Redis core",
        "Redis GB",
        "bytes a key",
        "one Redis",
        "writes, millions",
        "TB stored",
        "close, h",
        "money",
        "limits passed",
    )
    return table(head, rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a Markdown table."""
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *[f"| {' | '.join(row)} |" for row in rows]]


def _order(run: dict[str, Any]) -> tuple[str, int]:
    return run["shape"]["name"].replace("tiny", ""), run["shape"]["jobs"]


if __name__ == "__main__":
    sys.exit(main())
