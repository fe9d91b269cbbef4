"""Try a storage operation again where that can help."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, TypeVar

from quarry.lode.faults import store_error

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

T = TypeVar("T")


class Retrier:
    """Runs operations that may be repeated; only faults that can pass by themselves are.

    A full disk, a refusal and an input/output error are not: waiting mends none of them, and after a failed
    sync the kernel may have dropped what was to be written.

    Args:
        tries: Most executions of one operation.
        limit_s: No further try is started later than this after the first.
        first_delay_s: Bound of the first pause; each further bound is four times the one before.
        clock: Monotonic seconds.
        sleep: Blocks for that many seconds.
        random: Draws each pause between half its bound and its bound, so that many writers spread out.
    """

    def __init__(
        self,
        *,
        tries: int = 5,
        limit_s: float = 60.0,
        first_delay_s: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Random | None = None,
    ) -> None:
        self._tries = tries
        self._limit_s = limit_s
        self._first_delay_s = first_delay_s
        self._clock = clock
        self._sleep = sleep
        self._random = random or Random()  # noqa: S311 - it only spreads pauses

    def call(self, operation: Callable[[], T], *, action: str, path: str | os.PathLike[str]) -> T:
        """Run an operation that may safely be repeated.

        Args:
            operation: Raises OSError where it fails.
            action: For the message, as in ``store_error``.
            path: For the message.

        Raises:
            StoreError: It failed for good; ``context["tries"]`` says how often it was tried.
        """
        started = self._clock()
        bound = self._first_delay_s
        tries = 0
        while True:
            tries += 1
            try:
                return operation()
            except OSError as error:
                fault = store_error(error, action=action, path=path)
                pause = bound * self._random.uniform(0.5, 1.0)
                late = self._clock() - started + pause > self._limit_s
                if not fault.retryable or tries >= self._tries or late:
                    fault.context["tries"] = tries
                    raise fault from error
            self._sleep(pause)
            bound *= 4
