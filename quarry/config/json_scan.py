"""Where in a JSON text the thing lies that Python's parser finds without a place."""

from __future__ import annotations

import json
import math
import re

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<constant>NaN|-?Infinity)|(?P<number>-?[\d][\d.eE+-]*)'
    r"|(?P<mark>[{}\[\],:])|(?P<word>[a-z]+))",
    re.DOTALL,
)
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1


def find_fault(text: str) -> str | None:
    """Find the first constant that is not JSON, number out of range, or key that an object has already.

    Args:
        text: JSON text without errors of syntax up to that place.

    Returns:
        What it is, with line and column, or None.
    """
    objects: list[set[str] | None] = []
    key: str | None = None
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        start = match.start(match.lastgroup or 0)
        if match["string"]:
            key = match["string"]
        elif match["mark"] == ":":
            fault = _key_fault(key, objects[-1] if objects else None)
            if fault:
                # The key began before the colon; its own place is what the user looks for.
                return _told(text, text.rindex(key or "", 0, start), fault)
        elif match["mark"] in {"{", "["}:
            objects.append(set() if match["mark"] == "{" else None)
        elif match["mark"] in {"}", "]"} and objects:
            objects.pop()
        elif match["constant"]:
            return _told(text, start, f"{match['constant']} is not JSON")
        elif match["number"] and (fault := _number_fault(match["number"])):
            return _told(text, start, fault)
    return None


def _key_fault(token: str | None, seen: set[str] | None) -> str | None:
    if token is None or seen is None:
        return None
    name = json.loads(token)
    if name in seen:
        return f"the key {token[:80]} stands twice in one object"
    seen.add(name)
    return None


def _number_fault(token: str) -> str | None:
    try:
        if any(c in token for c in ".eE"):
            return "the number is too large" if math.isinf(float(token)) else None
        if len(token) > len(str(_MIN_INTEGER)) or not _MIN_INTEGER <= int(token) <= _MAX_INTEGER:
            return "the integer is beyond 64 bits; write it as a string"
    except ValueError:
        return None
    return None


def _told(text: str, position: int, what: str) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return f"line {line}, column {column}: {what}"
