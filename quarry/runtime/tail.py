"""The last bytes of a text stream."""

from __future__ import annotations

TAIL_BYTES = 64 * 1024
"""How much of an executor's stderr is kept."""


class Tail:
    """Keep the last bytes of what was written.

    Args:
        max_bytes: How many are kept.

    Attributes:
        dropped: Bytes that are no longer kept.
    """

    def __init__(self, max_bytes: int = TAIL_BYTES) -> None:
        self.dropped = 0
        self._max_bytes = max_bytes
        self._kept = bytearray()

    def write(self, data: bytes) -> None:
        """Append bytes; the oldest go."""
        self._kept += data
        excess = len(self._kept) - self._max_bytes
        if excess > 0:
            del self._kept[:excess]
            self.dropped += excess

    def text(self) -> str:
        """Give what is kept; broken UTF-8 becomes U+FFFD."""
        return self._kept.decode(errors="replace")

    def last_line(self) -> str:
        """Give the last line that is not blank; empty where there is none."""
        return last_line(self.text())


def last_line(text: str) -> str:
    """Give the last line that is not blank; empty where there is none."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
