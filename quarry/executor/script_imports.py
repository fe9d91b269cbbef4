"""Let scripts of several folders live in one process, each with the siblings of its own folder.

``import helper`` means the file beside the importing script. With one folder that is ``sys.path[0]``. With
more, two folders may both have a ``helper``: then each folder's modules are kept apart, and exchanged in
``sys.modules`` when a script of another folder is loaded or imports something later, inside a function.
"""

from __future__ import annotations

import builtins
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType


class ScriptImports:
    """Owns ``sys.path`` and the script folders' part of ``sys.modules``.

    Args:
        resolve_from: Further folders from which every script may import, after its own.
    """

    def __init__(self, resolve_from: list[str]) -> None:
        self._folders: dict[str, dict[str, ModuleType]] = {}
        self._active: str | None = None
        self._owned: set[str] = set()
        self._base = {name.partition(".")[0] for name in sys.modules}
        sys.path[0:0] = resolve_from

    def activate(self, folder: str) -> None:
        """Make imports resolve beside the scripts of this folder."""
        if folder == self._active:
            return
        if self._active is not None:
            self._put_away(self._active)
            sys.path.remove(self._active)
        sys.path.insert(0, folder)
        sys.modules.update(self._folders.setdefault(folder, {}))
        self._active = folder
        if len(self._folders) == 2:  # noqa: PLR2004 - from the second on they must be told apart
            self._watch_imports()

    def forget(self, folder: str) -> None:
        """Forget the folder's siblings, so that the next import reads them anew."""
        if self._active == folder:
            self._put_away(folder)
        self._folders[folder] = {}

    def _put_away(self, folder: str) -> None:
        kept = self._folders[folder] = {}
        tops = {name for name in list(sys.modules) if "." not in name and self._belongs(name, folder)}
        self._owned |= tops
        for name in list(sys.modules):
            if name.partition(".")[0] in tops:
                kept[name] = sys.modules.pop(name)

    def _belongs(self, name: str, folder: str) -> bool:
        if name in self._base:
            return False
        module = sys.modules.get(name)
        origin = getattr(module, "__file__", None)
        if isinstance(origin, str):
            parent = os.path.dirname(origin)
            return parent == folder or origin.startswith(os.path.join(folder, name, "__init__."))
        locations = getattr(module, "__path__", ())
        return any(location == str(Path(folder, name)) for location in locations)

    def _watch_imports(self) -> None:
        original = builtins.__import__

        def importing(
            name: str,
            globals: dict[str, Any] | None = None,  # noqa: A002 - the names that Python passes
            locals: Any = None,  # noqa: A002
            fromlist: Any = (),
            level: int = 0,
        ) -> Any:
            known = not level and name.partition(".")[0] in sys.modules
            if not (known and name.partition(".")[0] not in self._owned):
                folder = self._folder_of(globals)
                if folder is not None:
                    self.activate(folder)
            return original(name, globals, locals, fromlist, level)

        builtins.__import__ = importing  # type: ignore[assignment]

    def _folder_of(self, module_globals: dict[str, Any] | None) -> str | None:
        """Find the script folder in which the importing code lies."""
        origin = (module_globals or {}).get("__file__")
        if not isinstance(origin, str):
            return None
        inside = [folder for folder in self._folders if origin.startswith(folder + os.sep)]
        return max(inside, key=len, default=None)
