"""Fail points: every ledger step, Redis command and storage operation of a process, numbered as it begins.

Point k lies before operation k, and so behind operation k - 1: what Redis and the disk hold is the same in both
places, and a process that is killed there never tells which it was. What lies inside of one operation is not cut up
here: a step is one Lua script, and `tests/lode/test_crash.py` cuts the storage operations into system calls.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from quarry.lode import Dataset, RunWriter
from quarry.scheduler import ledger_scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STORE = (
    *("put_record", "put_attempt", "get_record", "get_attempt", "record_keys", "records", "attempts"),
    *("enqueue_payloads", "put_summary", "get_summary", "put_index", "drop_live", "drop_files"),
)
WRITER = ("append", "append_chunk", "put_file", "seal", "drop_live", "discard")

READS = frozenset(
    {
        *(f"ledger.{step}" for step in ("state", "counts", "statuses")),
        *(f"redis.{command}" for command in ("get", "info", "config get", "smembers", "ping", "time")),
        *(f"store.{name}" for name in ("get_record", "get_attempt", "record_keys", "records", "attempts")),
        *("store.enqueue_payloads", "store.get_summary"),
    }
)
"""Operations that change nothing: the point before one is the point before the next."""


@dataclass
class Orders:
    """What befalls a process.

    Attributes:
        kill_at: Point at which it kills itself.
        kill_before: Name of an operation before whose first it kills itself.
        lose: Redis command whose reply is lost, by the number of its point: it is carried out, and the caller is
            told that the connection broke.
        ask: What to ask of the test at a point, before going on.
    """

    kill_at: int | None = None
    kill_before: str = ""
    lose: int | None = None
    ask: dict[int, str] = field(default_factory=dict)


class Points:
    """Counts the points of this process and says which it has reached, a line of JSON each."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._count = 0
        self._lock = threading.Lock()

    def reach(self, name: str) -> int:
        """Come to the point before an operation; give its number."""
        with self._lock:
            self._count += 1
            number = self._count
            say({"point": name})
            if number == self._orders.kill_at or name == self._orders.kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
            if word := self._orders.ask.get(number):
                say({"ask": word})
                sys.stdin.readline()
            return number

    def loses(self, number: int) -> bool:
        """Whether the reply of this operation is lost."""
        return number == self._orders.lose


def say(message: dict[str, Any]) -> None:
    """Tell the test; whole and at once, so that it is known of a process that was killed."""
    os.write(1, json.dumps(message).encode() + b"\n")


@contextmanager
def instrument(points: Points) -> Iterator[None]:
    """Put a point before every operation of this process."""
    former = Redis.execute_command
    steps = step_names()

    async def execute(self: Redis, *args: Any, **options: Any) -> Any:
        number = points.reach(command_name(args, steps))
        reply = await former(self, *args, **options)
        if points.loses(number):
            raise RedisConnectionError("the reply was lost")
        return reply

    changed: list[tuple[type, str, Any]] = [(Redis, "execute_command", former)]
    Redis.execute_command = execute  # type: ignore[method-assign]
    for owner, prefix, names in ((Dataset, "store", STORE), (RunWriter, "writer", WRITER)):
        for name in names:
            method = getattr(owner, name)
            changed.append((owner, name, method))
            setattr(owner, name, _with_point(points, f"{prefix}.{name}", method))
    try:
        yield
    finally:
        for owner, name, method in changed:
            setattr(owner, name, method)


def _with_point(points: Points, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        points.reach(name)
        return method(*args, **options)

    return call


def step_names() -> dict[str, str]:
    """Names of the ledger's steps by the SHA-1 of their scripts; a later version of a step is that step."""
    scripts = ledger_scripts()
    return {scripts.get(name).sha: name.partition("_v")[0] for name in scripts.names()}


def command_name(args: tuple[Any, ...], steps: dict[str, str]) -> str:
    """Give the name of a point before a Redis command."""
    command = str(args[0]).lower()
    if command == "evalsha":
        return f"ledger.{steps[args[1]]}"
    if command == "eval":
        return f"ledger.{steps[hashlib.sha1(args[1].encode()).hexdigest()]}"
    return f"redis.{command}"
