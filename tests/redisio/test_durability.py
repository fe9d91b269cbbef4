"""`make_durable`: what was announced survives a crash of the server."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.exceptions import NoPermissionError

from quarry.redisio import RedisUnavailableError, make_client, make_durable
from quarry.redisio.durability import FORMER_KEY, LOCK_KEY, SETTLED_S


def steps(client, key="mark"):
    """The write of a caller, and its way to look whether it is there."""

    async def write():
        await client.set(key, "1")

    async def read():
        return await client.get(key) == b"1"

    return {"write": write, "read": read}


async def test_what_was_written_before_survives_a_kill(server, client):
    """No second has to pass."""
    for i in range(100):
        await client.set(f"k{i}", i)
    before = time.monotonic()
    await make_durable(client, **steps(client), token="t")
    assert time.monotonic() - before < SETTLED_S
    server.kill()
    server.start()
    assert await client.get("k99") == b"99"


async def test_the_setting_is_as_it_was(client):
    """Also when many do it at once: nobody finds another's setting and keeps it."""
    await asyncio.gather(*(make_durable(client, **steps(client, f"m{i}"), token=f"t{i}") for i in range(20)))
    assert (await client.config_get("appendfsync"))["appendfsync"] == "everysec"
    assert await client.exists(LOCK_KEY) == 0


async def test_a_write_that_fails_leaves_the_setting_as_it_was(client):
    """The crawl is gone, say."""

    async def write():
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        await make_durable(client, write=write, read=steps(client)["read"], token="t")
    assert (await client.config_get("appendfsync"))["appendfsync"] == "everysec"
    assert await client.exists(LOCK_KEY) == 0


@pytest.mark.clause("LEDGER-36")
async def test_a_switch_that_was_left_in_place_is_undone_by_the_next(server, client):
    """Its holder could not switch back: the next one finds `always` and knows what it was before."""
    access = {"enabled": True, "passwords": ["+x"], "keys": "*"}
    await client.acl_setuser("holder", **access, commands=["+@all"])
    holder = make_client(server.url.replace("unix://", "unix://holder:x@"))

    async def write():
        await client.acl_setuser("holder", **access, commands=["+@all", "-config"])

    with pytest.raises(NoPermissionError):
        await make_durable(holder, write=write, read=steps(client)["read"], token="t")
    await holder.aclose()
    assert (await client.config_get("appendfsync"))["appendfsync"] == "always"
    for token in ("next", "after"):
        await make_durable(client, **steps(client), token=token)
        assert (await client.config_get("appendfsync"))["appendfsync"] == "everysec"
        assert await client.exists(LOCK_KEY, FORMER_KEY) == 0


@pytest.mark.clause("LEDGER-36")
@pytest.mark.parametrize("note", [None, "another-server no"])
async def test_a_setting_that_is_the_servers_own_is_kept(client, note):
    """`always` of its configuration stays; what was noted of a server that is no more does not count."""
    await client.config_set("appendfsync", "always")
    if note is not None:
        await client.set(FORMER_KEY, note)
    await make_durable(client, **steps(client), token="t")
    assert (await client.config_get("appendfsync"))["appendfsync"] == "always"
    assert await client.exists(LOCK_KEY, FORMER_KEY) == 0


async def test_a_server_without_a_file_is_not_waited_for(client):
    """It promises nothing."""
    await client.config_set("appendonly", "no")
    before = time.monotonic()
    await make_durable(client, **steps(client), token="t")
    assert time.monotonic() - before < 1


@pytest.fixture
async def denied(server, client):
    """A client that may not change the server's configuration."""
    await client.acl_setuser(
        "worker", enabled=True, passwords=["+x"], keys="*", commands=["+@all", "-config"]
    )
    restricted = make_client(server.url.replace("unix://", "unix://worker:x@"))
    with pytest.raises(NoPermissionError):
        await restricted.config_get("appendfsync")
    yield restricted
    await restricted.aclose()


async def test_where_the_configuration_is_denied_two_seconds_are_waited(denied):
    """Then the write is in the file, if no sync waits, and the server is the same."""
    before = time.monotonic()
    await make_durable(denied, **steps(denied), token="t")
    assert SETTLED_S <= time.monotonic() - before < SETTLED_S + 3


async def test_a_restart_while_waiting_begins_again(server, client):
    """Two seconds of one server say nothing of the next: the write is made, and waited for, once more."""
    await client.config_set("appendfsync", "always")
    await client.acl_setuser("default", enabled=True, nopass=True, keys="*", commands=["+@all", "-config"])
    calls, writes = steps(client), []

    async def write():
        writes.append(time.monotonic())
        await calls["write"]()
        if len(writes) == 1:
            server.kill()
            await asyncio.to_thread(
                server.start, "--user", *["default", "on", "nopass", "~*", "+@all", "-config"]
            )

    await make_durable(client, write=write, read=calls["read"], token="t")
    assert len(writes) == 2
    assert time.monotonic() - writes[1] >= SETTLED_S


async def test_a_disk_that_never_syncs_is_an_error(client):
    """Here: the write never shows up."""
    await client.acl_setuser("default", enabled=True, nopass=True, keys="*", commands=["+@all", "-config"])

    async def read():
        return False

    with pytest.raises(RedisUnavailableError, match="sync"):
        await make_durable(client, write=steps(client)["write"], read=read, token="t", timeout_s=2.5)
