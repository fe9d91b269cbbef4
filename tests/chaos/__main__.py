"""The command of the suite: ``python -m tests.chaos``."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from quarry.engine.binary import find_server_binary
from tests.chaos.document import write_document
from tests.chaos.driver import run_scenario
from tests.chaos.scenario import FAULTS, Scenario
from tests.chaos.switches import SWITCHES
from tests.chaos.table import Table, noticed


def main() -> int:
    """Make one run or the whole table; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--fault", default="all", help=f"all, none, or some of them with + between: {', '.join(FAULTS)}"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--switch", choices=["", *SWITCHES], default="")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="make the whole table, and the page of it")
    parser.add_argument("--quick", action="store_true", help="with --write: one short run of each kind")
    options = parser.parse_args()
    if options.write:
        return _write(options.write, quick=options.quick)
    try:
        scenario = Scenario(fault=options.fault, seed=options.seed, jobs=options.jobs, switch=options.switch)
    except ValueError as error:
        parser.error(str(error))
    row = run_scenario(scenario, keep=options.keep, discard=bool(options.switch))
    print(row.line(), flush=True)
    return 1 if row.wrong else 0


def _write(path: Path, *, quick: bool) -> int:
    table = Table(path)
    rows, switch_rows = table.make(quick=quick)
    text = write_document(
        rows, switch_rows, machine=_machine(), redis=_redis(), made=f"{datetime.now(UTC):%Y-%m-%d}"
    )
    path.write_text(text)
    unnoticed = set(SWITCHES) - {row.switch for row in switch_rows if noticed(row)}
    for switch in sorted(unnoticed):
        print(f"the suite did not notice that {switch} was taken out")
    if unnoticed or any(row.wrong for row in rows):
        return 1
    table.forget()
    return 0


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _redis() -> str:
    binary = find_server_binary()
    said = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True).stdout
    return next((word.removeprefix("v=") for word in said.split() if word.startswith("v=")), "?")


if __name__ == "__main__":
    sys.exit(main())
