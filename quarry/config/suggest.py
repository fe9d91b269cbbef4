"""The nearest known name to one that is not known."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CUTOFF = 0.6


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that the user most likely meant, or None where nothing is near."""
    by_folded = {_folded(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(_folded(name), list(by_folded), n=1, cutoff=_CUTOFF)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give ``; did you mean X?``, or what there is to choose from where nothing is near."""
    choices = list(known)
    found = nearest(name, choices)
    if found is not None:
        return f"; did you mean {found}?"
    return f"; known: {', '.join(choices)}" if choices else ""


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")
