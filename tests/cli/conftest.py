"""A folder to call the command in."""

from __future__ import annotations

import pytest

from tests.cli.commands import SCRIPT


@pytest.fixture
def work(tmp_path):
    """A working directory with one script that emits one item."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "one.py").write_text(SCRIPT)
    return folder
