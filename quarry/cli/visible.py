"""Text from data, made safe to show."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_KEPT = frozenset("\u200c\u200d\u00ad")
"""Joiners and the soft hyphen: format characters of ordinary text that move nothing on a terminal."""


def visible(text: str) -> str:
    r"""Write characters that a terminal acts on, or that can't be seen, as escapes.

    Control characters, bidirectional overrides, line separators and lone surrogates become ``\x1b`` or
    ``\u202e``; the result is one line.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    code = ord(character)
    if code <= 0xFF:  # noqa: PLR2004 - what \\x can write
        return f"\\x{code:02x}"
    if unicodedata.category(character) in _HIDDEN:
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - what \\u can write
    return character
