"""What of a ``proxy_use`` can be used; the rest is dropped: an executor's figures decide no run."""

from __future__ import annotations

from typing import Any

from quarry.types.proxy import PROTOCOLS

_MAX_PORT = 65_535
_MAX_COUNT = 2**53 - 1
_COUNTS = ("ok", "failed", "unheard", "latency_ms")


def sensible_use(value: Any) -> list[dict[str, Any]] | None:
    """Keep the entries that make sense.

    Args:
        value: As it was decoded; anything at all.

    Returns:
        protocol, host, port, [username], ok, failed, unheard, latency_ms of each, in order; None where it is
        no list.
    """
    if not isinstance(value, list):
        return None
    return [entry for entry in map(_entry, value) if entry is not None]


def _entry(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    protocol, host, username = (_text(value.get(name)) for name in ("protocol", "host", "username"))
    port = _whole(value.get("port"), _MAX_PORT)
    counts = {name: _whole(value.get(name, 0), _MAX_COUNT) for name in _COUNTS}
    if protocol not in PROTOCOLS or not host or not port or None in counts.values():
        return None
    if value.get("username") is not None and username is None:
        return None
    shown = {"protocol": protocol, "host": host, "port": port}
    return {**shown, **({} if username is None else {"username": username}), **counts}


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else None


def _whole(value: Any, largest: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value) if 0 <= value <= largest else None
