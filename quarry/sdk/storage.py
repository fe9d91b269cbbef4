"""``ctx.storage``: small files beside the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.errors import EmitError, StoragePutError
from quarry.sdk.callsite import located
from quarry.sdk.json_value import NotJsonError, plain_json

if TYPE_CHECKING:
    from quarry.sdk.channel import Channel
    from quarry.sdk.terminal import TerminalGuard

_VERB = "storage.put"


class Storage:
    """Puts files into the dataset, visible with the run's commit.

    Args:
        channel: Where files go.
        guard: The run's terminal guard.
    """

    def __init__(self, channel: Channel, guard: TerminalGuard) -> None:
        self._channel = channel
        self._guard = guard

    async def put(
        self,
        filename: str,
        data: bytes | bytearray | memoryview,
        content_type: str = "application/octet-stream",
    ) -> str:
        r"""Store a file and wait until it is stored.

        Args:
            filename: Unique in the run; 1 to 255 bytes, without ``/``, ``\`` and NUL, not ``.`` or ``..``.
            data: At most 8 MiB; larger things are artifacts.
            content_type: Media type.

        Returns:
            The key under which the file lies in the dataset.

        Raises:
            StoragePutError: Refused (name, duplicate, size) or failed; the run stays usable.
            EmitError: An argument of the wrong type, with the author's line.
            TerminalEventError: After the run's terminal event.
        """
        from quarry.ipc.limits import MAX_FILE_BYTES  # here: importing the package must stay cheap

        self._guard.check(_VERB)
        for name, value in (("filename", filename), ("content_type", content_type)):
            if not isinstance(value, str):
                raise EmitError(located(f"{_VERB}: {name} must be a string, not {type(value).__name__}"))
            try:
                plain_json(value)
            except NotJsonError as error:
                raise EmitError(located(f"{_VERB}: {name} {error.reason}")) from None
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise EmitError(
                located(f"{_VERB}: data must be bytes, not {type(data).__name__}; encode text first")
            )
        content = bytes(data)
        if len(content) > MAX_FILE_BYTES:
            raise StoragePutError(
                located(
                    f"{_VERB}: {filename!r} has {len(content)} bytes; {MAX_FILE_BYTES} fit,"
                    " larger things go to emit.artifact"
                )
            )
        return await self._channel.put_file(str(filename), content_type=str(content_type), data=content)
