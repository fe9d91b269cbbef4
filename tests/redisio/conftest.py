"""Private servers with an append-only file, one a test: tests here kill them."""

from __future__ import annotations

import pytest

from quarry.redisio import make_client
from tests.scheduler.servers import KINDS, running_server


@pytest.fixture(params=KINDS)
def server(request):
    """A server of each kind, with an append-only file."""
    with running_server(request.param, aof=True) as running:
        yield running


@pytest.fixture
async def client(server):
    """A client of it."""
    client = make_client(server.url)
    yield client
    await client.aclose()
