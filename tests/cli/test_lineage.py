"""The lineage tree, from records."""

from __future__ import annotations

import pytest

from quarry.cli.lineage import make_lineage
from quarry.lode import CommitRecord
from quarry.types import Outcome, OutcomeStatus


def record(key: str, parent: str | None = None, depth: int = 0, *, failed: bool = False) -> CommitRecord:
    return CommitRecord(
        key=key, crawl="c", day="2026-01-01", token="t", run_id=f"run-{key}", attempt=1, source="s", category="c", target="x.py", job={}, script="/x.py",
        outcome=Outcome(status=OutcomeStatus.SCRIPT_ERROR if failed else OutcomeStatus.SUCCESS), policy="strict", started_at="", ended_at="", duration_ms=1, deliveries=1,
        contract_version="1.0", quarry_version="0", parent_job=parent, depth=depth,
    )  # fmt: skip


TREE = [
    record("root"),
    record("a", "root", 1),
    record("b", "root", 1, failed=True),
    record("a1", "a", 2),
    record("a2", "a", 2, failed=True),
    record("lost", "not-there", 2),
]


def shown(lineage):
    return [(branch.level, branch.record.key) for branch in lineage.branches]


@pytest.mark.clause("CLI-28")
def test_parents_come_before_their_children():
    """A run whose parent has no record yet stands at the top."""
    tree = make_lineage(TREE)
    assert shown(tree) == [(0, "root"), (1, "a"), (2, "a1"), (2, "a2"), (1, "b"), (0, "lost")]
    assert (tree.matching, tree.too_deep) == (6, 0)


@pytest.mark.clause("CLI-28")
def test_failed_runs_are_kept_with_those_that_lead_to_them():
    """And nothing else."""
    assert shown(make_lineage(TREE, failed_only=True)) == [(0, "root"), (1, "a"), (2, "a2"), (1, "b")]


@pytest.mark.clause("CLI-28")
def test_limits_say_what_they_left_out():
    """By number and by depth."""
    tree = make_lineage(TREE, limit=2)
    assert (shown(tree), tree.matching) == ([(0, "root"), (1, "a")], 6)
    tree = make_lineage(TREE, depth_limit=1)
    assert (shown(tree), tree.too_deep) == ([(0, "root"), (1, "a"), (1, "b")], 3)


@pytest.mark.clause("CLI-28")
def test_chains_of_any_length_are_arranged():
    """Nothing recurses."""
    chain = [record("0")] + [record(str(n), str(n - 1), n, failed=n == 4999) for n in range(1, 5000)]
    assert len(make_lineage(chain).branches) == 5000
    assert len(make_lineage(chain, failed_only=True).branches) == 5000
