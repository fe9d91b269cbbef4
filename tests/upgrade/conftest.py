from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.upgrade.history import find_commit, install_wheel, unpack_source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def old_source(tmp_path_factory) -> Path:
    """The tree of the release before this one."""
    return unpack_source(find_commit(), tmp_path_factory.mktemp("old-source"))


@pytest.fixture(scope="session")
def old_site(old_source, tmp_path_factory) -> Path:
    """Its wheel, unpacked: the folder that its workers have first on PYTHONPATH."""
    return install_wheel(old_source, tmp_path_factory.mktemp("old-wheel"))
