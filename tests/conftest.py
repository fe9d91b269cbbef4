"""What all tests share: a clean environment, a local web site, services, and no process left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

import pytest

from tests import local_site, services

MARK = "PYTEST_QUARRY_SESSION"
"""Environment variable that every process of this test session inherits."""


def pytest_configure(config: pytest.Config) -> None:
    """Make every test's environment the same, whoever runs it: no settings and no state of the user's.

    The first process of the session decides; the workers of xdist inherit from it.
    """
    if MARK in os.environ:
        return
    os.environ[MARK] = uuid.uuid4().hex
    for name in [name for name in os.environ if name.startswith("QUARRY_") and name != "QUARRY_LONG"]:
        del os.environ[name]
    if os.geteuid() == 0:
        os.environ["QUARRY_NO_SANDBOX"] = "1"  # a browser refuses its sandbox to root
    state = tempfile.mkdtemp(prefix="quarry-tests-")
    os.environ["XDG_STATE_HOME"] = state
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))


@pytest.fixture(scope="session", autouse=True)
def no_process_left_behind():
    """Whatever the tests of this process started has ended when they are done, or ends in ten seconds."""
    yield
    deadline = time.monotonic() + 10
    while (left := _processes_of_this_session()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, f"processes left behind by the tests of this session: {left}"


def _processes_of_this_session() -> dict[int, str]:
    """Processes that were started by the tests of this pytest process: command line by process id."""
    marks = {f"{MARK}={os.environ[MARK]}".encode()}
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        marks.add(f"PYTEST_XDIST_WORKER={worker}".encode())
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != os.getpid() and marks <= set((entry / "environ").read_bytes().split(b"\0")):
                found[int(entry.name)] = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
    return found


@pytest.fixture
def require_service():
    """Function that gives a service's path by name; a missing one fails in CI and skips elsewhere."""
    return services.require_service


@pytest.fixture
def serve_site():
    """Function that serves a folder, or answers by path, on loopback; ends with the test."""
    with contextlib.ExitStack() as sites:
        yield lambda folder=None, answers=None: sites.enter_context(local_site.LocalSite(folder, answers))
