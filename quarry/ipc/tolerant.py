"""The tolerant pass: what a foreign executor may write differently, and where liberality ends.

A frame reaches this module only when the typed decode refused it, so it may take its time. It knows the
leniencies of the IPC contract (integer widths and whole floats, str and bin for text, timestamps, broken
UTF-8, unknown fields) and gives the one sentence that names the field for everything else.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import msgpack
import msgspec

from quarry.errors import ProtocolError
from quarry.ipc.limits import MAX_PAYLOAD_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable

_S = TypeVar("_S", bound=msgspec.Struct)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN_CHARACTERS = 80


def unpack_map(body: bytes | bytearray | memoryview) -> dict[str, Any]:
    """Unpack one msgpack map with text keys.

    Args:
        body: One frame without its prefix.

    Returns:
        The map; keys that are no text are left out, as unknown fields are.

    Raises:
        ProtocolError: Not msgpack, bytes left over, nested too deeply, or no map.
    """
    try:
        value = msgpack.unpackb(body, raw=False, strict_map_key=False, unicode_errors="replace", timestamp=0)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        detail = str(error) or type(error).__name__
        raise ProtocolError(f"a frame is not one msgpack map: {detail[:_SHOWN_CHARACTERS]}") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"a frame must be a msgpack map, got {_kind(value)}")
    fields: dict[str, Any] = {}
    for key, item in value.items():
        name = _decoded(key) if isinstance(key, bytes) else key
        if isinstance(name, str):
            fields[name] = item
    return fields


def frame_type(fields: dict[str, Any]) -> str:
    """Give the frame's ``type``.

    Raises:
        ProtocolError: It is missing, or no text.
    """
    if "type" not in fields:
        raise ProtocolError("a frame has no type")
    return _text(fields["type"], "the frame's type")


def build(struct: type[_S], fields: dict[str, Any], *, label: str) -> _S:
    """Build a frame from loosely typed fields.

    Args:
        struct: Frame type whose annotations say what each field must be.
        fields: What ``unpack_map`` gave.
        label: Name of the frame for the error's sentence.

    Raises:
        ProtocolError: A required field is missing, or a field is of a wrong type.
    """
    hints = get_type_hints(struct)
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        where = f"{label}: field {field.encode_name}"
        if field.encode_name not in fields:
            if field.required:
                raise ProtocolError(f"{where} is missing")
            continue
        value = fields[field.encode_name]
        if value is None and not field.required:
            continue
        values[field.name] = _READERS[hints[field.name]](value, where)
    return struct(**values)


def as_json(value: Any, where: str, depth: int = 0) -> Any:
    """Give the JSON value that a msgpack value stands for.

    Args:
        value: What msgpack decoded.
        where: Place, for the error's sentence.
        depth: Levels already entered.

    Returns:
        The same value with timestamps as ISO strings and text in bin as text.

    Raises:
        ProtocolError: It has no JSON form: NaN, an infinity, a key that is no text, binary data, an unknown
            extension type, or more than MAX_PAYLOAD_DEPTH levels.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if depth > MAX_PAYLOAD_DEPTH and isinstance(value, (dict, list)):
        raise ProtocolError(f"{where} is nested deeper than {MAX_PAYLOAD_DEPTH} levels")
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, dict):
        result = {}
        for key, item in value.items():
            result[_json_key(key, where)] = as_json(item, where, depth + 1)
        return result
    if isinstance(value, list):
        items = []
        for item in value:
            items.append(as_json(item, where, depth + 1))  # noqa: PERF401  one stack frame a level
        return items
    if isinstance(value, bytes):
        return _json_text(value, where)
    if isinstance(value, msgpack.Timestamp):
        return _iso(value, where)
    raise ProtocolError(f"{where} holds {_kind(value)}, which JSON can't represent")


def _json_key(key: Any, where: str) -> str:
    name = _json_text(key, where) if isinstance(key, bytes) else key
    if not isinstance(name, str):
        raise ProtocolError(f"{where} has a key that is {_kind(key)}; JSON keys are text")
    return name


def _json_text(value: bytes, where: str) -> str:
    """Text that was packed as bin; real binary data must not be stored as a row of U+FFFD."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{where} holds binary data, which JSON can't represent") from error


def _decoded(value: bytes) -> str:
    return value.decode(errors="replace")


def _iso(value: msgpack.Timestamp, where: str) -> str:
    try:
        moment = _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanoseconds // 1000)
    except OverflowError as error:
        raise ProtocolError(f"{where} holds a timestamp outside the years 1 to 9999") from error
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _decoded(value)
    if isinstance(value, msgpack.Timestamp):
        return _iso(value, where)
    raise ProtocolError(f"{where} must be text, got {_kind(value)}")


def _whole(value: Any, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise ProtocolError(f"{where} must be a whole number, got {_kind(value)}")


def _flag(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise ProtocolError(f"{where} must be true or false, got {_kind(value)}")


def _binary(value: Any, where: str) -> bytes:
    if isinstance(value, bytes):
        return value
    raise ProtocolError(f"{where} must be bin, got {_kind(value)}")


def _json_map(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolError(f"{where} must be a map, got {_kind(value)}")
    result: dict[str, Any] = as_json(value, where)
    return result


def _unchecked(value: Any, _where: str) -> Any:
    """Leave it to whoever drops what makes no sense."""
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        str: "text",
        bytes: "bin",
        list: "an array",
        dict: "a map",
        msgpack.Timestamp: "a timestamp",
    }
    return names.get(type(value), "an extension type")


_READERS: dict[Any, Callable[[Any, str], Any]] = {
    str: _text,
    str | None: _text,
    int: _whole,
    int | None: _whole,
    bool: _flag,
    bytes: _binary,
    dict[str, Any]: _json_map,
    dict[str, Any] | None: _json_map,
    list[dict[str, Any]] | None: _unchecked,
    Any: as_json,
}
