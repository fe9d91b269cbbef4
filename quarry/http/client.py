"""``ctx.http``: one run's view of the process's HTTP transport."""

from __future__ import annotations

import asyncio
import json as json_module
import math
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import urlencode

from quarry.http.cookies import CookieStore
from quarry.http.doubts import PATIENCE_S
from quarry.http.errors import FetchError
from quarry.http.response import Response
from quarry.http.retry import delay_s, may_retry
from quarry.http.transport import Exchange
from quarry.http.url import public_url, request_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from quarry.http.options import RequestOptions
    from quarry.http.transport import Transport
    from quarry.http.url import QueryValue
    from quarry.http.use import ProxyUse
    from quarry.types.proxy import Endpoint

DEFAULT_TIMEOUT_S = 30.0
"""For one try, redirects included."""

DEFAULT_RETRIES = 2
"""Further tries after a connection error, for idempotent methods only."""

DEFAULT_MAX_BYTES = 64 * 1024 * 1024
"""Largest decompressed body."""

DEFAULT_MAX_REDIRECTS = 20

DEFAULT_IMPERSONATE = "chrome"
"""The newest Chrome that the installed curl_cffi knows."""

_AGENT = "quarry"


class Http:
    """HTTP client of one run: the run's proxy, the run's cookies, connections shared with the process.

    Args:
        transport: Gives the process's transport; called on the first request.
        proxy: Endpoint of the run, or None for direct connections. The environment's proxies are never used.
        use: Counts what the proxies carried; None counts nothing.
        jitter: Gives numbers from 0 to 1, for the pauses between tries.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        transport: Callable[[], Transport],
        *,
        proxy: Endpoint | None = None,
        use: ProxyUse | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._transport = transport
        self._proxy = proxy
        self._use = use
        self._cookies = CookieStore()
        self._jitter = jitter
        self._clock = clock

    @property
    def proxy(self) -> Endpoint | None:
        """The endpoint that the next request goes through."""
        return self._proxy

    def use_proxy(self, proxy: Endpoint | None) -> None:
        """Send every later request through another endpoint."""
        self._proxy = proxy

    @property
    def cookies(self) -> dict[str, str]:
        """Name and value of the run's cookies; a copy."""
        return self._cookies.values()

    def set_cookie(
        self, name: str, value: str, *, domain: str, path: str = "/", secure: bool = False
    ) -> None:
        """Set a cookie for the rest of the run.

        Args:
            name: Name.
            value: Value.
            domain: Host; with a leading dot its subdomains too.
            path: Path prefix.
            secure: Over https only.

        Raises:
            ValueError: A part holds a tab or a line break.
        """
        self._cookies.put(name, value, domain=domain, path=path, secure=secure)

    async def get(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a GET; see ``request`` for the options."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a POST; see ``request`` for the options."""
        return await self.request("POST", url, **options)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, QueryValue | Sequence[QueryValue]] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | str | Mapping[str, str] | None = None,
        json: Any = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: int = DEFAULT_RETRIES,
        max_redirects: int = DEFAULT_MAX_REDIRECTS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        impersonate: str | None = DEFAULT_IMPERSONATE,
        verify: bool | str = True,
    ) -> Response:
        """Send a request and read the whole response.

        Args:
            method: Any HTTP method.
            url: Absolute, http or https.
            params: Added to the query.
            headers: Replace what would be sent otherwise; an empty value sends an empty header.
            data: Body: bytes, text (as UTF-8), or a form.
            json: Body as JSON; not together with ``data``.
            timeout_s: Seconds for one try, redirects included; above 0, in steps of a millisecond.
            retries: Further tries after a connection error (name, connect, proxy, TLS, connection lost) of
                GET, HEAD, OPTIONS, PUT, DELETE or TRACE, after a pause of
                half to all of 0.5 s, doubled with each try, 10 s at most.
            max_redirects: Redirects that are followed; 0 returns the redirect itself.
            max_bytes: Bound of the decompressed body.
            impersonate: Browser whose TLS, HTTP/2 and headers are imitated, or None for a plain client.
            verify: Check certificates; a path names the file of accepted authorities.

        Returns:
            The response, whatever its status.

        Raises:
            FetchError: No usable response; ``kind`` says where it failed.
            ValueError: ``timeout_s`` is not above 0, or ``data`` and ``json`` are both given.
        """
        if not 0 < timeout_s < math.inf:
            raise ValueError(
                f"timeout_s is {timeout_s}; it must be a finite number of seconds above 0"
                f" ({DEFAULT_TIMEOUT_S:g} where it is left out)"
            )
        method = method.upper()
        body, content_type = _body(data, json)
        exchange_headers = list(headers.items()) if headers else []
        named = {name.lower() for name, _ in exchange_headers}
        if content_type is not None and "content-type" not in named:
            exchange_headers.append(("Content-Type", content_type))
        if impersonate is None and "user-agent" not in named:
            exchange_headers.append(("User-Agent", _AGENT))
        target = request_url(url, params)
        tried = 0
        at_fault: set[Endpoint] = set()
        while True:
            tried += 1
            started, proxy = self._clock(), self._proxy
            silent = None
            if self._use is not None and proxy is not None and proxy not in at_fault:
                silent = partial(self._note_silence, self._use, proxy, started, verify=verify)
            exchange = Exchange(
                method=method,
                url=target,
                headers=exchange_headers,
                body=body,
                timeout_s=timeout_s,
                max_redirects=max_redirects,
                max_bytes=max_bytes,
                proxy=proxy,
                impersonate=impersonate,
                verify=verify,
                cookies=self._cookies.lines(),
                on_silent_end=silent,
            )
            try:
                fetched = await self._transport().fetch(exchange)
            except FetchError as error:
                self._note_failure(error, exchange, at_fault)
                if not may_retry(error, method, tried=tried, retries=retries):
                    raise _told(error, method, target, tried) from error.__cause__
                await asyncio.sleep(delay_s(tried, self._jitter))
                continue
            if self._use is not None and proxy is not None:
                self._use.carried(proxy, (self._clock() - started) * 1000)
            if exchange.cookies or fetched.cookies:
                self._cookies.merge(exchange.cookies, fetched.cookies)
            return Response(
                status_code=fetched.status_code,
                url=fetched.url,
                header_lines=fetched.header_lines,
                content=fetched.content,
            )

    def _note_failure(self, error: FetchError, exchange: Exchange, at_fault: set[Endpoint]) -> None:
        """Count a fault of the proxy: once a request, however often it is tried."""
        use, proxy = self._use, exchange.proxy
        if use is None or proxy is None or proxy in at_fault:
            return
        if error.unheard:
            use.unheard(proxy, verify=exchange.verify)
        elif error.kind == "proxy" and not error.target_refused:
            at_fault.add(proxy)
            use.failed(proxy)

    def _note_silence(self, use: ProxyUse, proxy: Endpoint, started: float, *, verify: bool | str) -> None:
        """Note a request that was given up with nothing come back, unless that was soon."""
        if self._clock() - started >= PATIENCE_S:
            use.unheard(proxy, verify=verify)


def _body(data: bytes | str | Mapping[str, str] | None, json: Any) -> tuple[bytes | None, str | None]:
    if json is not None:
        if data is not None:
            raise ValueError("give data or json, not both")
        return json_module.dumps(json, allow_nan=False).encode(), "application/json"
    if data is None:
        return None, None
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), "application/octet-stream"
    return urlencode(data).encode(), "application/x-www-form-urlencoded"


def _told(error: FetchError, method: str, url: str, tried: int) -> FetchError:
    shown = public_url(url)
    times = f" ({tried} tries)" if tried > 1 else ""
    message = f"{method} {shown} failed{times}: {error.message}"
    return FetchError(
        message,
        kind=error.kind,
        url=shown,
        tries=tried,
        lasting=error.lasting,
        unheard=error.unheard,
        target_refused=error.target_refused,
    )
