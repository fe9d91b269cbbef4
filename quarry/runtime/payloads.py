"""Fields that each event type of this contract version must have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quarry.errors import ProtocolError

if TYPE_CHECKING:
    from quarry.types import Event

_REQUIRED: dict[str, tuple[tuple[str, str], ...]] = {
    "item": (("item_type", "text"), ("data", "any")),
    "artifact": (
        ("artifact_id", "text"),
        ("name", "text"),
        ("content_type", "text"),
        ("size_bytes", "whole"),
    ),
    "checkpoint": (("checkpoint_id", "text"),),
    "enqueue": (("target", "text"), ("params", "any")),
    "log": (("level", "text"), ("message", "text")),
    "run_error": (("error_type", "text"), ("message", "text")),
}
_DUE = {"text": "text", "whole": "a whole number"}


MAX_TYPE_CHARS = 64
"""Longest name of an event type."""

_RESERVED = frozenset({"metrics", "artifact_chunk", "fanout_summary"})
"""Names that Quarry's own rows have in a dataset."""


def check_payload(event: Event) -> None:
    """Check the type's name, and the payload of a known event type; payloads of others pass.

    Raises:
        ProtocolError: The name is empty, too long or Quarry's own; a required field is missing or of a wrong
            type.
    """
    if not 0 < len(event.type) <= MAX_TYPE_CHARS:
        raise ProtocolError(f"event {event.seq}: its type must have 1 to {MAX_TYPE_CHARS} characters")
    if event.type in _RESERVED:
        raise ProtocolError(f"event {event.seq}: the type {event.type!r} is Quarry's own")
    for name, kind in _REQUIRED.get(event.type, ()):
        if name not in event.payload:
            raise ProtocolError(f"event {event.seq} ({event.type}): payload.{name} is missing")
        if not _fits(event.payload[name], kind):
            raise ProtocolError(f"event {event.seq} ({event.type}): payload.{name} must be {_DUE[kind]}")


def _fits(value: Any, kind: str) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if kind == "whole":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    return True
