"""Finding an endpoint among those that are not left out; `lua/lib/pick.lua` is the same in Redis."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.types.rotation import Ask

TRIES, STEPS, LEAST_BAD = 8, 256, 16
"""Throws of the dice, and neighbours after them, that are looked at while candidates are unusable; how many
are thrown for where all rest."""

_DICE = 2**32
_REASONS = (None, "given_up", "banned")


@dataclass(kw_only=True)
class Picking:
    """One search.

    Attributes:
        size: Endpoints of the pool.
        out: Positions that are left out, ascending.
        least_recent: Gives positions by their last choice, oldest first; empty without a window.
        resting: Gives resting positions by the end of their rest.
        is_banned: Whether a position rests for the target.
        following: Position that the order ``next`` looks at first.
        ask: The question.
    """

    size: int
    out: list[int]
    least_recent: Callable[[], list[int]]
    resting: Callable[[], list[int]]
    is_banned: Callable[[int], bool]
    following: int
    ask: Ask
    turn: int | None = field(init=False, default=None)
    """In the order ``next``: whose turn it is, usable or not."""
    _dice: int = field(init=False)

    def __post_init__(self) -> None:
        """Take the dice from the question; they roll on from try to try."""
        self._dice = self.ask.dice

    def pick(self) -> tuple[int, str]:
        """Give a position and the reason; there always is one."""
        self.turn = self._find_turn() if self.ask.order == "next" else None
        for pardon, reason in enumerate(_REASONS):
            at = self._free(pardon)
            if at is not None:
                return at, reason or "free"
            for at in self.least_recent()[:STEPS]:
                if self.is_usable(at, pardon):
                    return at, reason or "least_recent"
        resting = self.resting()[:LEAST_BAD]
        usable = [at for at in resting if self.is_usable(at, 0)] or resting
        return usable[self._throw(len(usable))] if usable else 0, "resting"

    def is_usable(self, at: int, pardon: int) -> bool:
        """Judge a candidate.

        Args:
            at: Position.
            pardon: 0 nothing, 1 what the run has given up, 2 what rests for the target too.
        """
        return (pardon >= 1 or at not in self.ask.exclude) and (pardon >= 2 or not self.is_banned(at))  # noqa: PLR2004

    def _free(self, pardon: int) -> int | None:
        free = self.size - len(self.out)
        if not free:
            return None
        if self.turn is not None and self.is_usable(self.turn, pardon):
            return self.turn
        first = 0
        for _ in range(TRIES):
            first = self._throw(free)
            at = self._nth_free(first)
            if self.is_usable(at, pardon):
                return at
        for step in range(1, min(free, STEPS)):
            at = self._nth_free((first + step) % free)
            if self.is_usable(at, pardon):
                return at
        return None

    def _find_turn(self) -> int | None:
        free = self.size - len(self.out)
        if not free:
            return None
        return self._nth_free((self.following - bisect_left(self.out, self.following)) % free)

    def _throw(self, count: int) -> int:
        thrown = self._dice * count // _DICE
        self._dice = (self._dice * 1664525 + 1013904223) % _DICE
        return thrown

    def _nth_free(self, k: int) -> int:
        """Give the k-th position, from 0, that is not left out: the j-th left out, e, has e - j before it."""
        return k + bisect_left(range(len(self.out)), k + 1, key=lambda j: self.out[j] - j)
