"""Services that tests need: found, or missed aloud."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def _browser() -> str | None:
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def _python_documentation() -> str | None:
    """Debian's python3.11-doc; another version's where that one is not to be had."""
    homes = [Path("/usr/share/doc/python3.11/html"), *sorted(Path("/usr/share/doc").glob("python3.*/html"))]
    return next((str(home) for home in homes if (home / "index.html").is_file()), None)


def find_service(name: str) -> str | None:
    """Where a service is: the path of a command, or of a folder; None where it is missing."""
    if name == "browser":
        return _browser()
    if name == "python-doc":
        return _python_documentation()
    return shutil.which(name)


def require_service(name: str) -> str:
    """Give the path of a service; without it fail in CI (``CI=true``), and skip elsewhere.

    Args:
        name: ``browser``, ``python-doc``, or a command such as ``redis-server`` or ``node``.
    """
    found = find_service(name)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not on this machine, and in CI it must be", pytrace=False)
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    return found
