"""What a proxy is asked where a failure does not say whose it is.

Whose 401 or 407 it is that came back over plain HTTP: there a proxy answers in the target's place, and some
(tinyproxy among them) refuse wrong credentials with a 401 that looks like the target's; a target may say 407.
So the proxy is asked for a tunnel to the same host and port: what it answers to CONNECT comes from itself.
The verdict is about the credentials, so it holds for every target of the endpoint.

Whose timeout it is where nothing came back: a proxy that hangs looks like a target that does. So the proxy is
asked for a tunnel to itself, which needs no other host: whatever it does with that, it lives. Rejected: a
tunnel to the target, where a hanging proxy and one that waits for a dead target look the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING, NamedTuple

from quarry.http.transport import Tunnel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quarry.types.proxy import Endpoint

ITSELF = "http://127.0.0.1:1/"
"""The proxy's own loopback, at a port where nobody is expected: refused at once, by it or by its rules."""

REMEMBERED_S = 60.0
"""How long a verdict on credentials holds: a target that always says 401 costs one question a minute."""

LIVES_S = 15.0
"""How long a sign of life holds: slow targets cost few questions, a proxy that hangs is found soon."""

LIFELESS_S = 5.0
"""How long silence holds: shorter than a rest, so that the run which tries the proxy after one asks anew."""

PATIENCE_S = 2.0
"""A request given up (by its script, with its page or run) after as long in silence has timed out."""

MAX_ENDPOINTS = 1024
"""Verdicts kept; the oldest goes first."""

_UNAUTHORISED = 401
_PROXY_AUTHENTICATION = 407


def is_doubtful(status: int, url: str, endpoint: Endpoint | None) -> bool:
    """Say whether a response may be the proxy's own refusal of the credentials.

    Args:
        status: Of the response.
        url: That it answers.
        endpoint: That it came through.
    """
    if endpoint is None or endpoint.protocol == "socks5" or url[:5].lower() != "http:":
        return False
    return status == _PROXY_AUTHENTICATION or (status == _UNAUTHORISED and endpoint.username is not None)


class Doubts:
    """Asks each endpoint once, however many doubts come, and remembers; one object for each question.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._verdicts: dict[Endpoint, asyncio.Task[_Answer]] = {}

    async def close(self) -> None:
        """Give up the questions under way; returns when they have ended."""
        tasks = list(self._verdicts.values())
        self._verdicts.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refused(self, endpoint: Endpoint, status: int, ask: Callable[[], Awaitable[Tunnel]]) -> bool:
        """Say whether the proxy has refused the credentials.

        Args:
            endpoint: The proxy.
            status: Of the doubtful response, 401 or 407.
            ask: Asks it for a tunnel.
        """
        tunnel = await self._answer(endpoint, ask, _hold_credentials)
        if tunnel.answer in {_UNAUTHORISED, _PROXY_AUTHENTICATION}:
            return True
        # A proxy that makes no tunnels, or can't be asked any more, proves nothing: each is what it says.
        accepted = tunnel.stood or (tunnel.answer != 0 and not tunnel.by_proxy)
        return status == _PROXY_AUTHENTICATION and not accepted

    async def lives(self, endpoint: Endpoint, ask: Callable[[], Awaitable[Tunnel]]) -> bool:
        """Say whether the proxy reacted; where it can't be told, it did.

        Args:
            endpoint: The proxy.
            ask: Asks it for a tunnel to `ITSELF`.
        """
        return not (await self._answer(endpoint, ask, _hold_life)).lifeless

    async def _answer(
        self, endpoint: Endpoint, ask: Callable[[], Awaitable[Tunnel]], hold_s: Callable[[Tunnel], float]
    ) -> Tunnel:
        task = self._verdicts.get(endpoint)
        if task is None or self._is_stale(task, hold_s):
            self._verdicts.pop(endpoint, None)
            while len(self._verdicts) >= MAX_ENDPOINTS:
                del self._verdicts[next(iter(self._verdicts))]
            # In a context of its own: the run that asked first may end before the others have their answer.
            task = asyncio.get_running_loop().create_task(self._ask(ask), context=contextvars.Context())
            self._verdicts[endpoint] = task
        return (await asyncio.shield(task)).tunnel

    def _is_stale(self, task: asyncio.Task[_Answer], hold_s: Callable[[Tunnel], float]) -> bool:
        if not task.done() or task.cancelled():
            return task.cancelled()
        answer = task.result()
        return self._clock() - answer.came >= hold_s(answer.tunnel)

    async def _ask(self, ask: Callable[[], Awaitable[Tunnel]]) -> _Answer:
        return _Answer(await _safely(ask), self._clock())


class _Answer(NamedTuple):
    tunnel: Tunnel
    came: float


def _hold_credentials(_: Tunnel) -> float:
    return REMEMBERED_S


def _hold_life(tunnel: Tunnel) -> float:
    return LIFELESS_S if tunnel.lifeless else LIVES_S


async def _safely(ask: Callable[[], Awaitable[Tunnel]]) -> Tunnel:
    try:
        return await ask()
    except Exception:  # noqa: BLE001 - no answer is an answer here; the response stays what it was
        return Tunnel(stood=False)
