"""The command of the suite: ``python -m tests.chaos``."""

from __future__ import annotations

import argparse
import sys

from tests.chaos.driver import run_scenario
from tests.chaos.scenario import FAULTS, Scenario
from tests.chaos.switches import SWITCHES


def main() -> int:
    """Make one run or the whole table; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--fault", choices=["none", "all", *FAULTS], default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--switch", choices=["", *SWITCHES], default="")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder")
    options = parser.parse_args()
    row = run_scenario(
        Scenario(fault=options.fault, seed=options.seed, jobs=options.jobs, switch=options.switch),
        keep=options.keep,
    )
    print(row.line(), flush=True)
    return 1 if row.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
