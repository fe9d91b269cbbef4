"""Which Lua steps may not change any more, and what to say to someone who changed one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.redisio import ScriptFolder

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

TABLE = Path(__file__).with_name("frozen.json")


def read_table() -> dict[str, Any]:
    """Give the table: ``released`` (SHA-256 by step) and ``unreleased`` (steps that may still change)."""
    return json.loads(TABLE.read_text())


def hashes_of(folder: Traversable) -> dict[str, str]:
    """Give the SHA-256 of each step of a folder, with its fragments in place."""
    scripts = ScriptFolder(folder)
    return {
        name: hashlib.sha256(scripts.get(name).source.encode()).hexdigest()
        for name in sorted(scripts.names())
    }


def problems(table: dict[str, Any], today: dict[str, str]) -> list[str]:
    """Say what breaks the promise that old and new workers can share a Redis; empty where nothing does.

    A released step that is gone is no problem: an old worker brings the text of its own.
    """
    released, unreleased = table["released"], set(table["unreleased"])
    found = []
    for name, sha256 in today.items():
        if name in released and released[name] != sha256:
            found.append(
                f"{name}.lua, or a fragment under lib/ that it includes, was edited, and it is released: old and"
                f" new workers share a Redis during a deploy. Undo that, copy {name}.lua to {_next(name)}.lua (and"
                f" an edited lib/x.lua to lib/x_v2.lua), change the copies, call '{_next(name)}' in"
                f" quarry/scheduler, and add it to 'unreleased' in tests/upgrade/frozen.json"
            )
        if name not in released and name not in unreleased:
            found.append(f"{name}.lua is new: add it to 'unreleased' in tests/upgrade/frozen.json")
    found += [
        f"{name} stands in 'unreleased' of tests/upgrade/frozen.json, and there is no {name}.lua: remove it there"
        for name in sorted(unreleased - set(today))
    ]
    found += [
        f"{name} stands in tests/upgrade/frozen.json as released and as unreleased: it is released"
        for name in sorted(unreleased & set(released))
    ]
    return found


def _next(name: str) -> str:
    stem, _, version = name.rpartition("_v")
    return f"{stem}_v{int(version) + 1}" if stem and version.isdigit() else f"{name}_v2"
