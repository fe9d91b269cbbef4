"""Writes docs/reliability.md from the rows, and reads the rows that can be repeated out of it. Pure."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.version import __version__
from tests.chaos.run import LEASE_MS, PARALLEL
from tests.chaos.scenario import Scenario
from tests.chaos.table import noticed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.report import Row

COLUMNS = (
    *("fault", "seed", "jobs", "settled", "cut", "kills", "restarts", "rollbacks", "redeliveries"),
    *("adoptions", "refused", "lost", "twice", "hung", "orphans", "wall_s"),
)
REPEATABLE = ("lost", "twice", "hung", "orphans")
"""Columns that do not depend on the machine or the moment: a repeated row must have the same."""

_TEXT = Path(__file__).parent / "document.md"


def write_document(
    rows: Sequence[Row], switch_rows: Sequence[Row], *, machine: str, redis: str, made: str
) -> str:
    """Make the page.

    Args:
        rows: Of the faults, in the table's order.
        switch_rows: Of the switches, each up to the one that noticed.
        machine: What it ran on.
        redis: Version of the Redis server.
        made: Day, UTC.
    """
    return _TEXT.read_text().format(
        version=__version__,
        made=made,
        machine=machine,
        python=platform.python_version(),
        redis=redis,
        lease_s=f"{LEASE_MS / 1000:g}",
        parallel=PARALLEL,
        runs=len(rows),
        jobs=f"{sum(row.jobs for row in rows):,}",
        kills=f"{sum(row.kills for row in rows):,}",
        rollbacks=sum(row.rollbacks for row in rows),
        redeliveries=f"{sum(row.redeliveries for row in rows):,}",
        adoptions=f"{sum(row.adoptions for row in rows):,}",
        refused=f"{sum(row.refused for row in rows):,}",
        verdict=_verdict(rows),
        table=_table([[_shown(row, name) for name in COLUMNS] for row in rows], COLUMNS),
        switches=_table([_switch_row(row) for row in switch_rows], _SWITCH_COLUMNS),
    )


def read_document(text: str) -> list[tuple[Scenario, dict[str, int]]]:
    """Read the rows of the table: what to run, and its columns that can be compared."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != len(COLUMNS) or not cells[1].isdigit():
            continue
        values = dict(zip(COLUMNS, cells, strict=True))
        scenario = Scenario(fault=values["fault"], seed=int(values["seed"]), jobs=int(values["jobs"]))
        found.append((scenario, {name: int(values[name]) for name in REPEATABLE}))
    return found


_SWITCH_COLUMNS = ("taken out", "fault", "seed", "jobs", "violations", "the first of them")
_SHOWN_CHARS = 110


def _switch_row(row: Row) -> list[str]:
    first = next((text for text in row.wrong if not text.startswith("no effect")), "none at this seed")
    first = first.replace("|", "/").replace("\n", " ")
    shown = first if len(first) <= _SHOWN_CHARS else first[: _SHOWN_CHARS - 1] + "…"
    return [
        row.switch,
        row.fault,
        str(row.seed),
        str(row.jobs),
        str(len(row.wrong) if noticed(row) else 0),
        shown,
    ]


def _verdict(rows: Sequence[Row]) -> str:
    bad = [row for row in rows if row.wrong]
    if not bad:
        return "Every check of every run held."
    listed = "; ".join(f"`{row.fault}` seed {row.seed}, {row.jobs} jobs: {row.wrong[0][:200]}" for row in bad)
    return f"**{len(bad)} runs broke a promise:** {listed}"


def _shown(row: Row, name: str) -> str:
    value = getattr(row, name)
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _table(rows: Sequence[Sequence[str]], names: Sequence[str]) -> str:
    head = [name.replace("_", " ") for name in names]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
