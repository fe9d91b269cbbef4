"""The state of one pool as a value with rules: what the Lua files do, without Redis.

Position, number and order have the meaning of `quarry.types.rotation`; `lua/lib/pool.lua` says what is kept.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quarry.recency.picking import Picking
from quarry.types.rotation import STATES, Choice, EndpointFigures, PoolFigures, Verdict

if TYPE_CHECKING:
    from quarry.types.proxy import Health, ProxyPool
    from quarry.types.rotation import Ask, ProxyReport

HEALTHY, RESTING, DUE, TRIAL = range(4)
DICE = 2**32

_PROMOTED = 16
_MAX_DOUBLINGS = 40


@dataclass
class Entry:
    """What is kept of one endpoint."""

    chosen: int = 0
    last: int = 0
    last_ms: int = 0
    ok: int = 0
    failed: int = 0
    latency_ms: int = 0
    state: int = HEALTHY
    rests: int = 0
    trial: int = 0
    failures: list[int] = field(default_factory=list, kw_only=True)

    def heal(self) -> None:
        """Forget rests and trials."""
        self.state, self.rests, self.trial = HEALTHY, 0, 0


class PoolState:
    """One pool's state.

    Args:
        pool: Its definition.

    Attributes:
        entries: By position; those that were never used are left out.
        rests: Unix milliseconds at which a rest, or the wait for a trial, ends, by position.
        bans: Until when (Unix milliseconds) and how often in a row, by position and domain.
        keys: Position, and Unix milliseconds until which it is remembered, by sticky key.
        choices: Choices so far.
        following: Position that the order ``next`` looks at first.
    """

    def __init__(self, pool: ProxyPool) -> None:
        self.pool = pool
        self.entries: dict[int, Entry] = {}
        self.rests: dict[int, int] = {}
        self.bans: dict[tuple[int, str], tuple[int, int]] = {}
        self.keys: dict[str, tuple[int, int]] = {}
        self.choices = 0
        self.following = 0
        self._out: list[int] = []
        self._by_number: dict[int, int] = {}

    def restore(self) -> None:
        """Work out what is left out of the choice, after the attributes were filled from a snapshot."""
        self._by_number = {e.last: at for at, e in self.entries.items() if e.last and at not in self.rests}
        recent = self.choices - self.pool.recency_window
        within = {at for number, at in self._by_number.items() if self._windowed and number > recent - 1}
        # The number that falls out with the next choice is still in: that choice takes it out.
        self._out = sorted({*self.rests, *within})

    @property
    def _windowed(self) -> bool:
        return self.pool.strategy == "random" and self.pool.recency_window > 0

    def choose(self, ask: Ask, now_ms: int) -> Choice:
        """Exclude, pick and mark."""
        health = self.pool.health
        over = [at for at, until in self.rests.items() if until <= now_ms or not health.enabled]
        for at in sorted(over, key=self._rest_order)[:_PROMOTED]:
            self.entries[at].state = DUE
            self._come_back(at)
        fallen = self._by_number.get(self.choices - ask.window) if ask.window else None
        if fallen is not None:
            self._include(fallen)
        picking = Picking(
            size=len(self.pool.endpoints),
            out=self._out,
            least_recent=self._least_recent if ask.window else list,
            resting=lambda: sorted(self.rests, key=self._rest_order),
            is_banned=lambda at: self._is_banned(at, ask.domain, now_ms),
            following=self.following,
            ask=ask,
        )
        kept = self._kept(ask, now_ms)
        if kept is not None and picking.is_usable(kept, 0):
            at, reason = kept, "sticky"
        else:
            at, reason = picking.pick()
            if picking.turn is not None:
                self.following = (picking.turn + 1) % len(self.pool.endpoints)
        trial = self._mark(at, ask, now_ms, reason)
        return Choice(index=at, number=self.choices, reason=reason, trial=trial)

    def report(self, report: ProxyReport, now_ms: int) -> Verdict:
        """Count, and let rest."""
        entry = self.entries.setdefault(report.index, Entry())
        entry.ok += report.ok
        entry.failed += report.failed
        entry.latency_ms += report.latency_ms
        health = self.pool.health
        rested = health.enabled and self._judge(entry, report, now_ms)
        if not health.enabled and entry.state != HEALTHY:
            entry.heal()
            self._come_back(report.index)
        banned = None
        if health.enabled and report.banned is not None:
            banned = self._ban(report.index, report.banned, now_ms, report.dice)
        return Verdict(
            state=STATES[entry.state],
            resting_until_ms=self.rests.get(report.index),
            rests=entry.rests,
            banned_until_ms=banned,
            rested=rested,
        )

    def figures(self, now_ms: int) -> PoolFigures:
        """Show everything."""
        window = self.pool.recency_window if self._windowed else 0
        banned: dict[int, dict[str, int]] = {at: {} for at, _ in self.bans}
        for (at, domain), (until, _) in self.bans.items():
            if until > now_ms:
                banned[at][domain] = until
        found = {}
        for at in {*self.entries, *banned}:
            entry = self.entries.get(at, Entry())
            found[at] = EndpointFigures(
                chosen=entry.chosen,
                last_number=entry.last,
                last_used_ms=entry.last_ms or None,
                ok=entry.ok,
                failed=entry.failed,
                latency_ms=entry.latency_ms,
                resting_until_ms=self.rests.get(at),
                rests=entry.rests,
                state=STATES[entry.state],
                banned=banned.get(at, {}),
            )
        return PoolFigures(
            choices=self.choices,
            window_fill=sum(bool(e.last) and e.last > self.choices - window for e in self.entries.values()),
            now_ms=now_ms,
            endpoints=found,
        )

    def _rest_order(self, at: int) -> tuple[int, str]:
        return self.rests[at], str(at)  # Redis orders equal scores by the member's text

    def _least_recent(self) -> list[int]:
        return [self._by_number[number] for number in sorted(self._by_number)]

    def _kept(self, ask: Ask, now_ms: int) -> int | None:
        if ask.sticky is None:
            return None
        at, until = self.keys.get(ask.sticky, (-1, 0))
        return at if until > now_ms and at not in self.rests else None

    def _is_banned(self, at: int, domain: str | None, now_ms: int) -> bool:
        if not self.pool.health.enabled:
            return False
        return domain is not None and self.bans.get((at, domain), (0, 0))[0] > now_ms

    def _mark(self, at: int, ask: Ask, now_ms: int, reason: str) -> bool:
        self.choices += 1
        entry = self.entries.setdefault(at, Entry())
        self._by_number.pop(entry.last, None)
        entry.chosen, entry.last, entry.last_ms = entry.chosen + 1, self.choices, now_ms
        if not self.pool.health.enabled:
            entry.heal()
        trial = entry.state == DUE or (entry.state != HEALTHY and reason != "resting")
        if trial:
            entry.state, entry.trial = TRIAL, entry.trial or self.choices
            self.rests[at] = now_ms + self.pool.health.trial_ms
            self._exclude(at)
        elif entry.state == HEALTHY:
            self._by_number[self.choices] = at
            if ask.window:
                self._exclude(at)
        if ask.sticky is not None:
            self.keys[ask.sticky] = (at, now_ms + ask.sticky_ttl_ms)
        return trial

    def _judge(self, entry: Entry, report: ProxyReport, now_ms: int) -> bool:
        health, at = self.pool.health, report.index
        if entry.trial and report.number >= entry.trial:
            if report.failed:
                self._rest(entry, at, now_ms, report.dice)
                return True
            if report.ok:
                entry.heal()
            else:
                entry.state = DUE
            self._come_back(at)
        elif entry.state == HEALTHY and report.failed:
            recent = [moment for moment in entry.failures if moment > now_ms - health.window_ms]
            entry.failures = recent + [now_ms] * min(report.failed, health.failures)
            if len(entry.failures) >= health.failures:
                self._rest(entry, at, now_ms, report.dice)
                return True
        return False

    def _rest(self, entry: Entry, at: int, now_ms: int, dice: int) -> None:
        self.rests[at] = now_ms + rest_pause_ms(self.pool.health, entry.rests, dice)
        self._by_number.pop(entry.last, None)
        self._exclude(at)
        entry.state, entry.rests, entry.trial, entry.failures = RESTING, entry.rests + 1, 0, []

    def _ban(self, at: int, domain: str, now_ms: int, dice: int) -> int:
        health = self.pool.health
        until, level = self.bans.get((at, domain), (0, -1))
        longest = max(health.ban_ms, health.max_rest_ms)
        if until <= now_ms:
            level = level + 1 if until + longest > now_ms else 0
            until = now_ms + _pause_ms(health.ban_ms, longest, level, dice)
            self.bans[at, domain] = (until, level)
        return until

    def _come_back(self, at: int) -> None:
        entry, window = self.entries[at], self.pool.recency_window if self._windowed else 0
        self.rests.pop(at, None)
        if entry.last:
            self._by_number[entry.last] = at
        if not window or not entry.last or entry.last <= self.choices - window:
            self._include(at)

    def _exclude(self, at: int) -> None:
        place = bisect_left(self._out, at)
        if place == len(self._out) or self._out[place] != at:
            insort(self._out, at)

    def _include(self, at: int) -> None:
        place = bisect_left(self._out, at)
        if place < len(self._out) and self._out[place] == at:
            del self._out[place]


def rest_pause_ms(health: Health, rests: int, dice: int) -> int:
    """Give the length of a rest.

    Args:
        health: The pool's.
        rests: Rests in a row before this one.
        dice: Whole number from 0 to 2**32 - 1: half to all of the length.
    """
    return _pause_ms(health.rest_ms, health.max_rest_ms, rests, dice)


def _pause_ms(first_ms: int, longest_ms: int, level: int, dice: int) -> int:
    length = min(float(longest_ms), first_ms * 2.0 ** min(level, _MAX_DOUBLINGS))
    return max(1, int(length * (0.5 + 0.5 * dice / DICE)))
