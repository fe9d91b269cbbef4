"""The client's settings, and what the server says of itself."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from quarry.redisio import make_client, ping, read_server_info


def test_every_connection_times_out_and_looks_after_its_health():
    """Half-open connections were seen to hang for ever without."""
    settings = make_client("redis://h:1/2").connection_pool.connection_kwargs
    assert settings["socket_timeout"] == 10
    assert settings["socket_connect_timeout"] == 5
    assert settings["socket_keepalive"] is True
    assert settings["health_check_interval"] == 10
    assert settings["db"] == 2
    assert make_client("unix:///tmp/s?db=1").connection_pool.connection_kwargs["path"] == "/tmp/s"


async def test_a_server_that_hangs_is_noticed(server, monkeypatch):
    """Stopped, not dead: the socket is open and nothing comes."""
    import signal

    monkeypatch.setattr("quarry.redisio.client.SOCKET_TIMEOUT_S", 0.2)
    client = make_client(server.url)
    await client.ping()
    server._process.send_signal(signal.SIGSTOP)
    try:
        before = time.monotonic()
        with pytest.raises((RedisTimeoutError, RedisConnectionError)):
            await client.get("x")
        assert time.monotonic() - before < 5
    finally:
        server._process.send_signal(signal.SIGCONT)
    await client.aclose()


async def test_more_calls_than_connections_wait_their_turn(server):
    """A burst does not open a thousand sockets, and fails none of its calls."""
    client = make_client(server.url, max_connections=3)
    assert all(await asyncio.gather(*(client.set(f"k{i}", i) for i in range(200))))
    assert len(await client.client_list()) <= 3
    await client.aclose()


async def test_the_server_says_what_promises_depend_on(server, client):
    """Version, start, append-only file, eviction."""
    info = await read_server_info(client)
    assert int(info.version.split(".")[0]) >= 6
    assert (len(info.run_id), info.aof, info.evicts_keys) == (40, True, False)
    assert info.used_memory_bytes > 0
    await client.config_set("maxmemory-policy", "allkeys-lru")
    assert (await read_server_info(client)).evicts_keys is True


async def test_ping_answers_whether_it_is_there(server, client):
    """And raises nothing when it is not."""
    assert await ping(client) is True
    server.kill()
    assert await ping(client) is False
