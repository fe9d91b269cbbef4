"""Finding a text wherever it stands: as it is, and in the forms that programs turn texts into."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HIGH = re.compile(r"%[0-9A-F]{2}")
_SHORTEST = 8
"""A piece of base64 that is shorter stands in any other text by chance."""


def forms_of(text: str) -> dict[str, bytes]:
    """Give each form of a text by its name; a form that is no different from another is left out."""
    data = text.encode()
    found = {
        "as it is": text,
        "quote": quote(text, safe=""),
        "quote, slashes kept": quote(text),
        "quote_plus": quote_plus(text),
        "JSON": json.dumps(text)[1:-1],
        "JSON, not ASCII": json.dumps(text, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(text))[3:-3],
        "repr": repr(text)[1:-1],
        "repr in JSON": json.dumps(repr(text))[2:-2],
        "repr of bytes": repr(data)[2:-1],
        "ascii": ascii(text)[1:-1],
        "HTML": html.escape(text),
        "hex": data.hex(),
    }
    for name in ("quote", "quote, slashes kept", "quote_plus"):
        found[f"{name}, lower"] = _HIGH.sub(lambda match: match[0].lower(), found[name])
    for offset in range(3):
        found[f"base64 at {offset}"] = _base64_piece(data, offset)
        found[f"urlsafe base64 at {offset}"] = _base64_piece(data, offset).replace("+", "-").replace("/", "_")
    distinct: dict[str, str] = {}
    for name, form in found.items():
        if len(form) >= min(_SHORTEST, len(text)) and form not in distinct.values():
            distinct[name] = form
    return {name: form.encode() for name, form in distinct.items()}


def _base64_piece(data: bytes, offset: int) -> str:
    """Give what base64 makes of the data wherever it stands, this many bytes behind a multiple of three."""
    coded = base64.b64encode(b"\0" * offset + data).decode()
    return coded[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]


def find(data: bytes, texts: Mapping[str, Iterable[str]]) -> list[str]:
    """Say which texts stand in the data, and in which form.

    Args:
        data: To be searched.
        texts: Texts to search for, under the name by which the answer shall call them.
    """
    return sorted(
        {
            f"{name} ({form})"
            for name, many in texts.items()
            for text in many
            for form, coded in forms_of(text).items()
            if coded in data
        }
    )
