"""Reads configurations with proxy pools for tests; looks for planted passwords in all that comes out."""

from __future__ import annotations

import re

from quarry.config.endpoints import FORM
from quarry.config.sources import Gathered, gather

PLANTED = "hunter2"


def read(folder, text, environment=None) -> Gathered:
    """Read a configuration file of this text; nothing of what it gives may show the planted password."""
    path = folder / "quarry.yaml"
    path.write_text(text)
    found = gather({}, config=str(path), environment=environment or {}, cwd=str(folder))
    shown = repr(found) + repr(found.values) + "\n".join(found.problems + found.warnings)
    assert PLANTED not in shown
    assert not re.search(r"//[^\s(]*:[^\s@]*@", shown.replace(FORM, "")), "a raw URL is shown"
    return found


def told(folder, lines) -> list[str]:
    """Give messages with short names of file and folder."""
    return [line.replace(f"{folder}/quarry.yaml", "F").replace(str(folder), "D") for line in lines]
