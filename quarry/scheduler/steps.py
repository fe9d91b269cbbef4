"""How a step is called: keys, arguments, waiting for Redis, refusals."""

from __future__ import annotations

import asyncio
import json
import os
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from quarry.errors import LedgerMissingError, SchedulerError
from quarry.redisio import Retrier, ScriptFolder
from quarry.scheduler.names import Names, bucket_field
from quarry.types import new_token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quarry.redisio import RedisClient
    from quarry.scheduler.jobs import NewJob

MAX_BATCH = 500
"""Jobs a Lua call is given at most, so that none holds Redis for long."""


def ledger_scripts() -> ScriptFolder:
    """Open the ledger's Lua files of this installation."""
    return ScriptFolder(files("quarry.scheduler").joinpath("lua"))


class Steps:
    """Calls the Lua steps of one crawl. Every step is atomic and may be repeated after a lost reply.

    Args:
        client: Redis that holds both ledger and broker, answering bytes.
        crawl: Crawl id.
        queue: The broker's list.
        scripts: The Lua files; shared by the ledgers of a process, they are read once.
        retrier: How long an absent Redis is waited for.
        clock_ms: Overrides Redis TIME in tests; None for Redis' own.
    """

    def __init__(
        self,
        client: RedisClient,
        crawl: str,
        *,
        queue: str = "quarry",
        scripts: ScriptFolder | None = None,
        retrier: Retrier | None = None,
        clock_ms: Callable[[], int] | None = None,
    ) -> None:
        self._client = client
        self._crawl = crawl
        self._names = Names(crawl, queue)
        self._scripts = scripts or ledger_scripts()
        self._retrier = retrier or Retrier()
        # One token for all its syncs: a lock that comes back with a Redis that fell back is known as its own.
        self._sync_token = new_token()
        self._syncing = asyncio.Lock()
        self._clock_ms = clock_ms

    @property
    def crawl(self) -> str:
        """Crawl id."""
        return self._crawl

    async def _step(
        self,
        name: str,
        args: Sequence[bytes | str | int] = (),
        *,
        own_key: str | None = None,
        keys: Sequence[str] = (),
        missing_ok: bool = False,
    ) -> list[Any]:
        """Call one step.

        Args:
            name: Lua file.
            args: Arguments from ARGV[4] on.
            own_key: Job that the step is about; its bucket is KEYS[12].
            keys: Buckets from KEYS[13] on.
            missing_ok: Give ``[b"missing"]`` instead of raising.

        Raises:
            LedgerMissingError: The crawl is not in this Redis.
            SchedulerError: The ledger was written by a newer Quarry.
            RedisUnavailableError: Redis stayed away.
            RedisRefusedError: Redis refused.
        """
        own = self._names.bucket(own_key) if own_key else self._names.fixed[0]
        now = "" if self._clock_ms is None else self._clock_ms()
        script = self._scripts.get(name)
        all_keys = (*self._names.fixed, own, *keys)
        all_args = (now, self._crawl, _message_prefix(), *args)
        reply: list[Any] = await self._retrier.run(lambda: script.run(self._client, all_keys, all_args))
        if reply[0] == b"missing" and not missing_ok:
            raise LedgerMissingError(
                f"crawl {self._crawl} is not in this Redis: it never was, it expired, or Redis lost its data"
            )
        if reply[0] == b"newer":
            raise SchedulerError(f"crawl {self._crawl} was begun by a newer Quarry: upgrade this one")
        return reply

    def _batch(self, batch: Sequence[NewJob]) -> tuple[list[str], list[bytes | str | int]]:
        """Give buckets and arguments of jobs, in order."""
        args: list[bytes | str | int] = []
        for job in batch:
            args += (job.key, bucket_field(job.key), job.first_attempt, job.payload, _message(job))
        return [self._names.bucket(job.key) for job in batch], args


def _message(job: NewJob) -> str:
    """Give the part of the Celery headers that a job brings along, as JSON without its braces."""
    queue = f',"quarry_queue":{json.dumps(job.queue)}' if job.queue else ""
    return f'"shadow":{json.dumps(job.label)},"argsrepr":{json.dumps(job.repr)}{queue}'


def _message_prefix() -> str:
    """Make the first 24 characters of a version 4 UUID; Lua appends a counter of 12 hex digits."""
    digits = os.urandom(9).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-8{digits[15:]}-"
