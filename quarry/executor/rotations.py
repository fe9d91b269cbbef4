"""Answers to ``rotate_proxy`` that are waited for."""

from __future__ import annotations

import asyncio
from collections import deque

from quarry.errors import ProxyRotationError

ANSWER_S = 35.0
"""Longest wait for an answer: the runtime itself waits up to 30 s for the store that chooses."""


class Rotations:
    """Hands each answer to the event that it belongs to: they come in the order of the events.

    Args:
        due: Whether answers come at all: only a run with a proxy gets them.
        answer_s: Longest wait, in seconds.
    """

    def __init__(self, *, due: bool, answer_s: float = ANSWER_S) -> None:
        self._due = due
        self._answer_s = answer_s
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._unanswerable: str | None = None

    async def wait(self) -> None:
        """Wait for the answer to the event that was sent last; nothing may be awaited between the two.

        Raises:
            ProxyRotationError: It did not come in time, can't be used, or can't come any more.
        """
        if not self._due:
            return
        if self._unanswerable is not None:
            raise _failed(self._unanswerable)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # It keeps its place when its waiter is cancelled or gives up: the answer comes all the same.
        self._waiting.append(answer)
        try:
            async with asyncio.timeout(self._answer_s):
                await answer
        except TimeoutError:
            raise _failed(f"the runtime gave no answer within {self._answer_s:g} seconds") from None

    def answer(self, problem: str | None = None) -> None:
        """Take the next answer; one that nobody asked for is ignored.

        Args:
            problem: Why it can't be used, or None.
        """
        if not self._waiting:
            return
        waiter = self._waiting.popleft()
        if waiter.done():
            return
        if problem is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(_failed(problem))

    def fail(self, reason: str) -> None:
        """Fail every wait under way, and every later one."""
        self._unanswerable = reason
        while self._waiting:
            self.answer(reason)


def _failed(reason: str) -> ProxyRotationError:
    return ProxyRotationError(f"emit.rotate_proxy: no new proxy: {reason}; the run keeps the one that it has")
