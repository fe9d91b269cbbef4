"""Find the encoding of a text response."""

from __future__ import annotations

import codecs
import re

_LOOKED_AT = 1024
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([a-zA-Z0-9_.:-]{1,40})""", re.IGNORECASE)
_PARAMETER = re.compile(r"""charset\s*=\s*["']?([^\s"';]+)""", re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a label means in a browser: Latin-1 and ASCII are read as Windows-1252.
_AS_BROWSERS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}


def find_encoding(content_type: str, content: bytes) -> str:
    """Choose an encoding: byte order mark, Content-Type, ``<meta charset>`` in the first KiB, else UTF-8.

    Args:
        content_type: The header's value; may be empty.
        content: The body.

    Returns:
        The name of a codec that Python knows.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    stated = _PARAMETER.search(content_type)
    found = stated and _codec(stated[1])
    if found:
        return found
    meta = _META.search(content, 0, _LOOKED_AT)
    return (meta and _codec(meta[1].decode("ascii"))) or "utf-8"


def _codec(label: str) -> str | None:
    try:
        info = codecs.lookup(label)
    except (LookupError, ValueError):
        return None
    if not getattr(info, "_is_text_encoding", True):
        return None
    return _AS_BROWSERS.get(info.name, info.name)
