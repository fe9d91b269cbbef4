"""Find the browser and decide its flags."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.errors import QuarryError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FOLDERS = ("/usr/lib/chromium", "/usr/lib/chromium-browser", "/snap/bin")


class BrowserError(QuarryError):
    """No browser, or it could not be started or reached."""

    code = "browser"


def find_browser(environ: Mapping[str, str]) -> str:
    """Find the browser's binary.

    Args:
        environ: ``QUARRY_BROWSER_PATH`` decides; else PATH and the folders where Debian puts it are searched,
            the headless shell first.

    Raises:
        BrowserError: None found; says how to install one.
    """
    stated = environ.get("QUARRY_BROWSER_PATH")
    if stated:
        if not os.access(stated, os.X_OK):
            raise BrowserError(f"QUARRY_BROWSER_PATH names {stated!r}, which is no executable file")
        return stated
    for name in _NAMES:
        found = shutil.which(name, path=environ.get("PATH"))
        if found:
            return found
    for folder in _FOLDERS:
        for name in _NAMES:
            if os.access(Path(folder, name), os.X_OK):
                return str(Path(folder, name))
    raise BrowserError(
        "no browser is installed; on Debian: apt-get install chromium-headless-shell"
        " (or name one in QUARRY_BROWSER_PATH)"
    )


def needs_no_sandbox(environ: Mapping[str, str], *, uid: int) -> bool:
    """Say whether Chromium must run without its sandbox: asked for, or root, as whom it refuses otherwise."""
    return environ.get("QUARRY_NO_SANDBOX") == "1" or uid == 0


def browser_environ(environ: Mapping[str, str]) -> dict[str, str | float | bool]:
    """Give the browser's environment: without proxies, since a run's proxy is the runtime's decision."""
    return {name: value for name, value in environ.items() if not name.lower().endswith("_proxy")}
