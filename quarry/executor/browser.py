"""One browser a process, one context a run; both only when asked for."""

from __future__ import annotations

import asyncio
import contextvars
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from quarry.executor.chromium import BrowserError, browser_environ, find_browser, needs_no_sandbox
from quarry.executor.log import log_line
from quarry.http import proxy_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.async_api import Browser, BrowserContext, Page, Playwright

    from quarry.executor.proxy_watch import ProxyWatch
    from quarry.types.proxy import Endpoint

_CLOSE_S = 5.0
_ARGS = ["--disable-dev-shm-usage"]  # /dev/shm is 64 MB in containers
_PROXIED_ARGS = ["--force-webrtc-ip-handling-policy=disable_non_proxied_udp"]  # no proxy of ours carries UDP
_NOWHERE = "http://127.0.0.1:1"
"""Default proxy of the browser for runs with a proxy: what has none of its own goes nowhere (PROXY-15)."""


class _Key(NamedTuple):
    endpoint: str | None
    proxied: bool


class BrowserHost:
    """Keeps the process's browsers: its own, and those it was told to connect to.

    Args:
        environ: Names the browser, its endpoint and its sandbox.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._lock = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browsers: dict[_Key, Browser] = {}

    async def browser(self, endpoint: str | None, *, proxied: bool) -> Browser:
        """Give a connected browser.

        Args:
            endpoint: DevTools endpoint of a running browser; None: the environment's, else our own.
            proxied: The run has a proxy. Our own browser for such runs goes nowhere but through the proxies
                of its contexts.

        Raises:
            BrowserError: It can't be found, started or reached.
        """
        key = self._key(endpoint, proxied=proxied)
        known = self._browsers.get(key)
        if known is not None and known.is_connected():
            return known
        # A task in a context of its own: the browser outlives the run that asked first, and its death.
        opening = asyncio.get_running_loop().create_task(self._open(key), context=contextvars.Context())
        return await asyncio.shield(opening)

    async def forget(self, endpoint: str | None, *, proxied: bool) -> None:
        """Give up a browser that no longer answers, and the driver with it; the next call starts anew."""
        async with self._lock:
            self._browsers.pop(self._key(endpoint, proxied=proxied), None)
            if not any(browser.is_connected() for browser in self._browsers.values()):
                await self._stop()

    async def close(self) -> None:
        """Close everything; our own browser ends, a foreign one is left."""
        async with self._lock:
            for browser in self._browsers.values():
                await _within(browser.close())
            await self._stop()

    def _key(self, endpoint: str | None, *, proxied: bool) -> _Key:
        endpoint = endpoint or self._environ.get("QUARRY_BROWSER_ENDPOINT") or None
        return _Key(endpoint, proxied and endpoint is None)

    async def _open(self, key: _Key) -> Browser:
        async with self._lock:
            known = self._browsers.get(key)
            if known is not None and known.is_connected():
                return known
            playwright = await self._start()
            try:
                browser = await self._launch(playwright, key)
            except BrowserError:
                raise
            except Exception as error:
                await self._stop()
                what = (
                    f"can't reach the browser at {key.endpoint}"
                    if key.endpoint
                    else "the browser could not be started"
                )
                raise BrowserError(f"{what}: {_first_lines(error)}") from error
            self._browsers[key] = browser
            return browser

    async def _launch(self, playwright: Playwright, key: _Key) -> Browser:
        if key.endpoint:
            return await playwright.chromium.connect_over_cdp(key.endpoint)
        return await playwright.chromium.launch(
            executable_path=find_browser(self._environ),
            headless=True,
            chromium_sandbox=not needs_no_sandbox(self._environ, uid=os.getuid()),
            args=[*_ARGS, *(_PROXIED_ARGS if key.proxied else ())],
            proxy={"server": _NOWHERE} if key.proxied else None,
            env=browser_environ(self._environ),
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )

    async def _start(self) -> Playwright:
        if self._playwright is None:
            try:
                from playwright.async_api import async_playwright
            except ImportError as error:
                raise BrowserError(f"pages need playwright, which can't be loaded: {error}") from error
            self._playwright = await async_playwright().start()
        return self._playwright

    async def _stop(self) -> None:
        playwright, self._playwright = self._playwright, None
        self._browsers.clear()
        if playwright is not None:
            await _within(playwright.stop())


class RunBrowser:
    """One run's browser contexts, one for each proxy that it had; implements the SDK's ``BrowserProvider``.

    Args:
        host: The process's browsers.
        endpoint: Of the run's request, if it has one.
        proxy: Of the run, if it has one.
        watch: Counts what the proxies carry.
    """

    def __init__(
        self, host: BrowserHost, *, endpoint: str | None, proxy: Endpoint | None, watch: ProxyWatch
    ) -> None:
        self._host = host
        self._endpoint = endpoint
        self._proxy = proxy
        self._watch = watch
        self._context: BrowserContext | None = None
        self._made: list[asyncio.Task[BrowserContext]] = []
        self._lock = asyncio.Lock()

    def use_proxy(self, proxy: Endpoint) -> None:
        """Open what comes from now on through another proxy; open pages keep theirs."""
        if proxy != self._proxy:
            self._proxy = proxy
            self._context = None

    async def browser(self) -> Browser:
        """Give the process's browser."""
        return await self._host.browser(self._endpoint, proxied=self._proxy is not None)

    async def context(self) -> BrowserContext:
        """Give the run's context, made on the first call and on the first after a new proxy."""
        async with self._lock:
            while (context := self._context) is None:
                proxy = self._proxy
                made = await self._new_context(proxy)
                if proxy == self._proxy:
                    self._context = made
            return context

    async def page(self) -> Page:
        """Open a page in the run's context."""
        return await (await self.context()).new_page()

    async def close(self) -> None:
        """Close the run's contexts and their pages; also those whose making was cancelled half-way."""
        made, self._made, self._context = self._made, [], None
        open_ones = [task for task in made if not (task.done() and (task.cancelled() or task.exception()))]
        await asyncio.gather(*(_within(_close_made(task)) for task in open_ones))

    async def _new_context(self, proxy: Endpoint | None) -> BrowserContext:
        options = _proxy_options(proxy)
        try:
            return await self._make(await self.browser(), options, proxy)
        except BrowserError:
            raise
        except Exception:  # noqa: BLE001 - whatever playwright raises when browser or driver have died
            await self._host.forget(self._endpoint, proxied=proxy is not None)
        try:
            return await self._make(await self.browser(), options, proxy)
        except BrowserError:
            raise
        except Exception as error:
            raise BrowserError(f"no browser context could be made: {_first_lines(error)}") from error

    async def _make(
        self, browser: Browser, options: dict[str, Any], proxy: Endpoint | None
    ) -> BrowserContext:
        # A task in a context of its own: the browser makes it all the same when the run is cancelled.
        making = asyncio.get_running_loop().create_task(
            browser.new_context(**options), context=contextvars.Context()
        )
        self._made.append(making)
        context = await asyncio.shield(making)
        if proxy is not None:
            self._watch.follow(context, proxy)
        return context


def _proxy_options(proxy: Endpoint | None) -> dict[str, Any]:
    if proxy is None:
        return {}
    if proxy.protocol == "socks5" and proxy.username is not None:
        raise BrowserError("Chromium can't use a SOCKS5 proxy with credentials; use an http proxy")
    server: dict[str, str] = {"server": proxy_address(proxy).replace("socks5h://", "socks5://")}
    if proxy.username is not None:
        password = proxy.password.reveal() if proxy.password is not None else ""
        server |= {"username": proxy.username, "password": password}
    return {"proxy": server}


async def _close_made(making: asyncio.Task[BrowserContext]) -> None:
    await (await making).close()


async def _within(closing: Any) -> None:
    """Wait for something to close, but not for ever, and whatever it says."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await closing
    except Exception as error:  # noqa: BLE001 - what can't be closed is killed with the process
        log_line(f"closing the browser: {_first_lines(error)}")


def _first_lines(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(error).__name__
