"""Defaults that depend on the surroundings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.config.settings import ScriptEntry


def default_state_dir(environment: Mapping[str, str]) -> str:
    """Give the state folder by the XDG rules: a relative XDG_STATE_HOME is ignored, as they ask."""
    home = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(environment.get("HOME") or os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "quarry")


def default_source(script: str, entry: ScriptEntry | None, cwd: str) -> str:
    """Give the stem of the script's file; of a module, its last name; "default" where there is none.

    Args:
        script: As named.
        entry: What ``scripts:`` says of that name.
        cwd: Working directory.
    """
    if entry is None and is_module_name(script) and not os.path.isfile(os.path.join(cwd, script)):
        return script.rpartition(".")[2]
    return os.path.splitext(os.path.basename(entry.path if entry else script))[0] or "default"


def is_module_name(script: str) -> bool:
    """Say whether a script is named as ``pkg.module``."""
    parts = script.split(".")
    return len(parts) > 1 and parts[-1] != "py" and all(part.isidentifier() for part in parts)
