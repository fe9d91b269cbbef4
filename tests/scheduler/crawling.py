"""Words in which ledger tests are written: a crawl whose jobs are names and whose clock the test turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from quarry.redisio import RedisClient, Retrier, ScriptFolder
from quarry.scheduler import Bounds, Ledger, NewJob, job_key

if TYPE_CHECKING:
    from quarry.types import Counts


class TestClock:
    """Milliseconds that only the test moves."""

    __test__ = False

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self.ms += ms


def key_of(name: str) -> str:
    """Key of the job that a test calls by this name."""
    return job_key("t.py", {"name": name})


def job(name: str, first_attempt: int = 1, parent: str | None = None) -> NewJob:
    """A job of that name, emitted by a run of the job whose name is ``parent``."""
    lineage = {} if parent is None else {"parent": key_of(parent)}
    return NewJob(
        key=key_of(name),
        payload=json.dumps({"name": name} | lineage),
        label="run:t/t",
        repr=f"({name!r})",
        first_attempt=first_attempt,
    )


def jobs(names: str, parent: str | None = None) -> list[NewJob]:
    """Jobs whose names are separated by blanks."""
    return [job(name, parent=parent) for name in names.split()]


def bounds(**changes) -> Bounds:
    """Bounds of a test crawl: none, but one run at a time, one attempt, one redelivery."""
    given = {
        "depth": None,
        "max_runs": None,
        "parallel": 1,
        "max_attempts": 1,
        "max_redeliveries": 1,
        "config": "{}",
    }
    return Bounds(**(given | changes))


class Crawl:
    """A crawl under test."""

    def __init__(self, client: RedisClient, scripts: ScriptFolder, crawl: str = "c1") -> None:
        self.client = client
        self.clock = TestClock()
        self.queue = "quarry"
        self.ledger = Ledger(
            client, crawl, queue=self.queue, scripts=scripts, retrier=Retrier(5), clock_ms=self.clock
        )

    async def begin(self, names: str = "a", *, final: bool = True, **changes):
        """Seed these roots."""
        batch = jobs(names)
        return await self.ledger.seed(
            batch, seeder="s", start=0, end=len(batch), bounds=bounds(**changes), final=final
        )

    async def messages(self) -> list[str]:
        """Names of the jobs whose messages wait, oldest first."""
        raw = await self.client.lrange(self.queue, 0, -1)
        return [self.name_in(text) for text in reversed(raw)]

    def name_in(self, text: bytes) -> str:
        """Name of the job that a message is for."""
        shown: str = json.loads(text)["headers"]["argsrepr"]
        return shown[2:-2]

    async def pop(self) -> str | None:
        """Take the oldest message, as a worker does; the name of its job."""
        text = await self.client.rpop(self.queue)
        return None if text is None else self.name_in(text)

    async def claim(self, name: str, token: str = "T1"):
        """Claim a job by name."""
        return await self.ledger.claim(key_of(name), token)

    async def admit(self, name: str, names: str, *, token: str = "T1", start: int = 0):
        """Admit children of a job."""
        return await self.ledger.admit(key_of(name), token, start, jobs(names, name))

    async def retry(
        self, name: str, n: int = 0, *, token: str = "T1", start: int = 0, names: str = "", **more
    ):
        """Ask for another attempt."""
        return await self.ledger.retry(key_of(name), token, n, start=start, batch=jobs(names, name), **more)

    async def settle(self, name: str, n: int = 0, *, token: str = "T1", names: str = "", **more):
        """Settle a job by a record."""
        given = {"succeeded": True, "attempt": 1, "depth": 0} | more
        return await self.ledger.settle(key_of(name), token=token, n=n, batch=jobs(names, name), **given)

    async def status(self, name: str) -> str:
        """Where a job stands."""
        return (await self.ledger.statuses([key_of(name)]))[key_of(name)]

    async def counts(self) -> Counts:
        """The counters, which balance."""
        counts = await self.ledger.counts()
        assert counts.imbalances() == []
        return counts
