"""The one type that holds a secret."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn

HIDDEN = "***"
"""What stands where a secret was."""


class Secret:
    """A text that is shown nowhere unless `reveal` is called.

    ``repr``, ``str`` and ``format`` give `HIDDEN`; pickling, copying into JSON and msgspec's encoders are
    refused. What has to show it calls `reveal`, which can be searched for.

    Args:
        value: The text.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the text itself: for the executor's request and for connections, nowhere else."""
        return self._value

    def __repr__(self) -> str:
        """Hide it."""
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Hide it in f-strings, whatever their format."""
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        """Compare in a time that does not depend on where they differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        """Be of use in frozen values."""
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        """Say whether there is any text."""
        return bool(self._value)

    def __copy__(self) -> Secret:
        """Give itself: it never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        """Give itself: it never changes."""
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a secret is not pickled; send its name and resolve it where it is used")
