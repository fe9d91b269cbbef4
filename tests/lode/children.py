"""Start the writers of ``tests.lode.processes``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(what: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    """Start a writer; its stdin and stdout are pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.lode.processes", what, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
