"""Names of ``storage.put`` files on disk: readable, and never in each other's way."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, unquote

from quarry.lode.encoding import MAX_SEGMENT_BYTES

META_SUFFIX = ".meta.json"
"""What is put after a file's name to name its description."""

_DELETE = 0x7F
_SURROGATES = range(0xD800, 0xE000)


def encode_filename(filename: str) -> str:
    """Give the name on disk: the file's own, where nothing speaks against it.

    Percent-encoded are ``%``, ``/``, control characters and lone surrogates; a leading dot (hidden) and the
    second dot of a trailing ``.meta.json`` (another file's description). A name that leaves no room for
    META_SUFFIX becomes ``%~`` and its SHA-256.
    """
    encoded = "".join(_escape(char) if _must_escape(char) else char for char in filename)
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if encoded.endswith(META_SUFFIX):
        encoded = encoded[: -len(".json")] + "%2Ejson"
    if len(encoded.encode()) + len(META_SUFFIX) > MAX_SEGMENT_BYTES:
        return "%~" + hashlib.sha256(filename.encode(errors="surrogatepass")).hexdigest()
    return encoded or "%"


def decode_filename(encoded: str) -> str | None:
    """Give the file's name back; None for a hashed name and for what ``encode_filename`` would not write."""
    if encoded == "%":
        return ""
    try:
        filename = unquote(encoded, errors="surrogatepass")
        return filename if encode_filename(filename) == encoded else None
    except UnicodeError:
        return None


def _must_escape(char: str) -> bool:
    return char in "%/" or char < " " or ord(char) == _DELETE or ord(char) in _SURROGATES


def _escape(char: str) -> str:
    return quote(char, safe="", errors="surrogatepass")
