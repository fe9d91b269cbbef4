"""All measurements of a fleet, one after another, unattended.

    python bench/fleet/series.py FOLDER [--storage /dev/shm] [--largest 100000] [--without-seeds]

What FOLDER holds already is not measured again, so a series that was cut goes on. At the end it writes the
costs (quarry/simulate/costs.json) and the tables of docs/scaling.md. Exit code 1 where a check failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
_CALIBRATED_JOBS = 5000


def main(argv: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--storage", default="/dev/shm")
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--calibrated-jobs", type=int, default=_CALIBRATED_JOBS)
    parser.add_argument("--without-seeds", action="store_true")
    parser.add_argument("--without-report", action="store_true", help="leave costs and docs as they are")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for name, script, arguments in plan(options):
        out = options.folder / f"{name}.json"
        if _complete(out):
            print(f"{name}: is there", flush=True)
            continue
        started = time.monotonic()
        print(f"{name}: {script} {' '.join(arguments)}", flush=True)
        code = subprocess.run(
            [sys.executable, str(HERE / script), *arguments, "--out", str(out)], check=False
        ).returncode
        print(
            f"{name}: {'ok' if code == 0 else f'FAILED ({code})'} in {time.monotonic() - started:.0f} s",
            flush=True,
        )
        if code:
            failed.append(name)
    if not options.without_report:
        for script in ("calibrate.py", "report.py"):
            subprocess.run([sys.executable, str(HERE / script), str(options.folder)], check=True)
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def plan(options: argparse.Namespace) -> list[tuple[str, str, list[str]]]:
    """List what is measured: name of the result, script, arguments."""
    place = ["--storage", options.storage]
    jobs = ["--jobs", str(options.calibrated_jobs), *place]
    sizes = [size for size in (1000, 10_000, 100_000) if size <= options.largest]
    found = [
        ("empty", "measure.py", [*jobs, "--shape", "items", "--each", "0"]),
        ("tiny", "measure.py", jobs),
        ("items", "measure.py", [*jobs, "--shape", "items", "--each", "20"]),
        ("links", "measure.py", [*jobs, "--shape", "links", "--each", "20"]),
        ("pages-small", "measure.py", [*jobs, "--shape", "pages", "--page-bytes", "2000"]),
        ("pages-large", "measure.py", [*jobs, "--shape", "pages", "--page-bytes", "100000"]),
        ("keys", "keys.py", ["--folder", options.storage]),
        *[(f"tiny-{size}", "measure.py", ["--jobs", str(size), *place]) for size in sizes],
        *[
            (f"links-{size}", "measure.py", ["--jobs", str(size), "--shape", "links", "--each", "5", *place])
            for size in sizes[:2]
        ],
    ]
    if not options.without_seeds:
        found.append(("seeds", "seeds.py", place))
    return found


def _complete(path: Path) -> bool:
    return path.exists() and bool(json.loads(path.read_text()).get("complete"))


if __name__ == "__main__":
    sys.exit(main())
