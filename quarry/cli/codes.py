"""Exit codes of the command, beyond those of a root run's outcome (docs/exit-codes.md)."""

from __future__ import annotations

OK = 0
NOT_FOUND = 1
"""A read-only command found no such dataset, crawl, run or target; ``--dry-run`` found the script invalid."""

NOT_STARTED = 2
"""``--dry-run`` could not start the executor."""

UNFINISHED = 4
"""The crawl was stopped, or could not be finished."""

FAILURES = 5
"""More runs failed than ``--max-failures`` allows."""

USAGE = 64
"""A flag, a file or a value is wrong."""

INTERNAL = 70
"""A fault of Quarry's."""

FORCED = 130
"""Ended at the second interrupt."""
