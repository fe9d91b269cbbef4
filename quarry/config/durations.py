"""Durations as people write them."""

from __future__ import annotations

import re
from decimal import Decimal

_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|m|h)?")


def parse_duration_ms(text: str) -> int:
    """Read ``500ms``, ``30s``, ``10m``, ``1.5h``; a bare number is seconds.

    Args:
        text: The duration.

    Returns:
        Milliseconds, at least 1; fractions of a millisecond are rounded up.

    Raises:
        ValueError: It is no duration, or zero; with a message for the user.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("must be a duration such as 500ms, 30s, 10m or 2h; a bare number is seconds")
    exact = Decimal(match[1]) * _UNIT_MS[match[2] or "s"]
    whole = int(exact)
    milliseconds = whole if exact == whole else whole + 1
    if milliseconds == 0:
        raise ValueError("must be longer than 0")
    return milliseconds
