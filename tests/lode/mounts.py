"""Small, full and read-only file systems, really mounted."""

from __future__ import annotations

import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def mounted(folder, options: str):
    """Mount a tmpfs on a folder; where that is not allowed fail in CI and skip elsewhere."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        problem = done.stderr.strip() if done.returncode else ""
    except FileNotFoundError:
        problem = "there is no mount command"
    if problem and os.environ.get("CI") == "true":
        pytest.fail(f"a tmpfs can't be mounted here, and in CI it must be: {problem}", pytrace=False)
    if problem:
        pytest.skip(f"a tmpfs can't be mounted here: {problem}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
