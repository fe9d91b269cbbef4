"""The order of a run: prepare, before_run, run, after_run, before_terminal, terminal event, cleanup."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from quarry.executor.failure import Failure, describe
from quarry.sdk.hooks import Continue, Skip, TerminalSignal

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarry.executor.loader import Script
    from quarry.sdk import Channel, Context, RunInfo, TerminalGuard

CLEANUP_AFTER_CANCEL_S = 2.0
"""How long ``cleanup`` may take in a run that was cancelled; the runtime kills after five."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEnd:
    """How a run ended, as ``run_result`` tells it.

    Attributes:
        status: ``completed``, ``error`` (of the script) or ``crash``.
        message: One line; empty for a plain completion.
        error_type: Class of the error, or ``cancelled``.
        stack: Traceback text.
    """

    status: Literal["completed", "error", "crash"]
    message: str = ""
    error_type: str | None = None
    stack: str | None = None

    def outcome(self) -> dict[str, Any]:
        """Give the ``outcome`` of a ``run_result``; what is unknown is left out."""
        fields = {
            "status": self.status,
            "message": self.message,
            "error_type": self.error_type,
            "stack": self.stack,
        }
        return {name: value for name, value in fields.items() if value is not None}


class Lifecycle:
    """Executes one run of a script.

    Args:
        script: What to run.
        run: Who the run is.
        job: Its job.
        make_context: Makes ``ctx`` for a job; called once, after ``prepare``.
        channel: Where the events go that the executor emits itself.
        guard: The run's terminal guard.
        warn: Takes what can't be told by an event.
    """

    def __init__(
        self,
        script: Script,
        *,
        run: RunInfo,
        job: Any,
        make_context: Callable[[Any], Context[Any]],
        channel: Channel,
        guard: TerminalGuard,
        warn: Callable[[str], None],
    ) -> None:
        self._script = script
        self._run = run
        self._job = job
        self._make_context = make_context
        self._channel = channel
        self._guard = guard
        self._warn = warn
        self._cancel_reason: str | None = None
        self._cleanup_limit: asyncio.Timeout | None = None
        self._over = False

    def cancel(self, task: asyncio.Task[Any], reason: str) -> None:
        """End the run, whose task this is; without a terminal event, its end is a crash.

        May be called again, for a script that swallowed it. ``cleanup`` keeps its time, and what the executor
        closes after the run is left alone.
        """
        if self._over:
            return
        self._cancel_reason = reason
        limit = self._cleanup_limit
        if limit is None or limit.expired():
            task.cancel()
        elif limit.when() is None:
            limit.reschedule(asyncio.get_running_loop().time() + CLEANUP_AFTER_CANCEL_S)

    async def execute(self) -> RunEnd:
        """Run all of it; never raises what a script raises."""
        try:
            return await self._execute_cancellable()
        finally:
            self._over = True

    async def _execute_cancellable(self) -> RunEnd:
        try:
            end = await self._execute()
        except BaseException as error:
            if self._cancel_reason is None:
                raise
            self._uncancel()
            end = self._cancelled(error)
        self._guard.close()
        return end

    async def _execute(self) -> RunEnd:
        try:
            decision = await self._prepare()
        except BaseException as error:
            if self._cancel_reason is not None:
                raise
            return _crash("prepare", describe(error))
        if isinstance(decision, Skip):
            return await self._skip(decision)
        ctx = self._make_context(decision.job)
        try:
            return await self._body(ctx)
        finally:
            await self._cleanup(ctx)

    async def _prepare(self) -> Continue | Skip:
        hook = self._script.hooks.get("prepare")
        if hook is None:
            return Continue(self._job)
        decision = await _call(hook, self._job, self._run)
        if not isinstance(decision, Continue | Skip):
            raise TypeError(
                f"prepare returned {type(decision).__name__}; it must return Continue(job) or Skip(reason)"
            )
        return decision

    async def _skip(self, decision: Skip) -> RunEnd:
        reason = str(decision.reason).encode(errors="replace").decode()
        self._guard.terminal = "run_complete"
        await self._channel.send_event("run_complete", {"summary": {"skipped": True, "reason": reason}})
        return RunEnd(status="completed", message=f"skipped: {reason}")

    async def _body(self, ctx: Context[Any]) -> RunEnd:
        hooks = self._script.hooks
        error: BaseException | None = None
        try:
            if "before_run" in hooks:
                await _call(hooks["before_run"], ctx)
            await self._script.run(ctx)
            if "after_run" in hooks:
                await _call(hooks["after_run"], ctx)
        except BaseException as raised:
            if self._cancel_reason is not None:
                raise
            error = raised
        if self._cancel_reason is not None:  # the script swallowed its cancellation
            raise asyncio.CancelledError
        if error is not None:
            await self._tolerate("on_error", error, ctx)
        if self._guard.terminal is None:
            await self._tolerate(
                "before_terminal", TerminalSignal("completed" if error is None else "error", error), ctx
            )
        failure = None if error is None else describe(error)
        if self._guard.terminal is None:
            await self._emit_terminal(failure)
        elif failure is not None:
            self._warn(f"raised after its terminal event: {failure.stack or failure.message}")
        return self._end()

    async def _emit_terminal(self, failure: Failure | None) -> None:
        if failure is None:
            self._guard.terminal = "run_complete"
            await self._channel.send_event("run_complete", {})
            return
        self._guard.terminal = "run_error"
        self._guard.error = (failure.error_type, failure.message, failure.stack or None)
        payload = {"error_type": failure.error_type, "message": failure.message, "stack": failure.stack}
        await self._channel.send_event("run_error", payload)

    def _end(self) -> RunEnd:
        if self._guard.terminal != "run_error" or self._guard.error is None:
            return RunEnd(status="completed")
        error_type, message, stack = self._guard.error
        return RunEnd(status="error", message=message, error_type=error_type, stack=stack)

    async def _cleanup(self, ctx: Context[Any]) -> None:
        cancelled_before = self._cancel_reason is not None
        if cancelled_before:
            self._uncancel()
        try:
            # Without a limit until the run is cancelled, be it before or meanwhile.
            async with asyncio.timeout(CLEANUP_AFTER_CANCEL_S if cancelled_before else None) as limit:
                self._cleanup_limit = limit
                await self._tolerate("cleanup", ctx)
        except TimeoutError:
            self._warn(f"cleanup took longer than {CLEANUP_AFTER_CANCEL_S} s after the run was cancelled")
            if not cancelled_before:
                raise asyncio.CancelledError from None

    async def _tolerate(self, name: str, *args: Any) -> None:
        """Call a hook whose failure must not change how the run ends."""
        hook = self._script.hooks.get(name)
        if hook is None:
            return
        try:
            await _call(hook, *args)
        except BaseException as error:
            if self._cancel_reason is not None and isinstance(error, asyncio.CancelledError):
                raise
            await self._log_failure(name, describe(error))

    async def _log_failure(self, name: str, failure: Failure) -> None:
        message = f"hook {name} failed: {failure.error_type}: {failure.message}"
        if self._guard.terminal is not None or self._cancel_reason is not None:
            self._warn(f"{message}\n{failure.stack}")
            return
        fields = {"hook": name, "error_type": failure.error_type, "stack": failure.stack}
        await self._channel.send_event("log", {"level": "error", "message": message, "fields": fields})

    def _cancelled(self, error: BaseException) -> RunEnd:
        if self._guard.terminal is not None and not isinstance(error, asyncio.CancelledError):
            return self._end()
        return RunEnd(
            status="crash",
            error_type="cancelled",
            message=f"the run was cancelled: {self._cancel_reason}",
        )

    @staticmethod
    def _uncancel() -> None:
        """Let the task await again: ``asyncio.timeout`` would take the old request for its own."""
        task = asyncio.current_task()
        while task is not None and task.cancelling():
            task.uncancel()


async def _call(hook: Callable[..., Any], *args: Any) -> Any:
    answer = hook(*args)
    return await answer if inspect.isawaitable(answer) else answer


def _crash(where: str, failure: Failure) -> RunEnd:
    return RunEnd(
        status="crash",
        message=f"{where} failed: {failure.error_type}: {failure.message}",
        error_type=failure.error_type,
        stack=failure.stack or None,
    )
