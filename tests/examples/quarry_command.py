"""Run the real `quarry` command as a user would: a process of its own, its JSON result read from stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Finished:
    """How the command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON result; fails with everything that the command said where there is none."""
        try:
            return json.loads(self.stdout)
        except ValueError:
            raise AssertionError(
                f"exit code {self.exit_code}, no JSON result:\n{self.stdout}\n{self.stderr}"
            ) from None

    def assert_success(self) -> dict[str, Any]:
        """Give the result of a command that succeeded; anything else fails with its output."""
        assert self.exit_code == 0, f"exit code {self.exit_code}:\n{self.stdout}\n{self.stderr[-4000:]}"
        assert self.result["exit_code"] == 0
        assert self.result["outcome"] == "success"
        return self.result


def run_quarry(
    *arguments: str | Path, cwd: Path, stdin: str | None = None, timeout_s: float = 150
) -> Finished:
    """Run `quarry` in a folder, with a state folder of its own in there."""
    environment = {**os.environ, "XDG_STATE_HOME": str(cwd / "state")}
    done = subprocess.run(
        [Path(sys.executable).with_name("quarry"), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def assert_balanced(fanout: dict[str, int]) -> None:
    """Both equations of the ledger hold exactly, and nothing is left to do."""
    outcomes = ("admitted", "duplicate", "beyond_depth", "over_cap")
    assert fanout["received"] == sum(fanout[name] for name in outcomes), fanout
    states = ("pending", "leased", "committing", "succeeded", "failed", "not_executed")
    assert fanout["admitted"] == sum(fanout[name] for name in states), fanout
    assert fanout["pending"] == fanout["leased"] == fanout["committing"] == 0, fanout


def items_of(storage: Path, crawl: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Read the items that a crawl left: their data by item type."""
    import quarry.lode

    found: dict[str, list[dict[str, Any]]] = {}
    table = quarry.lode.open(storage).scan(event_type="item", crawl=crawl, columns=["item_type", "data"])
    for row in table.to_pylist():
        found.setdefault(row["item_type"], []).append(json.loads(row["data"]))
    return found
