"""The release before this one: found in the history, built into a wheel, unpacked into a folder."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SUBJECT = (
    "Tests wait for what they test: the ledger's answer, a readable environment, a run in flight;"
    " SIGINT is not inherited as ignored"
)
"""Subject of the commit whose workers must go on beside those of today."""


def find_commit() -> str:
    """Give the commit; where the history does not hold it fail in CI, and skip elsewhere."""
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    done = subprocess.run(
        [*git, "log", "--format=%H", "--fixed-strings", f"--grep={SUBJECT}", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = done.stdout.split()
    if found:
        return found[0]
    reason = f"the history holds no commit '{SUBJECT}' (a shallow clone?) {done.stderr.strip()}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def unpack_source(commit: str, folder: Path) -> Path:
    """Put the tree of a commit into a folder; gives the folder."""
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(ROOT), "archive", commit], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def install_wheel(source: Path, folder: Path) -> Path:
    """Build the wheel of a source tree and unpack it; gives the folder for PYTHONPATH."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*command, "-w", str(folder), str(source)], check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"
