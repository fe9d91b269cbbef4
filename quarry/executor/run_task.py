"""One run from its request to its end; the same in both modes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from quarry.executor.browser import RunBrowser
from quarry.executor.lifecycle import Lifecycle, RunEnd
from quarry.executor.loader import ScriptLoadError
from quarry.executor.proxy_watch import ProxyWatch
from quarry.executor.request import proxy_problems
from quarry.http import Http, ProxyUse, endpoint_of
from quarry.ipc import RunResultFrame
from quarry.sdk import Context, Emit, RunInfo, Storage, TerminalGuard

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.executor.channel import RunChannel
    from quarry.executor.process import ProcessServices
    from quarry.executor.scope import RunScope
    from quarry.ipc import RunRequest


class RunTask:
    """Executes one request.

    Args:
        request: What to run; checked.
        script_path: The script.
        services: What all runs of the process share.
        channel: The run's way out.
        scope: Its tasks and output.
        warn: Takes what can't be told by an event.
    """

    def __init__(
        self,
        request: RunRequest,
        script_path: str,
        *,
        services: ProcessServices,
        channel: RunChannel,
        scope: RunScope,
        warn: Callable[[str], None],
    ) -> None:
        self.channel = channel
        self._request = request
        self._script_path = script_path
        self._services = services
        self._scope = scope
        self._warn = warn
        self._proxy = endpoint_of(request.proxy) if request.proxy else None
        self._use = ProxyUse()
        if self._proxy is not None:
            self._use.give(self._proxy)
        self._watch = ProxyWatch(self._use, services.transport)
        self._http: Http | None = None
        self._browser = RunBrowser(
            services.browsers,
            endpoint=request.browser_ws_endpoint,
            proxy=self._proxy,
            watch=self._watch,
        )
        self._lifecycle: Lifecycle | None = None
        self._cancel_reason: str | None = None
        self._settling: asyncio.Task[None] | None = None

    def cancel(self, task: asyncio.Task[Any], reason: str) -> None:
        """End the run early; may be repeated."""
        self._cancel_reason = reason
        if self._settling is not None:
            self._settling.cancel()
        elif self._lifecycle is not None:
            self._lifecycle.cancel(task, reason)

    def on_proxy(self, proxy: dict[str, Any] | None) -> None:
        """Take the answer to ``rotate_proxy``: what is opened from now on goes through it.

        Args:
            proxy: None where there is no other: the run goes on with the one that it has.
        """
        problems = proxy_problems(proxy) if proxy is not None else []
        if proxy is not None and not problems:
            self._proxy = endpoint_of(proxy)
            self._use.give(self._proxy)
            self._browser.use_proxy(self._proxy)
            if self._http is not None:
                self._http.use_proxy(self._proxy)
        self.channel.on_proxy(f"the answer is wrong: {'; '.join(problems)}" if problems else None)

    def result(self, end: RunEnd, *, run_id: str | None = None) -> RunResultFrame:
        """Give the run's last frame: its end, the proxy that it had last, and what it found out about each.

        Args:
            end: What `execute` gave.
            run_id: In serving mode.
        """
        return RunResultFrame(
            outcome=end.outcome(),
            proxy_used=None if self._proxy is None else self._proxy.public(),
            proxy_use=self._use.report() or None,
            run_id=run_id,
        )

    async def execute(self) -> RunEnd:
        """Run it; what it opened is closed when this returns."""
        try:
            script = self._services.loader.load(self._script_path)
        except ScriptLoadError as error:
            return RunEnd(
                status="crash", message=error.message, error_type=error.error_type, stack=error.stack
            )
        if self._cancel_reason is not None:
            return RunEnd(
                status="crash",
                message=f"the run was cancelled: {self._cancel_reason}",
                error_type="cancelled",
            )
        guard = TerminalGuard()
        run = _run_info(self._request)
        self._lifecycle = Lifecycle(
            script,
            run=run,
            job=self._request.job,
            make_context=lambda job: self._context(job, run, guard),
            channel=self.channel,
            guard=guard,
            warn=self._warn,
        )
        try:
            return await self._lifecycle.execute()
        finally:
            guard.close()
            await self._scope.end_tasks()
            await self._browser.close()  # not cut off: the lifecycle passes on no cancel any more
            await self._settle()

    async def _settle(self) -> None:
        """Find out whose the open failures were.

        A run that was told to end has no time left for that, then or half-way: what is open stays unheard.
        """
        if self._cancel_reason is None:
            self._settling = asyncio.create_task(self._watch.settle())
            await asyncio.wait({self._settling})

    def _context(self, job: Any, run: RunInfo, guard: TerminalGuard) -> Context[Any]:
        return Context(
            job=job,
            run=run,
            emit=Emit(self.channel, guard),
            storage=Storage(self.channel, guard),
            memory=self._services.memory,
            http=self._make_http,
            browser=self._browser,
        )

    def _make_http(self) -> Http:
        self._http = Http(self._services.transport, proxy=self._proxy, use=self._use)
        return self._http


def _run_info(request: RunRequest) -> RunInfo:
    return RunInfo(
        run_id=request.run_id,
        attempt=request.attempt,
        job_id=request.job_id,
        parent_run_id=request.parent_run_id,
        root_run_id=request.root_run_id,
        depth=request.depth or 0,
    )
