"""Many puts at once, but not too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from quarry.errors import EmitError, StoragePutError
from quarry.sdk.callsite import located

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from quarry.sdk.storage import Storage

DEFAULT_CONCURRENCY = 8


class StorageBatcher:
    """Runs puts beside each other, a bounded number at a time.

    Use it as an async context manager: its end waits for every put. A put that fails does not stop the
    others; ``flush`` (or the end of the block) raises for all that failed since the last one.

    Args:
        storage: The run's ``ctx.storage``.
        concurrency: Puts under way at once, from 1.

    Attributes:
        keys: Key by file name, of every put that succeeded.
    """

    def __init__(self, storage: Storage, concurrency: int = DEFAULT_CONCURRENCY) -> None:
        if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
            raise EmitError(
                located(f"storage_batcher: concurrency must be a whole number from 1, not {concurrency!r}")
            )
        import asyncio  # here: importing the package must stay cheap

        self.keys: dict[str, str] = {}
        self._storage = storage
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._under_way = 0

    @property
    def pending(self) -> int:
        """Puts under way."""
        return self._under_way

    async def put(
        self,
        filename: str,
        data: bytes | bytearray | memoryview,
        content_type: str = "application/octet-stream",
    ) -> None:
        """Start a put; waits only while ``concurrency`` others are under way.

        Args:
            filename: As in ``storage.put``.
            data: As in ``storage.put``; taken as it is now.
            content_type: As in ``storage.put``.
        """
        content = bytes(data) if isinstance(data, (bytearray, memoryview)) else data
        import asyncio

        await self._slots.acquire()
        self._under_way += 1
        task = asyncio.create_task(self._put(filename, content, content_type))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def flush(self) -> dict[str, str]:
        """Wait for every put.

        Returns:
            Key by file name, of all puts that succeeded so far.

        Raises:
            StoragePutError: Puts failed since the last flush; the message names the first, the count all.
            Exception: A put failed for another reason (TerminalEventError, EmitError): the first such.
        """
        await self._settle()
        failures, self._failures = self._failures, []
        if not failures:
            return self.keys
        refused = [error for error in failures if isinstance(error, StoragePutError)]
        if len(refused) < len(failures):
            raise next(error for error in failures if not isinstance(error, StoragePutError))
        if len(refused) == 1:
            raise refused[0]
        raise StoragePutError(f"{len(refused)} puts failed; the first: {refused[0].message}") from refused[0]

    async def __aenter__(self) -> Self:
        """Give the batcher itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for every put; raise for those that failed, unless the block raised itself."""
        if kind is None:
            await self.flush()
        else:
            await self._settle()

    async def _put(self, filename: str, data: bytes | memoryview, content_type: str) -> None:
        try:
            self.keys[filename] = await self._storage.put(filename, data, content_type)
        except Exception as error:  # noqa: BLE001 - kept, and raised by flush
            self._failures.append(error)
        finally:
            self._under_way -= 1
            self._slots.release()

    async def _settle(self) -> None:
        import asyncio

        while self._tasks:
            await asyncio.wait(self._tasks)


def storage_batcher(storage: Storage, concurrency: int = DEFAULT_CONCURRENCY) -> StorageBatcher:
    """Make a StorageBatcher; see there."""
    return StorageBatcher(storage, concurrency)
