"""The table of docs/reliability.md: which runs it has, making them, going on where it stopped."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.chaos.driver import run_scenario
from tests.chaos.fleet import ROOT
from tests.chaos.report import Row  # noqa: TC001 -- msgspec reads the annotation at run time
from tests.chaos.scenario import FAULTS, Scenario
from tests.chaos.switches import SHOWN_BY, SWITCHES

if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCH_SEEDS = 5
"""Seeds after which the suite must have noticed that a part is missing."""

_SWITCH_JOBS = 400


class Kept(msgspec.Struct, frozen=True):
    """A row as it is kept between two calls.

    Attributes:
        code: Of the product that it was made with.
        row: The row.
    """

    code: str
    row: Row


def plan_table(*, quick: bool) -> list[Scenario]:
    """Give the runs of the table, in its order; quick: one seed and few jobs each."""
    if quick:
        alone = [Scenario(fault=fault, seed=1, jobs=100) for fault in FAULTS]
        return [*alone, Scenario(fault="all", seed=1, jobs=200)]
    alone = [Scenario(fault=fault, seed=seed, jobs=1000) for fault in FAULTS for seed in (1, 2, 3)]
    many = [Scenario(fault="all", seed=seed, jobs=2000) for seed in range(1, 11)]
    return [*alone, *many, *(Scenario(fault="all", seed=seed, jobs=10_000) for seed in (11, 12, 13))]


class Table:
    """Rows as they come, kept beside the document until it is complete.

    Args:
        path: Of the document.
    """

    def __init__(self, path: Path) -> None:
        self._kept_at = path.with_suffix(".rows.jsonl")
        self._code = product_digest()
        self._rows: dict[tuple[str, int, int, str], Row] = {}
        if self._kept_at.exists():
            for line in self._kept_at.read_bytes().splitlines():
                kept = msgspec.json.decode(line, type=Kept)
                if kept.code == self._code and (kept.row.switch or not kept.row.wrong):
                    self._rows[_key(kept.row)] = kept.row

    def make(self, *, quick: bool) -> tuple[list[Row], list[Row]]:
        """Make every run that is missing.

        Returns:
            The rows of the faults, and those of the switches.
        """
        rows = [self._row(scenario) for scenario in plan_table(quick=quick)]
        return rows, list(self._switch_rows(quick=quick))

    def forget(self) -> None:
        """The document is written: begin anew the next time."""
        self._kept_at.unlink(missing_ok=True)

    def _switch_rows(self, *, quick: bool) -> Iterator[Row]:
        """For each switch its runs up to the first that noticed."""
        for switch in SWITCHES:
            for seed in range(1, 2 if quick else SWITCH_SEEDS + 1):
                row = self._row(Scenario(fault=SHOWN_BY[switch], seed=seed, jobs=_SWITCH_JOBS, switch=switch))
                yield row
                if noticed(row):
                    break

    def _row(self, scenario: Scenario) -> Row:
        key = (scenario.fault, scenario.seed, scenario.jobs, scenario.switch)
        row = self._rows.get(key)
        if row is None:
            # The folder of a run with a switch holds what was looked for: it is no evidence of a fault.
            row = self._rows[key] = run_scenario(scenario, discard=bool(scenario.switch))
            with self._kept_at.open("ab") as file:
                file.write(msgspec.json.encode(Kept(self._code, row)) + b"\n")
        print(row.line(), flush=True)
        return row


def noticed(row: Row) -> bool:
    """Say whether the suite found a violation; a fault that was not felt is none."""
    return any(not wrong.startswith("no effect") for wrong in row.wrong)


def product_digest() -> str:
    """Give a digest of the product's and the suite's code: rows of other code are not mixed in."""
    digest = hashlib.sha256()
    for folder in (ROOT / "quarry", Path(__file__).parent):
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.lua")]):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _key(row: Row) -> tuple[str, int, int, str]:
    return row.fault, row.seed, row.jobs, row.switch
