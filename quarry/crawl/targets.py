"""Which script a target names, and how the job key writes it. Looks at the disk; runs and imports nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class ResolvedTarget(NamedTuple):
    """A target, looked up.

    Attributes:
        key_name: Name in the job key: the logical name, else the path under the scripts root with ``/``, else
            the absolute path; as written where nothing was found.
        path: Absolute path of the script; None where nothing was found.
        logical: Whether it is a logical name.
        problem: Why nothing was found, as one line for a person; None where something was.
    """

    key_name: str
    path: str | None
    logical: bool
    problem: str | None


def resolve(
    target: str,
    *,
    emitter_dir: str,
    scripts_root: str,
    scripts: Mapping[str, str],
    cwd: str,
    module_path: Sequence[str] | None = None,
) -> ResolvedTarget:
    """Look a target up.

    In this order: a name under ``scripts:``; an absolute path; a path beside the emitting script, then in the
    working directory; ``pkg.module`` under the scripts root, the working directory, then Python's path. A
    file beside the script wins over a module since ``x.mjs`` and ``x.js`` read as modules too.

    Args:
        target: As the script wrote it.
        emitter_dir: Absolute folder of the emitting script; of a root: the working directory.
        scripts_root: Absolute folder against which paths are named in keys.
        scripts: Absolute paths by logical name.
        cwd: Working directory of the command, absolute.
        module_path: Python's path, where modules are looked up last; None is ``sys.path``.
    """
    if not target or any(c in target for c in "\0\n\r"):
        return _unresolved(target, "a target must be a script's name, on one line")
    if target in scripts:
        path = scripts[target]
        if os.path.isfile(path):
            return ResolvedTarget(target, path, logical=True, problem=None)
        return ResolvedTarget(
            target,
            None,
            logical=True,
            problem=f"target {target!r}: 'scripts:' names {path}, which is not there",
        )
    tried = []
    for path in _candidates(target, emitter_dir, cwd):
        if os.path.isfile(path):
            return ResolvedTarget(key_name_of(path, scripts_root), path, logical=False, problem=None)
        tried.append(path)
    if _is_module_name(target):
        found = _find_module(target, [scripts_root, cwd, *(sys.path if module_path is None else module_path)])
        if found is not None:
            return ResolvedTarget(target, found, logical=True, problem=None)
        tried.append("a module of that name")
    return _unresolved(target, f"there is no such script; looked for {', '.join(dict.fromkeys(tried))}")


def key_name_of(path: str, scripts_root: str) -> str:
    """Give the name of a script in job keys.

    Args:
        path: Absolute path of the script.
        scripts_root: Absolute folder.

    Returns:
        The path under the root with ``/``; the absolute path where it lies elsewhere.
    """
    path, root = os.path.normpath(path), os.path.normpath(scripts_root)
    prefix = root if root.endswith(os.sep) else root + os.sep
    return path[len(prefix) :].replace(os.sep, "/") if path.startswith(prefix) else path


def _candidates(target: str, emitter_dir: str, cwd: str) -> Iterator[str]:
    if os.path.isabs(target):
        yield os.path.normpath(target)
        return
    for folder in dict.fromkeys((emitter_dir, cwd)):
        yield os.path.normpath(os.path.join(folder, target))


def _is_module_name(target: str) -> bool:
    parts = target.split(".")
    return len(parts) > 1 and parts[-1] != "py" and all(part.isidentifier() for part in parts)


def _find_module(name: str, search: list[str]) -> str | None:
    """Find a module's file by its folders; unlike ``importlib.util.find_spec`` this imports no parent."""
    relative = os.path.join(*name.split("."))
    for folder in dict.fromkeys(os.path.abspath(entry) for entry in search):
        for path in (
            os.path.join(folder, relative + ".py"),
            os.path.join(folder, relative, "__init__.py"),
        ):
            if os.path.isfile(path):
                return path
    return None


def _unresolved(target: str, why: str) -> ResolvedTarget:
    return ResolvedTarget(target, None, logical=False, problem=f"target {target!r}: {why}")
