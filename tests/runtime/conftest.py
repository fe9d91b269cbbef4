"""Executors for the runtime's tests: real processes that import nothing of Quarry."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.runtime.support import descendants

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def foreign(tmp_path_factory):
    """Path of the misbehaving single-shot executor."""
    path = tmp_path_factory.mktemp("executors") / "foreign"
    path.write_text(f"#!{sys.executable}\n{(HERE / 'foreign_executor.py').read_text()}")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def serving_argv():
    """Command of the stub of a serving executor."""
    return [sys.executable, str(HERE / "serving_executor.py"), "--serve"]


@pytest.fixture(autouse=True)
def no_executor_left():
    """No test of the runtime leaves a process behind, however its runs ended."""
    before = descendants(os.getpid())
    yield
    left = descendants(os.getpid()) - before
    assert not left, f"left behind: {left}"
