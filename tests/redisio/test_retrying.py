"""Waiting for a Redis that is away."""

from __future__ import annotations

import asyncio
import pickle

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from quarry.redisio import RedisRefusedError, RedisUnavailableError, Retrier, make_client


class Time:
    """A clock that pausing moves."""

    def __init__(self):
        self.now = 0.0
        self.pauses = []

    def clock(self):
        return self.now

    async def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


def failing(times, error):
    """A call that fails so often, then answers."""
    left = iter(range(times))

    async def call():
        if next(left, None) is not None:
            raise error
        return "answer"

    return call


async def test_a_call_is_repeated_until_redis_is_back():
    """With growing pauses, at most one second each."""
    time = Time()
    retrier = Retrier(60, clock=time.clock, pause=time.pause)
    assert await retrier.run(failing(20, RedisConnectionError("gone"))) == "answer"
    assert len(time.pauses) == 20
    assert max(time.pauses) <= 1.0
    assert sum(time.pauses[:3]) < 0.4


async def test_it_gives_up_when_the_time_is_over():
    """A clear error, which says that trying later may help."""
    time = Time()
    retrier = Retrier(5, clock=time.clock, pause=time.pause)
    with pytest.raises(RedisUnavailableError, match="5 s") as caught:
        await retrier.run(failing(1000, ConnectionRefusedError("refused")))
    assert caught.value.retryable is True
    assert time.now == pytest.approx(5)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


async def test_an_answer_that_is_an_error_is_not_repeated():
    """Redis is there, and refuses."""
    time = Time()
    with pytest.raises(RedisRefusedError, match="WRONGTYPE"):
        await Retrier(5, clock=time.clock, pause=time.pause).run(failing(1, ResponseError("WRONGTYPE x")))
    assert time.pauses == []


async def test_a_restart_of_the_server_is_waited_for(server, client):
    """Killed and started again on the same file: the call goes through, the data is there."""
    await client.set("x", "1")
    await client.config_set("appendfsync", "always")
    await client.set("y", "2")
    server.kill()
    waiting = asyncio.create_task(Retrier(20).run(lambda: client.get("y")))
    await asyncio.sleep(0)
    await asyncio.to_thread(server.start)
    assert await waiting == b"2"


async def test_many_calls_at_once_survive_a_restart(server, client):
    """Every pooled connection is dead; none of the calls is lost."""
    await asyncio.gather(*(client.set(f"k{i}", i) for i in range(50)))
    server.kill()
    calls = [asyncio.create_task(Retrier(20).run(lambda i=i: client.set(f"n{i}", i))) for i in range(50)]
    await asyncio.sleep(0)
    await asyncio.to_thread(server.start)
    assert all(await asyncio.gather(*calls))


async def test_a_server_that_is_not_there_is_reported_in_time(tmp_path):
    """A wrong socket path."""
    client = make_client(f"unix://{tmp_path}/none")
    with pytest.raises(RedisUnavailableError):
        await Retrier(0.2).run(client.ping)
    await client.aclose()
