"""The commands of a page of the documentation, in order, and what it says that they print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FENCE = re.compile(r"^```(?P<kind>sh|text)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def read_blocks(page: Path) -> list[tuple[str, list[str]]]:
    """Give each `sh` block with the lines of the `text` block that follows it, if one does."""
    blocks: list[tuple[str, list[str]]] = []
    for found in _FENCE.finditer(page.read_text()):
        if found["kind"] == "sh":
            blocks.append((found["text"], []))
        elif blocks:
            blocks[-1] = (blocks[-1][0], found["text"].splitlines())
    return blocks
