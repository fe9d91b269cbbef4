"""Real servers for the ledger's tests, one of each kind a session, emptied before each test."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from quarry.redisio import ScriptFolder, make_client
from quarry.scheduler import ledger_scripts
from tests.scheduler.crawling import Crawl
from tests.scheduler.servers import KINDS, running_server

LUA_ROOT = "LEDGER_TEST_LUA_ROOT"
"""Environment variable: another folder of Lua files (the check of the guards mutates a copy)."""


@pytest.fixture(scope="session", params=KINDS)
def server(request):
    """A server of each kind."""
    with running_server(request.param) as running:
        yield running


@pytest.fixture(scope="session")
def scripts() -> ScriptFolder:
    """The Lua files under test."""
    root = os.environ.get(LUA_ROOT)
    return ScriptFolder(Path(root)) if root else ledger_scripts()


@pytest.fixture
async def client(server):
    """A client of an empty server."""
    client = make_client(server.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def crawl(client, scripts) -> Crawl:
    """A crawl that was not begun."""
    return Crawl(client, scripts)


@pytest.fixture
def cheap_disk(tmp_path):
    """A folder in which a sync costs nothing, where there is one: a walk does thousands."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="qr-") as folder:
        yield Path(folder)
