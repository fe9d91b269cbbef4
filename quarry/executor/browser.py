"""One browser a process, one context a run; both only when asked for."""

from __future__ import annotations

import asyncio
import contextvars
import os
from typing import TYPE_CHECKING, Any

from quarry.executor.chromium import BrowserError, browser_environ, find_browser, needs_no_sandbox
from quarry.executor.log import log_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.async_api import Browser, BrowserContext, Page, Playwright

    from quarry.http import ProxyAddress

_CLOSE_S = 5.0
_ARGS = ["--disable-dev-shm-usage"]  # /dev/shm is 64 MB in containers


class BrowserHost:
    """Keeps the process's browsers: its own, and those it was told to connect to.

    Args:
        environ: Names the browser, its endpoint and its sandbox.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._lock = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browsers: dict[str | None, Browser] = {}

    async def browser(self, endpoint: str | None) -> Browser:
        """Give a connected browser.

        Args:
            endpoint: DevTools endpoint of a running browser; None: the environment's, else our own.

        Raises:
            BrowserError: It can't be found, started or reached.
        """
        endpoint = endpoint or self._environ.get("QUARRY_BROWSER_ENDPOINT") or None
        known = self._browsers.get(endpoint)
        if known is not None and known.is_connected():
            return known
        # A task in a context of its own: the browser outlives the run that asked first, and its death.
        opening = asyncio.get_running_loop().create_task(self._open(endpoint), context=contextvars.Context())
        return await asyncio.shield(opening)

    async def forget(self, endpoint: str | None) -> None:
        """Give up a browser that no longer answers, and the driver with it; the next call starts anew."""
        async with self._lock:
            self._browsers.pop(endpoint or self._environ.get("QUARRY_BROWSER_ENDPOINT") or None, None)
            if not any(browser.is_connected() for browser in self._browsers.values()):
                await self._stop()

    async def close(self) -> None:
        """Close everything; our own browser ends, a foreign one is left."""
        async with self._lock:
            for browser in self._browsers.values():
                await _within(browser.close())
            await self._stop()

    async def _open(self, endpoint: str | None) -> Browser:
        async with self._lock:
            known = self._browsers.get(endpoint)
            if known is not None and known.is_connected():
                return known
            playwright = await self._start()
            try:
                browser = await self._launch(playwright, endpoint)
            except BrowserError:
                raise
            except Exception as error:
                await self._stop()
                what = (
                    f"can't reach the browser at {endpoint}"
                    if endpoint
                    else "the browser could not be started"
                )
                raise BrowserError(f"{what}: {_first_lines(error)}") from error
            self._browsers[endpoint] = browser
            return browser

    async def _launch(self, playwright: Playwright, endpoint: str | None) -> Browser:
        if endpoint:
            return await playwright.chromium.connect_over_cdp(endpoint)
        return await playwright.chromium.launch(
            executable_path=find_browser(self._environ),
            headless=True,
            chromium_sandbox=not needs_no_sandbox(self._environ, uid=os.getuid()),
            args=_ARGS,
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
    """One run's browser context; implements the SDK's ``BrowserProvider``.

    Args:
        host: The process's browsers.
        endpoint: Of the run's request, if it has one.
        proxy: Of the run, if it has one.
    """

    def __init__(self, host: BrowserHost, *, endpoint: str | None, proxy: ProxyAddress | None) -> None:
        self._host = host
        self._endpoint = endpoint
        self._proxy = proxy
        self._context: BrowserContext | None = None
        self._making: asyncio.Task[BrowserContext] | None = None
        self._lock = asyncio.Lock()

    async def browser(self) -> Browser:
        """Give the process's browser."""
        return await self._host.browser(self._endpoint)

    async def context(self) -> BrowserContext:
        """Give the run's context, made on the first call."""
        async with self._lock:
            if self._context is None:
                self._context = await self._new_context()
            return self._context

    async def page(self) -> Page:
        """Open a page in the run's context."""
        return await (await self.context()).new_page()

    async def close(self) -> None:
        """Close the run's context and its pages; also a context whose making was cancelled half-way."""
        making, self._making, self._context = self._making, None, None
        if making is not None and not (making.done() and (making.cancelled() or making.exception())):
            await _within(_close_made(making))

    async def _new_context(self) -> BrowserContext:
        options = _proxy_options(self._proxy)
        try:
            return await self._make(await self.browser(), options)
        except BrowserError:
            raise
        except Exception:  # noqa: BLE001 - whatever playwright raises when browser or driver have died
            await self._host.forget(self._endpoint)
        try:
            return await self._make(await self.browser(), options)
        except BrowserError:
            raise
        except Exception as error:
            raise BrowserError(f"no browser context could be made: {_first_lines(error)}") from error

    async def _make(self, browser: Browser, options: dict[str, Any]) -> BrowserContext:
        # A task in a context of its own: the browser makes it all the same when the run is cancelled.
        self._making = asyncio.get_running_loop().create_task(
            browser.new_context(**options), context=contextvars.Context()
        )
        return await asyncio.shield(self._making)


def _proxy_options(proxy: ProxyAddress | None) -> dict[str, Any]:
    if proxy is None:
        return {}
    if proxy.protocol == "socks5" and proxy.username is not None:
        raise BrowserError("Chromium can't use a SOCKS5 proxy with credentials; use an http proxy")
    server: dict[str, str] = {"server": proxy.address.replace("socks5h://", "socks5://")}
    if proxy.username is not None:
        server |= {"username": proxy.username, "password": proxy.password or ""}
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
