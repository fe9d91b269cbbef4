"""What ``quarry doctor`` looks at: one function a thing, each answering with findings."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import shutil
import sys
from typing import TYPE_CHECKING

from quarry.redisio import Finding, Severity, check_broker, read_broker_facts, redacted
from quarry.tasks.places import check_scripts_root, check_storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quarry.config import Settings

_LIBRARIES = ("celery", "kombu", "redis")
_PYTHONS = ((3, 11), (3, 13))
_DISTRIBUTION = "quarry-crawler"


def examine(settings: Settings, *, given: frozenset[str], environ: Mapping[str, str]) -> list[Finding]:
    """Look at everything that a crawl needs.

    Args:
        settings: The command's settings.
        given: Keys that somebody set; defaults are judged more kindly.
        environ: Names the browser.

    Returns:
        In the order in which people mend: a broken broker makes the rest idle.
    """
    return [
        *examine_broker(settings.broker),
        *examine_storage(settings.storage_path),
        examine_browser(environ),
        examine_scripts_root(settings.scripts_root, given="scripts_root" in given),
        *examine_versions(),
    ]


def examine_broker(broker: str | None) -> list[Finding]:
    """Look at the broker; without one, at the server that ``quarry run`` would start."""
    if broker is None:
        return [_private_server()]
    from quarry.errors import ConfigError

    try:
        found = check_broker(asyncio.run(read_broker_facts(broker)), redacted(broker))
    except ConfigError as error:
        return [Finding(check="broker", severity=Severity.BROKEN, what=error.message)]
    return found


def examine_storage(path: str) -> list[Finding]:
    """Try the storage as a commit would, and say how much room there is."""
    from quarry.lode.probe import probe_storage

    facts = probe_storage(path)
    found = [check_storage(facts, required=False)]
    if facts.exists:
        free_bytes = shutil.disk_usage(path).free
        found.append(_room(path, free_bytes))
    return found


def examine_browser(environ: Mapping[str, str]) -> Finding:
    """Look for the browser that an executor would start or connect to."""
    from quarry.executor.chromium import BrowserError, find_browser

    if endpoint := environ.get("QUARRY_BROWSER_ENDPOINT"):
        what = f"scripts connect to the running browser at {redacted(endpoint)}"
        return Finding(check="browser", severity=Severity.OK, what=what)
    try:
        return Finding(check="browser", severity=Severity.OK, what=find_browser(environ))
    except BrowserError as error:
        # Only scripts that ask for a page need one; a path that somebody named and that is wrong is an error.
        named = bool(environ.get("QUARRY_BROWSER_PATH"))
        what, _, mend = error.message.partition("; ")
        return Finding(
            check="browser",
            severity=Severity.BROKEN if named else Severity.WARNING,
            what=what,
            mend=mend or "name an executable in QUARRY_BROWSER_PATH",
        )


def examine_scripts_root(path: str, *, given: bool) -> Finding:
    """Look for the folder that workers look scripts up in."""
    if not given:
        what = "none is named: scripts are looked up where the command saw them, which serves one machine"
        return Finding(check="scripts root", severity=Severity.OK, what=what)
    return check_scripts_root(path, is_folder=os.path.isdir(path))


def examine_versions() -> list[Finding]:
    """Look at Python, Quarry, its contract, and the libraries that fleet and Redis depend on."""
    from quarry.version import CONTRACT_VERSION, __version__

    return [
        _python(sys.version_info[:2]),
        Finding(
            check="quarry",
            severity=Severity.OK,
            what=f"{__version__}, contract {CONTRACT_VERSION}",
        ),
        *(judge_library(name, _version(name), bounds) for name, bounds in _bounds().items()),
    ]


def judge_library(name: str, version: str | None, bounds: str) -> Finding:
    """Judge a library's version by the bounds that Quarry was tried with.

    Args:
        name: Its name.
        version: Installed version; None where it is missing.
        bounds: Such as ``>=5.7,<5.8``; empty where nothing is known.
    """
    from packaging.specifiers import SpecifierSet

    if version is None:
        what, mend = f"{name} is not installed", f"pip install '{name}{bounds}'"
        return Finding(check=name, severity=Severity.BROKEN, what=what, mend=mend)
    if bounds and not SpecifierSet(bounds).contains(version, prereleases=True):
        what, mend = f"{version} is outside of what was tried ({bounds})", f"pip install '{name}{bounds}'"
        return Finding(check=name, severity=Severity.WARNING, what=what, mend=mend)
    return Finding(check=name, severity=Severity.OK, what=version)


def _private_server() -> Finding:
    from quarry.engine.binary import find_server_binary
    from quarry.errors import EngineError

    try:
        binary = find_server_binary()
    except EngineError as error:
        what, _, mend = error.message.partition(": ")
        return Finding(check="broker", severity=Severity.BROKEN, what=what, mend=mend)
    what = f"none is named: a crawl starts a server of its own, {binary}"
    return Finding(check="broker", severity=Severity.OK, what=what)


_LITTLE_BYTES = 1 << 30


def _room(path: str, free_bytes: int) -> Finding:
    what = f"{free_bytes / (1 << 30):.1f} GiB free at {path}"
    if free_bytes < _LITTLE_BYTES:
        return Finding(
            check="storage room", severity=Severity.WARNING, what=what, mend="free some, or use another disk"
        )
    return Finding(check="storage room", severity=Severity.OK, what=what)


def _python(version: tuple[int, ...]) -> Finding:
    oldest, newest = _PYTHONS
    what = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if not oldest <= version <= newest:
        mend = f"use Python {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}"
        return Finding(check="python", severity=Severity.WARNING, what=what, mend=mend)
    return Finding(check="python", severity=Severity.OK, what=what)


def _bounds() -> dict[str, str]:
    """Give the bounds of this installation by library; none where Quarry runs from its source."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in importlib.metadata.requires(_DISTRIBUTION) or ()]
    except importlib.metadata.PackageNotFoundError:
        wanted = []
    known = {requirement.name: str(requirement.specifier) for requirement in wanted}
    return {name: known.get(name, "") for name in _LIBRARIES}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
