from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.engine import RestartBudget


@pytest.mark.clause("ENGINE-16")
def test_five_restarts_in_sixty_seconds() -> None:
    """The sixth within the window is refused; one is free again as soon as the oldest leaves it."""
    budget = RestartBudget()
    assert [budget.spend(t) for t in (0, 1, 2, 3, 4)] == [True] * 5
    assert not budget.spend(59.9)
    assert budget.spend(60)
    assert not budget.spend(60.5)
    assert budget.spend(61)


@pytest.mark.clause("ENGINE-16")
@given(
    st.lists(st.floats(0, 30), max_size=60),
    st.integers(0, 6),
    st.floats(0.1, 60),
)
def test_no_window_ever_holds_more_than_the_limit(gaps: list[float], limit: int, window_s: float) -> None:
    """Over any moments: allowed restarts never crowd a window, and one is refused only where it would."""
    budget = RestartBudget(limit=limit, window_s=window_s)
    now, allowed = 0.0, []
    for gap in gaps:
        now += gap
        recent = [t for t in allowed if now - t < window_s]
        assert budget.spend(now) == (len(recent) < limit)
        if len(recent) < limit:
            allowed.append(now)
