"""Load scripts by path and check what they export."""

from __future__ import annotations

import functools
import hashlib
import importlib.machinery
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.executor.failure import author_place, describe

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from quarry.executor.script_imports import ScriptImports

HOOKS: Mapping[str, int] = {
    "prepare": 2,
    "before_run": 1,
    "after_run": 1,
    "on_error": 2,
    "before_terminal": 2,
    "cleanup": 1,
}
"""Names of the optional hooks, and how many arguments each is called with."""


class ScriptLoadError(Exception):
    """A script can't be used.

    Args:
        message: One line: what is wrong, and where.
        error_type: Class of the error behind it.
        stack: Traceback text, where the script itself raised.
    """

    def __init__(
        self, message: str, *, error_type: str = "ScriptLoadError", stack: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_type = error_type
        self.stack = stack


@dataclass(frozen=True, slots=True)
class Script:
    """A loaded script.

    Attributes:
        path: Absolute.
        sha256: Of its source, hex.
        run: The entry point, a coroutine function.
        hooks: Those that it has, by name.
    """

    path: str
    sha256: str
    run: Callable[[Any], Any]
    hooks: Mapping[str, Callable[..., Any]]


class ScriptLoader:
    """Loads scripts, each once until its file changes.

    Runs of one process share the script's module, and so its globals.

    Args:
        imports: Makes siblings importable.
    """

    def __init__(self, imports: ScriptImports) -> None:
        self._imports = imports
        self._loaded: dict[str, tuple[tuple[int, int, int], Script]] = {}
        self._count = 0

    def load(self, path: str) -> Script:
        """Load a script, or give the one that was loaded from the same file before.

        Raises:
            ScriptLoadError: It can't be read, raises, or exports the wrong things.
        """
        file = Path(path).absolute()
        try:
            mark = _mark(file.stat())
            known = self._loaded.get(path)
            if known is not None and known[0] == mark:
                return known[1]
            source = file.read_bytes()
        except OSError as error:
            raise ScriptLoadError(
                f"can't read script {path}: {error.strerror}", error_type="OSError"
            ) from None
        digest = hashlib.sha256(source).hexdigest()
        if known is not None and known[1].sha256 == digest:
            script = known[1]
        else:
            if known is not None:
                self._imports.forget(str(file.parent))
            script = self._execute(str(file), source, digest)
        self._loaded[path] = (mark, script)
        return script

    def _execute(self, path: str, source: bytes, digest: str) -> Script:
        self._count += 1
        name = f"quarry_script_{self._count}_{digest[:12]}"
        self._imports.activate(str(Path(path).parent))
        loader = importlib.machinery.SourceFileLoader(name, path)
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        if spec is None:  # pragma: no cover - a path and a loader always make a spec
            raise ScriptLoadError(f"can't load script {path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the script
            return Script(path=path, sha256=digest, run=_entry(module, path), hooks=_hooks(module, path))
        except ScriptLoadError:
            sys.modules.pop(name, None)
            raise
        except BaseException as error:  # noqa: BLE001 - a script may raise anything, SystemExit too
            sys.modules.pop(name, None)
            failure = describe(error)
            text = str(error.msg) if isinstance(error, SyntaxError) else failure.message
            place = author_place(error, path) or path
            raise ScriptLoadError(
                f"can't load script {path}: {failure.error_type}: {text} ({place})",
                error_type=failure.error_type,
                stack=failure.stack,
            ) from None


def _mark(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _entry(module: ModuleType, path: str) -> Callable[[Any], Any]:
    run: Any = getattr(module, "run", None)
    if run is None:
        raise ScriptLoadError(f"script {path} has no 'run'; it needs: async def run(ctx)")
    if inspect.isasyncgenfunction(run):
        raise ScriptLoadError(
            f"'run' of script {path} is an async generator; emit with ctx.emit instead of yield"
        )
    if not inspect.iscoroutinefunction(run):
        what = "a plain function" if callable(run) else f"a {type(run).__name__}"
        raise ScriptLoadError(f"'run' of script {path} is {what}; it must be a coroutine: async def run(ctx)")
    entry: Callable[[Any], Any] = run
    _check_arguments(entry, 1, "run", path)
    return entry


def _hooks(module: ModuleType, path: str) -> dict[str, Callable[..., Any]]:
    hooks: dict[str, Callable[..., Any]] = {}
    for name, count in HOOKS.items():
        if not hasattr(module, name):
            continue
        hook = getattr(module, name)
        if not (inspect.isroutine(hook) or isinstance(hook, functools.partial)):
            raise ScriptLoadError(
                f"'{name}' of script {path} is a {type(hook).__name__}; a hook must be a function"
            )
        if inspect.isasyncgenfunction(hook) or inspect.isgeneratorfunction(hook):
            raise ScriptLoadError(f"'{name}' of script {path} is a generator; a hook returns")
        _check_arguments(hook, count, name, path)
        hooks[name] = hook
    return hooks


def _check_arguments(function: Callable[..., Any], count: int, name: str, path: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # built-ins may not tell
    try:
        signature.bind(*[None] * count)
    except TypeError:
        raise ScriptLoadError(
            f"'{name}' of script {path} is called with {count} argument{'s' if count > 1 else ''},"
            f" which {name}{signature} does not take"
        ) from None
