"""Durations as people write them."""

from __future__ import annotations

import pytest

from quarry.config.durations import parse_duration_ms


@pytest.mark.clause("CLI-09")
@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("500ms", 500),
        ("30s", 30_000),
        ("10m", 600_000),
        ("2h", 7_200_000),
        ("45", 45_000),
        ("1.5s", 1500),
        (" 3 m ", 180_000),
        ("0.5ms", 1),
        ("1.0001s", 1001),
    ],
)
def test_durations_are_read_in_milliseconds(text, milliseconds):
    """A bare number is seconds; a fraction of a millisecond is rounded up, never to nothing."""
    assert parse_duration_ms(text) == milliseconds


@pytest.mark.clause("CLI-09")
@pytest.mark.parametrize(
    "text", ["", "0", "0ms", "0.0h", "-1s", "1d", "1 s s", "ms", "1e3", "NaN", "inf", "1,5s", "9" * 13]
)
def test_anything_else_is_refused(text):
    """Zero too: a run without time can't run."""
    with pytest.raises(ValueError, match="must be"):
        parse_duration_ms(text)
