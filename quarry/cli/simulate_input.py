"""Numbers from the command line of ``quarry simulate``; every problem at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from quarry.config.durations import parse_duration_ms

if TYPE_CHECKING:
    from collections.abc import Mapping


class Numbers:
    """Reads numbers and remembers what is wrong with them.

    Args:
        values: Texts by click's parameter name; None where an option was not given.

    Attributes:
        problems: One line each.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.problems: list[str] = []

    def number(
        self, flag: str, *, low: float, high: float, whole: bool = False, default: float | None = None
    ) -> float:
        """Give a number; where it is missing its default, where it is wrong its lowest.

        Args:
            flag: Name of the option.
            low: Smallest that is allowed.
            high: Largest that is allowed.
            whole: Whether fractions are refused.
            default: Used where the option was not given; without one it must be.
        """
        text = self._text(flag)
        if text is None:
            if default is None:
                self.problems.append(f"{flag}: is needed")
                return low
            return default
        # Underscores and exponents are how people write large numbers: 1_000_000, 1e9.
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not low <= number <= high or (whole and not number.is_integer()):
            kind = "a whole number" if whole else "a number"
            self.problems.append(f"{flag}: must be {kind} from {low:g} to {high:g}, not {text!r}")
            return low
        return number

    def duration_ms(self, flag: str, *, default: str) -> float:
        """Give a duration in milliseconds."""
        text = self._text(flag)
        try:
            return parse_duration_ms(default if text is None else text)
        except ValueError as error:
            self.problems.append(f"{flag}: {error}, not {text!r}")
            return parse_duration_ms(default)

    def _text(self, flag: str) -> str | None:
        text: str | None = self._values[flag.removeprefix("--").replace("-", "_")]
        return text
