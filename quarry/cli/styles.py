"""Colours, where they are wanted."""

from __future__ import annotations

_RESET = "\x1b[0m"


class Styles:
    """Wraps text in colours, or leaves it alone.

    Args:
        color: Whether colours are wanted.
    """

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def good(self, text: str) -> str:
        """Green."""
        return self._wrap("32", text)

    def bad(self, text: str) -> str:
        """Red."""
        return self._wrap("31", text)

    def strong(self, text: str) -> str:
        """Bold."""
        return self._wrap("1", text)

    def faint(self, text: str) -> str:
        """Dim."""
        return self._wrap("2", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}{_RESET}" if self._color else text
