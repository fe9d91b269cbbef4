"""Many small jobs as few: collect items, enqueue them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from quarry.errors import EmitError
from quarry.sdk.callsite import located
from quarry.sdk.json_value import NotJsonError, copy_json, plain_json

if TYPE_CHECKING:
    from types import TracebackType

    from quarry.sdk.emit import Emit


class Batcher:
    """Collects items and enqueues one job for every ``size`` of them, with params ``{"items": [...]}``.

    Use it as an async context manager: what is left is enqueued at its end, unless the block raised. Items
    keep their order; the last batch may be smaller, an empty one is never emitted.

    Args:
        emit: The run's ``ctx.emit``.
        target: Script of the jobs, as in ``emit.enqueue``.
        size: Items a job, from 1.
        source: As in ``emit.enqueue``.
        category: As in ``emit.enqueue``.
    """

    def __init__(
        self,
        emit: Emit,
        target: str,
        size: int,
        *,
        source: str | None = None,
        category: str | None = None,
    ) -> None:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise EmitError(located(f"batcher: size must be a whole number from 1, not {size!r}"))
        self._emit = emit
        self._target = target
        self._size = size
        self._source = source
        self._category = category
        self._items: list[Any] = []

    @property
    def pending(self) -> int:
        """Items collected and not enqueued yet."""
        return len(self._items)

    async def add(self, item: Any) -> None:
        """Collect one item; enqueues the batch when it is full.

        Args:
            item: Any JSON value, taken as it is now.

        Raises:
            EmitError: Not JSON, or the batch fits no frame.
            TerminalEventError: The batch is full and the run has had its terminal event.
        """
        try:
            plain = copy_json(plain_json(item))
        except NotJsonError as error:
            raise EmitError(located(f"batcher.add: {error.path('item')} {error.reason}")) from None
        self._items.append(plain)
        if len(self._items) >= self._size:
            await self.flush()

    async def flush(self) -> None:
        """Enqueue what has been collected, if anything."""
        if not self._items:
            return
        items, self._items = self._items, []
        await self._emit.enqueue(self._target, {"items": items}, source=self._source, category=self._category)

    async def __aenter__(self) -> Self:
        """Give the batcher itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Enqueue what is left, unless the block raised."""
        if kind is None:
            await self.flush()


def batcher(
    emit: Emit, target: str, size: int, *, source: str | None = None, category: str | None = None
) -> Batcher:
    """Make a Batcher; see there."""
    return Batcher(emit, target, size, source=source, category=category)
