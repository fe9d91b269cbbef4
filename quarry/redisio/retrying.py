"""Waiting for a Redis that is away: restarted, loading its file, or behind a broken connection."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, TypeVar

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from quarry.redisio.errors import RedisRefusedError, RedisUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_DENIED = (AuthenticationError, AuthorizationError)
"""redis-py counts them among the connection's errors; waiting does not help against a wrong password."""

_AWAY = (RedisConnectionError, RedisTimeoutError, BusyLoadingError, ReadOnlyError, TryAgainError, OSError)


class Retrier:
    """Repeats a call until Redis answers or the time is over.

    Only calls that may be repeated after a lost reply are handed to it: every ledger step is one.

    Args:
        wait_s: Seconds that an absent Redis is waited for.
        first_pause_s: Seconds before the first repetition; doubled with each, up to `max_pause_s`.
        max_pause_s: Longest pause, seconds.
        clock: Monotonic seconds.
        pause: Sleeps for seconds.
    """

    def __init__(
        self,
        wait_s: float = 60.0,
        *,
        first_pause_s: float = 0.05,
        max_pause_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._wait_s = wait_s
        self._first_pause_s = first_pause_s
        self._max_pause_s = max_pause_s
        self._clock = clock
        self._pause = pause

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call, again and again while Redis is away.

        Raises:
            RedisUnavailableError: Redis stayed away for `wait_s`.
            RedisRefusedError: Redis answered with an error.
        """
        deadline = self._clock() + self._wait_s
        pause_s = self._first_pause_s
        while True:
            try:
                return await call()
            except _DENIED as error:
                raise RedisRefusedError(f"Redis refused the credentials: {error}") from error
            except _AWAY as error:
                left_s = deadline - self._clock()
                if left_s <= 0:
                    raise RedisUnavailableError(
                        f"Redis did not answer for {self._wait_s:g} s: {error}; see that it runs and can be"
                        " reached",
                        retryable=True,
                    ) from error
                # Jitter, so that a fleet does not come back in one moment; nothing secret hangs on it.
                await self._pause(min(left_s, pause_s * random.uniform(0.5, 1.0)))  # noqa: S311
                pause_s = min(pause_s * 2, self._max_pause_s)
            except RedisError as error:
                raise RedisRefusedError(f"Redis refused a command: {error}") from error
