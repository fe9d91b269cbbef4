"""Runs the real command in a process of its own, and looks at what it left on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = """
from quarry import Context

async def run(ctx: Context) -> None:
    await ctx.emit.item("thing", {"n": 1, "job": ctx.job})
"""


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def quarry(
    *arguments: str | Path | bytes,
    cwd: Path,
    stdin: str | None = None,
    env: dict[str, str] | None = None,
    timeout_s: float = 90,
    **more: Any,
) -> Finished:
    """Run `quarry` in a folder; its state folder is `state` beside that folder."""
    base = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "PYTHONWARNINGS"}}
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "quarry.cli", *(a if isinstance(a, bytes) else str(a) for a in arguments)],
        cwd=cwd,
        env={**base, "PYTHONPATH": root, "XDG_STATE_HOME": str(cwd.parent / "state"), **(env or {})},
        input=(stdin or "").encode(),
        capture_output=True,
        timeout=timeout_s,
        check=False,
        **more,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def tree_of(folder: Path) -> dict[str, str]:
    """Everything below a folder: path, kind, mode, modification time and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        told = f"{info.st_mode:o} {info.st_mtime_ns}"
        if path.is_file() and not path.is_symlink():
            told += " " + hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = told
    return found
