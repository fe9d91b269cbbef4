"""``--validate``: load a script, say what it exports, run nothing."""

from __future__ import annotations

import os
from typing import Any

from quarry.executor.loader import ScriptLoader, ScriptLoadError
from quarry.executor.process import resolve_folders
from quarry.executor.script_imports import ScriptImports


def validate(path: str) -> tuple[int, dict[str, Any]]:
    """Load a script.

    Returns:
        Exit code and answer: 0 with its exports, or 1 with the error in one line.
    """
    try:
        script = ScriptLoader(ScriptImports(resolve_folders(os.environ))).load(path)
    except ScriptLoadError as error:
        return 1, {"valid": False, "error": error.message}
    return 0, {"valid": True, "exports": {"default": True, "hooks": list(script.hooks)}}
