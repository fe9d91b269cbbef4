"""`import quarry` is what every script and every child process pays for."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = [
    "celery",
    "kombu",
    "redis",
    "pyarrow",
    "playwright",
    "curl_cffi",
    "selectolax",
    "pydantic",
    "rich",
    "click",
]


def test_importing_quarry_pulls_in_no_heavy_library():
    """None of the engine's, the store's and the clients' libraries is loaded before it is used."""
    program = "import json, sys, quarry; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert set(HEAVY) & set(json.loads(loaded)) == set()
