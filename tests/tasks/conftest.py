from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine_kit import Bench, server_binary

from quarry.engine import EmbeddedWorker, PrivateServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """One real server for a module."""
    private = PrivateServer(tmp_path_factory.mktemp("server"), binary=server_binary("redis-server"))
    private.start()
    yield private
    private.stop()


@pytest.fixture
def bench(server: PrivateServer, tmp_path: Path) -> Iterator[Bench]:
    """An empty Redis and a folder of this test's own."""
    made = Bench(tmp_path, server.url)
    made.client.flushall()
    yield made
    made.close()


@pytest.fixture
def worker(bench: Bench) -> Iterator[EmbeddedWorker]:
    """A running worker with 16 slots and the recording deliverer."""
    made = bench.worker()
    made.start()
    yield made
    made.kill()
