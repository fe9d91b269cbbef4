"""Check that a payload can be written as JSON, and say where it can't.

One pass by exact type: what scripts emit is nearly always plain, and this runs for every event. Values of
subclasses (``StrEnum``, ``OrderedDict``, named tuples) are turned into their plain forms.
Asking a JSON library instead was rejected: ``json.dumps`` lets non-string keys pass as strings, faster ones
turn NaN into null and bytes into text, and none of them names the place.
"""

from __future__ import annotations

import math
from typing import Any

MAX_DEPTH = 128
"""Deepest nesting of lists and maps in one payload."""

MIN_INT = -(2**63)
MAX_INT = 2**64 - 1


class NotJsonError(ValueError):
    """A value is not JSON.

    Args:
        reason: Why, after the path: ``is NaN; …``.

    Attributes:
        steps: Keys and indexes from the value outwards.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[str | int] = []

    def path(self, root: str) -> str:
        """Write the place as the author would: ``data.price[3]``."""
        parts = [root]
        for step in reversed(self.steps):
            if isinstance(step, int):
                parts.append(f"[{step}]")
            elif step.isidentifier():
                parts.append(f".{step}")
            else:
                parts.append(f"[{step!r}]")
        return "".join(parts)


def plain_json(value: Any, depth: int = 0) -> Any:
    """Give the value as plain JSON types.

    Args:
        value: Anything.
        depth: Nesting of the value itself.

    Returns:
        The value itself where it is plain already, else a copy with the foreign parts replaced.

    Raises:
        NotJsonError: NaN, an infinity, an integer beyond 64 bits, a lone surrogate, a key that is no string,
            a type that JSON doesn't have, a circular reference, or nesting beyond MAX_DEPTH.
    """
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return _integer(value)
    if kind is float:
        return _real(value)
    if kind is dict:
        return _map(value, depth)
    if kind is list:
        return _list(value, depth)
    return _foreign(value, depth)


def copy_json(value: Any) -> Any:
    """Copy the maps and lists of a plain value, so that its owner may change it."""
    if type(value) is dict:
        return {key: copy_json(part) for key, part in value.items()}
    if type(value) is list:
        return [copy_json(part) for part in value]
    return value


def _map(value: dict[Any, Any], depth: int) -> Any:
    if depth >= MAX_DEPTH:
        raise _too_deep(value)
    copy: dict[str, Any] | None = None
    key: Any = None
    try:
        for key, part in value.items():
            if type(key) is not str:
                return _map_with_foreign_keys(value, depth)
            if not key.isascii():
                _text(key)
            clean = plain_json(part, depth + 1)
            if clean is not part:
                copy = copy or dict(value)
                copy[key] = clean
    except NotJsonError as error:
        error.steps.append(key)
        raise
    return value if copy is None else copy


def _map_with_foreign_keys(value: dict[Any, Any], depth: int) -> Any:
    plain: dict[str, Any] = {}
    for key, part in value.items():
        if not isinstance(key, str):
            raise NotJsonError(
                f"has the key {_short(key)} of type {type(key).__name__}; keys must be strings"
            )
        plain[str.__str__(key)] = part
    return _map(plain, depth)


def _list(value: list[Any], depth: int) -> Any:
    if depth >= MAX_DEPTH:
        raise _too_deep(value)
    copy: list[Any] | None = None
    index = 0
    try:
        for index, part in enumerate(value):
            clean = plain_json(part, depth + 1)
            if clean is not part:
                copy = copy or list(value)
                copy[index] = clean
    except NotJsonError as error:
        error.steps.append(index)
        raise
    return value if copy is None else copy


def _foreign(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _text(str.__str__(value))
    if isinstance(value, int):
        return _integer(int.__int__(value))
    if isinstance(value, float):
        return _real(float.__float__(value))
    if isinstance(value, dict):
        return _map({**value}, depth)
    if isinstance(value, (list, tuple)):
        return _list([*value], depth)
    raise NotJsonError(f"is of type {type(value).__name__}, which JSON doesn't have{_hint(value)}")


def _hint(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "; decode it to text, or send it with emit.artifact or storage.put"
    if isinstance(value, (set, frozenset)):
        return "; turn it into a sorted list"
    if hasattr(value, "isoformat"):
        return "; use .isoformat()"
    return ""


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotJsonError("holds a lone surrogate, which UTF-8 can't carry") from None
    return value


def _integer(value: int) -> int:
    if not MIN_INT <= value <= MAX_INT:
        raise NotJsonError("is an integer beyond 64 bits; send it as a string")
    return value


def _real(value: float) -> float:
    if not math.isfinite(value):
        name = "NaN" if value != value else "an infinity"  # noqa: PLR0124 - only NaN differs from itself
        raise NotJsonError(f"is {name}, which JSON doesn't have; use None")
    return value


def _too_deep(value: Any) -> NotJsonError:
    if _is_circular(value):
        return NotJsonError("is part of a circular reference")
    return NotJsonError(f"is nested deeper than {MAX_DEPTH} levels")


def _is_circular(start: Any) -> bool:
    """Walk on from where the depth ran out, for at most as many steps again along each way."""
    seen: set[int] = set()
    level = [start]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for value in level:
            seen.add(id(value))
            parts = value.values() if isinstance(value, dict) else value
            for part in parts:
                if part is start:
                    return True
                if isinstance(part, (dict, list, tuple)) and id(part) not in seen:
                    below.append(part)
        level = below
    return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - one line of a message
