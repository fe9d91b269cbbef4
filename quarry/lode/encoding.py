"""Turn any text into one path segment, and back.

Percent-encoding of UTF-8, as URIs and Hive partitions have it: DuckDB and pyarrow decode it by themselves.
Rejected: hashing long values (a hash can't be parsed back, and an engine would show it instead of the
    value), so a value whose encoded form is longer than a file name may be is refused.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from quarry.errors import ConfigError

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")

MAX_SEGMENT_BYTES = 255
"""Longest name of a file or folder, bytes, on every file system in common use."""


def encode_value(text: str) -> str:
    """Percent-encode all but ASCII letters, digits, ``_``, ``.``, ``-`` and ``~``.

    Lone surrogates are kept as their three-byte form, so that the encoding is one to one for every ``str``.
    """
    # Nearly every value needs nothing, and quote() takes six times as long to find that out.
    return text if _PLAIN.fullmatch(text) else quote(text, safe="", errors="surrogatepass")


def decode_value(encoded: str) -> str | None:
    """Decode; None where ``encode_value`` would not have written this."""
    try:
        text = unquote(encoded, errors="surrogatepass")
    except UnicodeDecodeError:
        return None
    return text if encode_value(text) == encoded else None


def encode_name(text: str) -> str:
    """Encode a value that stands alone as a name: never empty, never ``.`` or ``..``, never hidden."""
    encoded = encode_value(text)
    if not encoded:
        return "%"
    return "%2E" + encoded[1:] if encoded.startswith(".") else encoded


def decode_name(encoded: str) -> str | None:
    """Decode what ``encode_name`` wrote; None where it would not have written this."""
    if encoded == "%":
        return ""
    try:
        text = unquote(encoded, errors="surrogatepass")
    except UnicodeDecodeError:
        return None
    return text if encode_name(text) == encoded else None


def bounded(segment: str, *, field: str, text: str) -> str:
    """Give the segment back if it may stand as a name.

    Args:
        segment: The whole encoded segment, prefix and suffix included.
        field: What it names, for the message (``source``, ``run_id`` …).
        text: The value before encoding.

    Raises:
        ConfigError: It is longer than MAX_SEGMENT_BYTES.
    """
    if len(segment) > MAX_SEGMENT_BYTES:
        shown = ascii(text[:40]) + ("…" if len(text) > 40 else "")  # noqa: PLR2004 - as much as fits a line
        raise ConfigError(
            f"{field}: {shown} makes a path segment of {len(segment)} bytes ({segment[:8]}…),"
            f" and a file name ends at {MAX_SEGMENT_BYTES}; choose a shorter one"
            " (a byte outside A-Z a-z 0-9 _ . - ~ counts three)"
        )
    return segment
