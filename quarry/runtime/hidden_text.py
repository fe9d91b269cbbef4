"""One secret, found in a text in whatever form programs print it. Pure."""

from __future__ import annotations

import base64
import re
from functools import cached_property
from html import escape

from quarry.types.secret import HIDDEN

_UNCHANGED = re.compile(r"[A-Za-z0-9]+")
"""What no encoding of a text changes, base64 and its kin left out."""
_CONTROLS = {"\n": "n", "\r": "r", "\t": "t"}
_WHOLE_CHARS = 2048
_PIECE_CHARS = 256
_LINE_CHARS = 8
_CODED_CHARS = 8
"""A shorter piece of base64 stands in other texts by chance."""
_CUT_CHARS = 4
_BACKSLASHES = r"\\{0,8}"
"""As many as texts within texts within texts need; bounded, else a long run of them is tried at each."""


class HiddenText:
    """Strikes one secret out of texts.

    Found as it is; percent-encoded, in part or all; as in JSON, HTML and ``repr``, and these within each
    other; and in base64, wherever it begins there. Of a secret of several lines each longer line is found
    too. Nothing is prepared before a text holds all its runs of letters and digits: most texts do not.

    Args:
        value: The secret; not empty.
    """

    def __init__(self, value: str) -> None:
        self._value = value
        self._runs = _UNCHANGED.findall(value)

    def strike(self, text: str) -> str:
        """Give a text without it."""
        if self._value in text:
            text = text.replace(self._value, HIDDEN)
        if len(self._value) <= _WHOLE_CHARS and all(run in text for run in self._runs):
            text = self._pattern.sub(HIDDEN, text)
        if any(coded in text for coded in self._coded):
            text = self._coded_pattern.sub(HIDDEN, text)
        for piece in self._pieces:
            text = piece.strike(text)
        return text

    def strike_ends(self, text: str, *, start: bool, end: bool) -> str:
        """Give a text without the part of it that a cut has left over.

        Args:
            text: The text.
            start: What stood before it was cut off.
            end: What stood behind it was.
        """
        lengths = range(min(len(self._value), len(text) + 1, _WHOLE_CHARS) - 1, _CUT_CHARS - 1, -1)
        if start and (n := next((n for n in lengths if text.startswith(self._value[-n:])), 0)):
            text = HIDDEN + text[n:]
        if end and (n := next((n for n in lengths if text.endswith(self._value[:n])), 0)):
            text = text[:-n] + HIDDEN
        return text

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("".join(map(_spellings, self._value)), re.IGNORECASE)

    @cached_property
    def _pieces(self) -> list[HiddenText]:
        """Lines of a secret that has several, and parts of one that is too long for one pattern."""
        lines = self._value.splitlines()
        if len(lines) < 2 and len(self._value) <= _WHOLE_CHARS:  # noqa: PLR2004 - several
            return []
        parts = [line[at : at + _PIECE_CHARS] for line in lines for at in range(0, len(line), _PIECE_CHARS)]
        return [HiddenText(part) for part in parts if len(part.strip()) >= _LINE_CHARS]

    @cached_property
    def _coded(self) -> list[str]:
        data = self._value.encode(errors="surrogatepass")
        whole = base64.b64encode(data).decode().rstrip("=")
        coded = [whole, whole.replace("+", "-").replace("/", "_")]
        for offset in range(3):
            piece = base64.b64encode(bytes(offset) + data).decode()
            piece = piece[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]
            if len(piece) >= _CODED_CHARS:
                coded += [piece, piece.replace("+", "-").replace("/", "_")]
        return coded

    @cached_property
    def _coded_pattern(self) -> re.Pattern[str]:
        # With its neighbours: they hold the bits at its ends.
        pieces = "|".join(map(re.escape, self._coded))
        return re.compile(rf"[A-Za-z0-9+/_-]{{0,4}}(?:{pieces})[A-Za-z0-9+/_-]{{0,4}}={{0,2}}")


def _spellings(char: str) -> str:
    """Give a pattern of all ways in which one character of a text is written; any case of letters will do."""
    if char.isascii() and char.isalnum():
        return char
    data = char.encode(errors="surrogatepass")
    units = re.findall("....", char.encode("utf-16-be", errors="surrogatepass").hex())
    escaped = [
        _BACKSLASHES.join(f"u{unit}" for unit in units),
        _BACKSLASHES.join(f"x{byte:02x}" for byte in data),
    ]
    escaped += [f"U{ord(char):08x}"] if len(units) > 1 else [f"x{ord(char):02x}"]
    escaped += [_CONTROLS[char]] if char in _CONTROLS else []
    # As itself comes last: % and & begin longer ones.
    found = ["".join(rf"%(?:25){{0,4}}{byte:02x}" for byte in data), f"&#(?:x{ord(char):x}|{ord(char)});"]
    found += [named] if (named := escape(char)) != char else []
    found += [r"\+"] if char == " " else []
    found += [rf"{_BACKSLASHES}(?:{'|'.join(dict.fromkeys(escaped))}|{re.escape(char)})"]
    return f"(?:{'|'.join(found)})"
