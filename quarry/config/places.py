"""Checks of what lies at the paths of the settings. They look; they change nothing."""

from __future__ import annotations

import os


def folder_problem(path: str) -> str | None:
    """Say why a folder is of no use for reading."""
    if not os.path.exists(path):
        return f"there is no folder {path}"
    if not os.path.isdir(path):
        return f"{path} is not a folder"
    return None if os.access(path, os.R_OK | os.X_OK) else f"{path} can't be read by this user"


def file_problem(path: str) -> str | None:
    """Say why a file is of no use for reading."""
    if not os.path.exists(path):
        return f"there is no file {path}"
    if os.path.isdir(path):
        return f"{path} is a folder, not a file"
    return None if os.access(path, os.R_OK) else f"{path} can't be read by this user"


def program_problem(path: str) -> str | None:
    """Say why a program can't be executed."""
    if (problem := file_problem(path)) is not None:
        return problem
    return None if os.access(path, os.X_OK) else f"{path} is not executable; chmod +x it"


def writable_folder_problem(path: str) -> str | None:
    """Say why a folder can't be made or written to; the first part of the path that is there decides."""
    there = path
    while not os.path.lexists(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        what = "a dangling link" if os.path.islink(there) and not os.path.exists(there) else "a file"
        return f"{there} is {what}, not a folder; choose another path"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"this user may not write in {there}; choose another path, or change its owner"
    return None


def new_file_problem(path: str) -> str | None:
    """Say why a file can't be written."""
    parent = os.path.dirname(path)
    if os.path.isdir(path):
        return f"{path} is a folder, not a file"
    if not os.path.isdir(parent):
        return f"there is no folder {parent}; make it first"
    target = path if os.path.exists(path) else parent
    return None if os.access(target, os.W_OK) else f"this user may not write {target}"
