"""What a run found out about the endpoints that it was given."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.http.transport import Transport
    from quarry.types.proxy import Endpoint

MAX_QUESTIONS = 8
"""Endpoints that a run asks for a sign of life; what is not asked about stays unheard."""


class ProxyUse:
    """Counts by endpoint, in the order in which the run got them first."""

    def __init__(self) -> None:
        self._figures: dict[Endpoint, _Figures] = {}
        self._unheard: dict[Endpoint, _Unheard] = {}

    def give(self, endpoint: Endpoint) -> None:
        """Note that the run has an endpoint; again is nothing new."""
        self._figures.setdefault(endpoint, _Figures())

    def carried(self, endpoint: Endpoint, latency_ms: float) -> None:
        """Count a request that it carried.

        Args:
            endpoint: The proxy.
            latency_ms: From the request's start to the response's end.
        """
        figures = self._figures.setdefault(endpoint, _Figures())
        figures.ok += 1
        figures.latency_ms += max(0.0, latency_ms)

    def failed(self, endpoint: Endpoint, requests: int = 1) -> None:
        """Count requests that failed through its fault."""
        self._figures.setdefault(endpoint, _Figures()).failed += requests

    def unheard(self, endpoint: Endpoint, *, verify: bool | str = True) -> None:
        """Note a request that ended without an answer of any kind; `settle` finds out whose fault that was.

        Until then, and where it can't be asked, it is reported as ``unheard``: a doubt, no failure.

        Args:
            endpoint: The proxy.
            verify: As the request had it.
        """
        self.give(endpoint)
        self._unheard.setdefault(endpoint, _Unheard(verify)).requests += 1

    async def settle(self, transport: Callable[[], Transport]) -> None:
        """Ask the proxies that timeouts were noted of, all at once; each question ends by itself in time.

        Args:
            transport: Gives the process's HTTP transport; called only where there is something to ask.
        """

        async def ask(endpoint: Endpoint, unheard: _Unheard) -> None:
            lives = await transport().lives(endpoint, verify=unheard.verify)
            del self._unheard[endpoint]  # not sooner: what is given up half-way stays in doubt
            if not lives:
                self.failed(endpoint, unheard.requests)

        asked = list(islice(self._unheard.items(), MAX_QUESTIONS))
        await asyncio.gather(*(ask(*entry) for entry in asked))

    def report(self) -> list[dict[str, Any]]:
        """Give ``proxy_use`` of a ``run_result``: an entry an endpoint, without passwords."""
        return [
            {
                **endpoint.public(),
                "ok": figures.ok,
                "failed": figures.failed,
                "unheard": self._unheard[endpoint].requests if endpoint in self._unheard else 0,
                "latency_ms": round(figures.latency_ms),
            }
            for endpoint, figures in self._figures.items()
        ]


class _Unheard:
    __slots__ = ("requests", "verify")

    def __init__(self, verify: bool | str) -> None:  # noqa: FBT001 - as `verify` of a request
        self.requests = 0
        self.verify = verify


class _Figures:
    __slots__ = ("failed", "latency_ms", "ok")

    def __init__(self) -> None:
        self.ok = 0
        self.failed = 0
        self.latency_ms = 0.0
