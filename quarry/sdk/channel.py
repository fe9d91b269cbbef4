"""The way out of a script: what ``Emit`` and ``Storage`` need, and an executor implements."""

from __future__ import annotations

from typing import Any, Protocol


class Channel(Protocol):
    """Carries one run's events, chunks and files to the runtime, in the order of the calls.

    Every method waits while the runtime is behind (backpressure) and takes what it was handed as it was at
    the call: later changes by the caller are not seen.
    """

    async def send_event(self, event_type: str, payload: dict[str, Any]) -> None:
        """Send one event; it gets the run's next ``seq``.

        Raises:
            FrameTooLargeError: The event fits no frame. Nothing was sent and no ``seq`` was used.
        """

    async def rotate_proxy(self, payload: dict[str, Any]) -> None:
        """Send a ``rotate_proxy`` event; where the run has a proxy, wait for its answer and take it.

        Raises:
            FrameTooLargeError: As of ``send_event``.
            ProxyRotationError: No answer came, or none that can be used.
        """

    async def send_chunk(self, artifact_id: str, *, seq: int, is_last: bool, data: bytes) -> None:
        """Send one chunk of an artifact, ``seq`` from 1."""

    async def put_file(self, filename: str, *, content_type: str, data: bytes) -> str:
        """Hand a file to the runtime's storage and wait for its answer.

        Returns:
            The key under which it is stored.

        Raises:
            StoragePutError: Refused or failed.
        """
