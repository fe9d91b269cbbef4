"""Whose fault it is that a page's request through a proxy failed, and how many it carried."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from quarry.http import PATIENCE_S, is_doubtful

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import BrowserContext, Request

    from quarry.http import ProxyUse, Transport
    from quarry.types.proxy import Endpoint

_PROXY_ERROR = re.compile(
    r"net::ERR_(?:PROXY_\w+|INVALID_AUTH_CREDENTIALS|\w*_PROXY_AUTH\w*|HTTPS_PROXY_TUNNEL\w*"
    r"|MANDATORY_PROXY_CONFIGURATION_FAILED|NO_SUPPORTED_PROXIES)"
)
_TUNNEL_ERRORS = frozenset({"net::ERR_TUNNEL_CONNECTION_FAILED", "net::ERR_SOCKS_CONNECTION_FAILED"})
_TIMED_OUT, _ABORTED = "net::ERR_TIMED_OUT", "net::ERR_ABORTED"

MAX_QUESTIONS = 8
"""Tunnels that a run asks for at its end; the rest counts for nobody: they may all be refused by rules."""


class ProxyWatch:
    """Counts what the browser contexts of a run say of their proxies: all requests of all pages.

    A request whose response has come counts as carried, one that failed for the proxy's fault as failed.
    Chromium's words leave three cases open, and the proxy is asked about these once the run has ended: a
    tunnel that could not be made (it may be the target that can't be reached), a 401 or 407 over plain HTTP,
    and a request that got no response.

    Args:
        use: Takes the figures.
        transport: Gives the process's HTTP transport, which asks.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, use: ProxyUse, transport: Callable[[], Transport], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._use = use
        self._transport = transport
        self._clock = clock
        self._tunnels: Counter[tuple[Endpoint, str]] = Counter()
        self._doubtful: dict[tuple[Endpoint, int, str], list[float]] = {}

    def follow(self, context: BrowserContext, proxy: Endpoint) -> None:
        """Listen to a context that goes through a proxy."""
        statuses: dict[Request, int] = {}
        waiting: dict[Request, float] = {}

        def on_request(request: Request) -> None:
            waiting[request] = self._clock()

        def on_response(response: Any) -> None:
            waiting.pop(response.request, None)
            if is_doubtful(response.status, response.url, proxy):
                statuses[response.request] = response.status

        def on_finished(request: Request) -> None:
            waiting.pop(request, None)
            latency_ms = max(0.0, request.timing["responseEnd"])
            status = statuses.pop(request, None)
            if status is None:
                self._use.carried(proxy, latency_ms)
            else:
                self._doubtful.setdefault((proxy, status, _origin(request.url)), []).append(latency_ms)

        def on_failed(request: Request) -> None:
            statuses.pop(request, None)
            since = waiting.pop(request, None)
            failure = request.failure or ""
            if failure in _TUNNEL_ERRORS:
                self._tunnels[proxy, _origin(request.url)] += 1
            elif _PROXY_ERROR.fullmatch(failure):
                self._use.failed(proxy)
            elif since is not None and (
                failure == _TIMED_OUT or (failure == _ABORTED and self._clock() - since >= PATIENCE_S)
            ):
                self._use.unheard(proxy)

        context.on("request", on_request)
        context.on("response", on_response)
        context.on("requestfinished", on_finished)
        context.on("requestfailed", on_failed)

    async def settle(self) -> None:
        """Ask about the open cases, those of `ctx.http` too, when the run has ended.

        Each question ends by itself in time.
        """
        tunnels, self._tunnels = self._tunnels, Counter()
        doubtful, self._doubtful = self._doubtful, {}
        await asyncio.gather(
            self._use.settle(self._transport),
            *(
                self._settle_tunnel(proxy, origin, requests)
                for (proxy, origin), requests in islice(tunnels.items(), MAX_QUESTIONS)
            ),
            *(self._settle_status(*case, latencies) for case, latencies in doubtful.items()),
            return_exceptions=True,  # figures decide no run
        )

    async def _settle_tunnel(self, proxy: Endpoint, origin: str, requests: int) -> None:
        tunnel = await self._transport().try_tunnel(proxy, origin)
        if tunnel.stood or (tunnel.by_proxy and not tunnel.target_refused):
            self._use.failed(proxy, requests)

    async def _settle_status(self, proxy: Endpoint, status: int, origin: str, latencies: list[float]) -> None:
        if await self._transport().refuses_credentials(proxy, origin, status):
            self._use.failed(proxy, len(latencies))
            return
        for latency_ms in latencies:
            self._use.carried(proxy, latency_ms)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
