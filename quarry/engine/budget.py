"""How often a process may be restarted: a pure decision."""

from __future__ import annotations

from collections import deque


class RestartBudget:
    """At most `limit` restarts within any `window_s` seconds.

    Args:
        limit: Restarts.
        window_s: Seconds of the sliding window.
    """

    def __init__(self, *, limit: int = 5, window_s: float = 60.0) -> None:
        self.limit = limit
        self.window_s = window_s
        self._spent: deque[float] = deque()

    def __repr__(self) -> str:
        """Return spent, limit and window."""
        return f"<RestartBudget {len(self._spent)}/{self.limit} in {self.window_s:g} s>"

    def spend(self, now_s: float) -> bool:
        """Take one restart.

        Args:
            now_s: A monotonic clock's seconds, never less than at the call before.

        Returns:
            Whether the restart is allowed; a refused one takes nothing.
        """
        while self._spent and now_s - self._spent[0] >= self.window_s:
            self._spent.popleft()
        if len(self._spent) >= self.limit:
            return False
        self._spent.append(now_s)
        return True
