"""When a request is tried again, and after how long. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.http.errors import CONNECTION_KINDS, FetchError

if TYPE_CHECKING:
    from collections.abc import Callable

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods that may be sent twice."""

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 10.0


def may_retry(error: FetchError, method: str, *, tried: int, retries: int) -> bool:
    """Say whether to try again.

    Args:
        error: What ended the last try.
        method: In capitals.
        tried: Tries so far, from 1.
        retries: Further tries allowed.

    Returns:
        True for a connection error of an idempotent method while tries are left, unless it lasts. A timeout
        is not tried again: it has had its time. A status never is: it is data.
    """
    again = error.kind in CONNECTION_KINDS and not error.lasting
    return again and tried <= retries and method in IDEMPOTENT


def delay_s(tried: int, jitter: Callable[[], float]) -> float:
    """Give the pause before the next try: half to all of 0.5 s, doubled with each try, 10 s at most.

    Args:
        tried: Tries so far, from 1.
        jitter: Gives numbers from 0 to 1.
    """
    bound: float = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** (tried - 1))
    return bound * (0.5 + jitter() / 2)
