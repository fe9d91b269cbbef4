"""The lineage of a crawl, from its records: which run emitted which. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from quarry.types import OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarry.lode import CommitRecord


class Branch(NamedTuple):
    """A run in the tree; ``level`` counts from 0 at the top of what is shown."""

    level: int
    record: CommitRecord


class Lineage(NamedTuple):
    """A crawl's tree, parents before children, children by start.

    Attributes:
        branches: What is shown.
        matching: Runs that the filters let through, shown or not.
        too_deep: Runs below the depth limit, not among them.
    """

    branches: list[Branch]
    matching: int
    too_deep: int


def make_lineage(
    records: Sequence[CommitRecord],
    *,
    failed_only: bool = False,
    depth_limit: int | None = None,
    limit: int | None = None,
) -> Lineage:
    """Arrange the records of one crawl as a tree.

    A record whose parent has no record yet stands at the top. Chains may be thousands deep: nothing recurses.

    Args:
        records: By start.
        failed_only: Keep failed runs and the runs that lead to them.
        depth_limit: Leave out runs of a greater derivation depth.
        limit: Show at most so many; None shows all.
    """
    by_key = {record.key: record for record in records}
    kept = _leading_to_failures(by_key) if failed_only else set(by_key)
    children: dict[str | None, list[CommitRecord]] = defaultdict(list)
    too_deep = 0
    for record in records:
        if record.key not in kept:
            continue
        if depth_limit is not None and record.depth > depth_limit:
            too_deep += 1
            continue
        children[record.parent_job if record.parent_job in by_key else None].append(record)
    branches: list[Branch] = []
    matching = 0
    waiting = [Branch(0, record) for record in reversed(children[None])]
    while waiting:
        branch = waiting.pop()
        matching += 1
        if limit is None or matching <= limit:
            branches.append(branch)
        below = children.pop(branch.record.key, [])
        waiting += [Branch(branch.level + 1, record) for record in reversed(below)]
    return Lineage(branches, matching, too_deep)


def is_failed(record: CommitRecord) -> bool:
    """Say whether a run failed."""
    return record.outcome.status is not OutcomeStatus.SUCCESS


def _leading_to_failures(by_key: dict[str, CommitRecord]) -> set[str]:
    kept: set[str] = set()
    for record in by_key.values():
        if not is_failed(record):
            continue
        key: str | None = record.key
        while key is not None and key in by_key and key not in kept:
            kept.add(key)
            key = by_key[key].parent_job
    return kept
