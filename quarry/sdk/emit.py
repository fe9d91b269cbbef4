"""The emit verbs: build a payload, check it, hand it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.errors import EmitError, ProtocolError
from quarry.sdk.artifact import send_artifact
from quarry.sdk.callsite import located
from quarry.sdk.json_value import NotJsonError, plain_json

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable

    from quarry.sdk.channel import Channel
    from quarry.sdk.terminal import TerminalGuard

LEVELS = ("debug", "info", "warn", "error")
"""Levels of ``emit.log``."""

RESERVED_SUMMARY_KEYS = frozenset({"skipped", "reason"})
"""Keys of a ``run_complete`` summary that a skip uses."""


class Emit:
    """Sends events. Every verb is a coroutine; it returns when the event has been handed over, in call order.

    All verbs raise ``EmitError`` where an argument can't be represented, naming the author's line and the
    place inside the data, and ``TerminalEventError`` after the run's terminal event. The run goes on after
    either, if the script catches it.

    Args:
        channel: Where events go.
        guard: The run's terminal guard.
    """

    def __init__(self, channel: Channel, guard: TerminalGuard) -> None:
        self._channel = channel
        self._guard = guard

    async def item(self, item_type: str, data: dict[str, Any]) -> None:
        """Emit a result.

        Args:
            item_type: What it is: ``product``, ``review`` …
            data: A JSON object.
        """
        verb = "emit.item"
        self._guard.check(verb)
        payload = {"item_type": _text(verb, "item_type", item_type), "data": _object(verb, "data", data)}
        await self._send(verb, "item", payload)

    async def artifact(
        self,
        name: str,
        data: bytes | bytearray | memoryview | str | os.PathLike[str] | AsyncIterable[bytes],
        content_type: str = "application/octet-stream",
    ) -> str:
        """Emit a file of any kind, up to 1 GiB; its bytes go ahead in chunks of 1 MiB.

        Args:
            name: File name for people; need not be unique.
            data: The bytes, the path of a file, or an async iterator of bytes (read one chunk ahead).
            content_type: Media type.

        Returns:
            The artifact's id.

        Raises:
            EmitError: Also where the file can't be read, or the data exceed 1 GiB. What an iterator raises
                passes through; the bytes sent until then never become visible.
        """
        from quarry.types import new_run_id  # here: importing the package must stay cheap

        verb = "emit.artifact"
        self._guard.check(verb)
        payload = {
            "artifact_id": new_run_id(),
            "name": _text(verb, "name", name),
            "content_type": _text(verb, "content_type", content_type),
        }
        artifact_id = payload["artifact_id"]
        size = await send_artifact(self._channel, self._guard, artifact_id, data)
        self._guard.check(verb)
        await self._send(verb, "artifact", {**payload, "size_bytes": size})
        return artifact_id

    async def checkpoint(self, checkpoint_id: str, note: str | None = None) -> None:
        """Mark a point that was reached; it makes no row visible earlier.

        Args:
            checkpoint_id: The author's name for it.
            note: For people.
        """
        verb = "emit.checkpoint"
        self._guard.check(verb)
        payload = {"checkpoint_id": _text(verb, "checkpoint_id", checkpoint_id)}
        if note is not None:
            payload["note"] = _text(verb, "note", note, empty=True)
        await self._send(verb, "checkpoint", payload)

    async def enqueue(
        self,
        target: str,
        params: dict[str, Any],
        *,
        source: str | None = None,
        category: str | None = None,
    ) -> None:
        """Ask for a job: target script and params. Whether it runs is the ledger's decision.

        Args:
            target: ``./x.py``, ``x.py``, an absolute path, or a logical name.
            params: A JSON object; becomes ``ctx.job`` of the child. Equal params are one job.
            source: Partition hint; inherited where None.
            category: Partition hint; inherited where None.
        """
        verb = "emit.enqueue"
        self._guard.check(verb)
        payload = {"target": _text(verb, "target", target), "params": _object(verb, "params", params)}
        if source is not None:
            payload["source"] = _text(verb, "source", source)
        if category is not None:
            payload["category"] = _text(verb, "category", category)
        await self._send(verb, "enqueue", payload)

    async def rotate_proxy(self, reason: str | None = None) -> None:
        """Ask for another proxy and wait until it is there.

        When it returns, the next request of ``ctx.http``, the next ``ctx.page()`` and the next
        ``ctx.browser_context()`` go through the new one; pages that are open keep theirs. It may be the same
        again, where there is no other. Without a proxy it is an event and nothing else.

        Args:
            reason: ``banned`` rests the proxy for this target's domain alone; with any other, or none, it
                counts as a failure of the proxy.

        Raises:
            ProxyRotationError: No usable answer came within 35 seconds. The event was sent.
        """
        verb = "emit.rotate_proxy"
        self._guard.check(verb)
        payload = {} if reason is None else {"reason": _text(verb, "reason", reason, empty=True)}
        try:
            await self._channel.rotate_proxy(payload)
        except ProtocolError as error:
            raise EmitError(located(f"{verb}: {error.message}")) from None

    async def log(self, level: str, message: str, fields: dict[str, Any] | None = None) -> None:
        """Emit a log line into the dataset.

        Args:
            level: ``debug``, ``info``, ``warn`` or ``error``.
            message: Text.
            fields: A JSON object.
        """
        await self._log("emit.log", level, message, fields)

    async def debug(self, message: str, fields: dict[str, Any] | None = None) -> None:
        """Emit a log line at level debug."""
        await self._log("emit.debug", "debug", message, fields)

    async def info(self, message: str, fields: dict[str, Any] | None = None) -> None:
        """Emit a log line at level info."""
        await self._log("emit.info", "info", message, fields)

    async def warn(self, message: str, fields: dict[str, Any] | None = None) -> None:
        """Emit a log line at level warn."""
        await self._log("emit.warn", "warn", message, fields)

    async def error(self, message: str, fields: dict[str, Any] | None = None) -> None:
        """Emit a log line at level error; the run goes on."""
        await self._log("emit.error", "error", message, fields)

    async def run_error(self, error_type: str, message: str, stack: str | None = None) -> None:
        """End the run as failed; nothing can be emitted after it.

        Args:
            error_type: Class of the failure, for grouping.
            message: For people.
            stack: Traceback text.
        """
        verb = "emit.run_error"
        self._guard.check(verb)
        payload = {
            "error_type": _text(verb, "error_type", error_type),
            "message": _text(verb, "message", message, empty=True),
        }
        if stack is not None:
            payload["stack"] = _text(verb, "stack", stack, empty=True)
        await self._end(verb, "run_error", payload, error=(error_type, message, stack))

    async def run_complete(self, summary: dict[str, Any] | None = None) -> None:
        """End the run as complete; nothing can be emitted after it. Returning from ``run`` does it too.

        Args:
            summary: A JSON object; ``skipped`` and ``reason`` are reserved.
        """
        verb = "emit.run_complete"
        self._guard.check(verb)
        if summary is None:
            await self._end(verb, "run_complete", {})
            return
        plain = _object(verb, "summary", summary)
        if taken := sorted(RESERVED_SUMMARY_KEYS & plain.keys()):
            raise EmitError(located(f"{verb}: summary.{taken[0]} is reserved for skipped runs"))
        await self._end(verb, "run_complete", {"summary": plain})

    async def _log(self, verb: str, level: str, message: str, fields: dict[str, Any] | None) -> None:
        self._guard.check(verb)
        if level not in LEVELS:
            raise EmitError(located(f"{verb}: level is {level!r}; it must be one of {', '.join(LEVELS)}"))
        payload: dict[str, Any] = {"level": level, "message": _text(verb, "message", message, empty=True)}
        if fields is not None:
            payload["fields"] = _object(verb, "fields", fields)
        await self._send(verb, "log", payload)

    async def _end(
        self,
        verb: str,
        event_type: str,
        payload: dict[str, Any],
        *,
        error: tuple[str, str, str | None] | None = None,
    ) -> None:
        """Send a terminal event; the guard closes at the call, so that nothing slips in while it waits."""
        self._guard.terminal = event_type
        try:
            await self._send(verb, event_type, payload)
        except BaseException:
            self._guard.terminal = None  # it was not sent: the run has had no terminal event
            raise
        self._guard.error = error

    async def _send(self, verb: str, event_type: str, payload: dict[str, Any]) -> None:
        try:
            await self._channel.send_event(event_type, payload)
        except ProtocolError as error:
            raise EmitError(located(f"{verb}: {error.message}")) from None


def _text(verb: str, name: str, value: Any, *, empty: bool = False) -> str:
    """Check a text argument."""
    if not isinstance(value, str):
        raise EmitError(located(f"{verb}: {name} must be a string, not {type(value).__name__}"))
    if not value and not empty:
        raise EmitError(located(f"{verb}: {name} is empty"))
    plain: str = _plain(verb, name, value)
    return plain


def _object(verb: str, name: str, value: Any) -> dict[str, Any]:
    """Check an argument that must be a JSON object."""
    if not isinstance(value, dict):
        raise EmitError(located(f"{verb}: {name} must be a dict, not {type(value).__name__}"))
    plain: dict[str, Any] = _plain(verb, name, value)
    return plain


def _plain(verb: str, name: str, value: Any) -> Any:
    try:
        return plain_json(value)
    except NotJsonError as error:
        raise EmitError(located(f"{verb}: {error.path(name)} {error.reason}")) from None
