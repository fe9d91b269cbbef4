"""Every store passes the shipped suite."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from fakeredis import FakeAsyncRedis

from quarry.recency import MemoryRecency, RedisRecency
from quarry.redisio import make_client
from quarry.testing import RecencyStoreSuite

pytestmark = pytest.mark.clause("PROXY-13")


class TestMemory(RecencyStoreSuite):
    """In memory."""

    @asynccontextmanager
    async def open_store(self, clock_ms):
        """Open a store of this kind."""
        yield MemoryRecency(clock_ms)


class TestFakeRedis(RecencyStoreSuite):
    """The Lua files without a server."""

    @asynccontextmanager
    async def open_store(self, clock_ms):
        """Open a store of this kind."""
        client = FakeAsyncRedis()
        yield RedisRecency(client, clock_ms=clock_ms)
        await client.aclose()


class TestServers(RecencyStoreSuite):
    """The Lua files in Redis and in Valkey."""

    @pytest.fixture(autouse=True)
    def _with_server(self, server):
        self.server = server

    @asynccontextmanager
    async def open_store(self, clock_ms):
        """Open a store of this kind."""
        client = make_client(self.server.url)
        await client.flushall()
        yield RedisRecency(client, clock_ms=clock_ms)
        await client.aclose()
