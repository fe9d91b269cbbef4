"""Making sure that what was written is on disk before it is announced."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from quarry.redisio.errors import RedisUnavailableError
from quarry.redisio.server import read_server_info

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

LOCK_KEY = "quarry:durable"
FORMER_KEY = "quarry:durable:former"
"""The setting as it was before it was switched, with the server's run id; there only while it is switched."""
_LOCK_MS = 15_000
_LOCK_PAUSE_S = 0.02
_POLL_S = 0.1
SETTLED_S = 2.0
"""With `appendfsync everysec` a write is on disk after two seconds at the latest, if no sync waits."""


async def make_durable(
    client: Redis,
    *,
    write: Callable[[], Awaitable[None]],
    read: Callable[[], Awaitable[bool]],
    token: str,
    timeout_s: float = 60.0,
) -> None:
    """Return when one write, and with it every earlier one, is in the synced append-only file.

    A server without that file promises nothing and is not waited for. The setting is switched under a lock,
    so that one caller does not switch it back under another.

    Args:
        client: The server.
        write: Makes one write; may be repeated; raises if the server lost what the caller knows of.
        read: Says whether that write is still there.
        token: Unique to the caller; a call that is repeated after a lost reply has the same.
        timeout_s: Seconds until it gives up.

    Raises:
        RedisUnavailableError: Nothing was synced in time.
        RedisError: Whatever redis-py raises; callers map it, and may call again.
    """
    if not (await read_server_info(client)).aof:
        await write()
        return
    if not await _write_with_sync(client, write, token, timeout_s):
        await _write_and_wait(client, write, read, timeout_s)


async def _write_with_sync(
    client: Redis, write: Callable[[], Awaitable[None]], token: str, timeout_s: float
) -> bool:
    """Write while every write is synced; False where the server lets nobody change the setting."""
    deadline = time.monotonic() + timeout_s
    while not await client.set(LOCK_KEY, token, nx=True, px=_LOCK_MS):
        if await client.get(LOCK_KEY) == token.encode():
            break  # the reply to an earlier try was lost: it is ours
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOCK_PAUSE_S)
    try:
        try:
            started = (await read_server_info(client)).run_id
            former = await _switch(client, started)
        except ResponseError:
            return False
        try:
            await write()
            # A server that restarted meanwhile reads its file's setting: then the write was not synced.
            synced = (await client.config_get("appendfsync")).get("appendfsync") == "always"
            same = (await read_server_info(client)).run_id == started
        finally:
            if former:
                await client.config_set("appendfsync", former)
            await client.delete(FORMER_KEY)
        return synced and same
    finally:
        if await client.get(LOCK_KEY) == token.encode():
            await client.delete(LOCK_KEY)


async def _switch(client: Redis, run_id: str) -> str | None:
    """Have every write synced from now on; give the setting to go back to, None where it is to stay.

    A switch whose reply was lost, or whose caller died, is in place all the same, and then the server's own
    answer is that switch: what it was before is kept beside the lock until somebody has put it back. A server
    that started anew has its file's setting: no note of the old one counts.

    Raises:
        ResponseError: The server lets nobody read or change it.
    """
    current: str | None = (await client.config_get("appendfsync")).get("appendfsync")
    if current is None:
        return None  # it has no such setting: the caller sees that nothing was synced
    if current == "always":
        note = await client.get(FORMER_KEY)
        noted_of, _, noted = note.decode().partition(" ") if isinstance(note, bytes) else ("", "", "")
        return noted if noted_of == run_id else None
    await client.set(FORMER_KEY, f"{run_id} {current}")
    try:
        await client.config_set("appendfsync", "always")
    except ResponseError:
        await client.delete(FORMER_KEY)
        raise
    return current


async def _write_and_wait(
    client: Redis, write: Callable[[], Awaitable[None]], read: Callable[[], Awaitable[bool]], timeout_s: float
) -> None:
    """Write, then wait until the server's own sync must have come; from the start again if it restarted."""
    deadline = time.monotonic() + timeout_s
    started, earliest = "", 0.0
    while time.monotonic() < deadline:
        info = await read_server_info(client)
        if info.run_id != started:
            started = info.run_id
            await write()
            earliest = time.monotonic() + SETTLED_S
        elif time.monotonic() >= earliest and info.aof_pending_fsyncs == 0 and await read():
            return
        await asyncio.sleep(_POLL_S)
    raise RedisUnavailableError(
        f"Redis did not sync its append-only file within {timeout_s:g} s: see its disk and its log",
        retryable=True,
    )
