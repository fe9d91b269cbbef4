"""``Context``: everything a script is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.http import Http
    from quarry.sdk.emit import Emit
    from quarry.sdk.memory import Memory
    from quarry.sdk.run_info import RunInfo
    from quarry.sdk.storage import Storage

Job = TypeVar("Job")


class BrowserProvider(Protocol):
    """What an executor offers of a browser; nothing is started before the first call."""

    async def browser(self) -> Any:
        """Give the process's browser."""

    async def context(self) -> Any:
        """Give the run's browser context."""

    async def page(self) -> Any:
        """Open a page in the run's browser context."""


class Context(Generic[Job]):
    """One run, as its script sees it. ``Context[MyJob]`` types ``ctx.job``.

    Args:
        job: What ``ctx.job`` gives.
        run: Identity of the run.
        emit: Its verbs.
        storage: Its files.
        memory: Memory figures.
        http: Makes the HTTP client, on first use.
        browser: Offers a browser, on first use.

    Attributes:
        job: The job's params; after ``prepare`` what its ``Continue`` holds.
        run: run_id, attempt, job_id, parent_run_id, root_run_id, depth.
        emit: Events: ``item``, ``enqueue``, ``artifact``, ``checkpoint``, ``log`` …
        storage: ``put`` for small files.
        memory: ``snapshot()``.
    """

    def __init__(
        self,
        *,
        job: Job,
        run: RunInfo,
        emit: Emit,
        storage: Storage,
        memory: Memory,
        http: Callable[[], Http],
        browser: BrowserProvider,
    ) -> None:
        self.job = job
        self.run = run
        self.emit = emit
        self.storage = storage
        self.memory = memory
        self._make_http = http
        self._http: Http | None = None
        self._browser = browser

    @property
    def http(self) -> Http:
        """The run's HTTP client: its proxy, its cookies. Made on first use."""
        if self._http is None:
            self._http = self._make_http()
        return self._http

    async def page(self) -> Any:
        """Open a page (Playwright's async ``Page``) in the run's browser context.

        The first call of a process starts the browser.

        Raises:
            BrowserError: No browser is installed, or it can't be started.
        """
        return await self._browser.page()

    async def browser_context(self) -> Any:
        """Give the run's browser context (Playwright's ``BrowserContext``); closed when the run ends."""
        return await self._browser.context()

    async def browser(self) -> Any:
        """Give the browser (Playwright's ``Browser``), shared by all runs of the process; don't close it."""
        return await self._browser.browser()
