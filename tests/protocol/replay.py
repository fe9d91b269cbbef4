"""Replays a trace of the protocol's model on the real ledger and the real store, comparing after each step.

How the model's state and Quarry's belong together:

| model | Quarry |
|---|---|
| job 0, 1, 2 … | the job of that number (`key_of`) |
| run (one delivery of a job) | TOKEN `r<run>` |
| failed attempts | attempt - 1 |
| redeliveries of the attempt | deliveries of the attempt, less one while it is claimed |
| position, in events | the position, where it belongs to the TOKEN that holds the lease; else 0 |
| received, duplicate, beyond depth, over the cap | the counters of these names |
| number of jobs of each status | `admitted` and the gauges |
| stopped, closed, announced, summary | status, `announced`, the summary that lies in the dataset |
| one record a job | the final record: its TOKEN (`lost` for a reaper's) and outcome |
| a failed attempt's record | the record of the attempt, which is of the (only) run that failed |
| the step that ends the last work closes | `begin_close`, the comparison of records and ledger, `close` |
| the state that a sync has kept | DUMP of every key |
| an ended lease | its deadline is set to the past: nothing waits for a clock |
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarry.lode import Dataset
from quarry.types import OutcomeStatus
from tests.protocol.actors import CRAWL, DAY, Worker, key_of, lost_record, new_job
from tests.protocol.holding import dump, restore
from tests.scheduler.crawling import bounds

if TYPE_CHECKING:
    from quarry.lode import CommitRecord
    from quarry.redisio import RedisClient
    from quarry.scheduler import Ledger, Owed

PREFIX = f"q:{{{CRAWL}}}:"
STATUS = {1: "pending", 2: "leased", 3: "succeeded", 4: "failed", 5: "not_executed"}
OUTCOMES = {
    "ok": OutcomeStatus.SUCCESS,
    "error": OutcomeStatus.SCRIPT_ERROR,
    "lost": OutcomeStatus.EXECUTOR_CRASH,
}
_CLOSER = "closer"


class Replay:
    """One trace.

    Args:
        client: An empty server.
        ledger: Of the crawl, under `clock`.
        folder: For the dataset.
        scenario: As `make_traces` tells it.
    """

    def __init__(self, client: RedisClient, ledger: Ledger, folder: Path, scenario: dict[str, Any]) -> None:
        self._client = client
        self._ledger = ledger
        self._scenario = scenario
        self._prog = scenario["prog"]
        self._root = Path(tempfile.mkdtemp(dir=folder))
        self._dataset = Dataset.create(self._root)
        self._expected = scenario["start"]
        self._workers: dict[int, Worker] = {}
        self._flying: dict[int, CommitRecord] = {}
        self._owed: Owed | None = None
        self._saved: dict[bytes, bytes] | None = None

    async def begin(self) -> None:
        """Seed the root."""
        c = self._scenario
        given = {
            name: c[name] for name in ("depth", "parallel", "max_runs", "max_attempts", "max_redeliveries")
        }
        await self._ledger.seed([new_job(0)], seeder="s", start=0, end=1, bounds=bounds(**given), final=True)
        await self.compare()

    async def step(self, op: list[Any], changes: list[Any] | None = None) -> None:
        """Do one step, and compare."""
        was_closed = self._expected[2][1]
        if changes is not None:
            pairs = zip(changes, self._expected, strict=True)
            self._expected = [old if new is None else new for new, old in pairs]
        name, *args = op
        await getattr(self, f"on_{name}")(*args)
        if self._expected[2][1] and not was_closed:
            await self._close()
        await self.compare()

    def end(self) -> None:
        """Remove what it left."""
        for worker in self._workers.values():
            worker.close()
        shutil.rmtree(self._root)

    # -- workers

    async def on_claim(self, run: int, job: int, variant: int) -> None:
        token = f"r{run}"
        claim = await self._ledger.claim(key_of(job), token)
        assert claim.status == "ok"
        assert await self._ledger.claim(key_of(job), f"{token}x") == type(claim)(status="busy")
        batches = self._prog[job][variant]
        self._workers[run] = Worker(self._dataset, job=job, token=token, claim=claim, batches=batches)

    async def on_admit(self, run: int, batch: int, expected: str) -> None:
        worker = self._workers[run]
        start = sum(map(len, worker.batches[:batch]))
        jobs = [new_job(child, worker.job) for child in worker.batches[batch]]
        answer = await self._ledger.admit(key_of(worker.job), worker.token, start, jobs)
        assert answer.status == expected

    async def on_file(self, run: int) -> None:
        self._workers[run].write()

    async def on_script_error(self, run: int) -> None:
        self._workers[run].failed = True

    async def on_put(self, run: int) -> None:
        worker = self._workers[run]
        standing = self._dataset.put_record(worker.record())
        worker.conclude(standing)

    async def on_put_unheard(self, run: int) -> None:
        self._dataset.put_record(self._workers[run].record())

    async def on_put_attempt(self, run: int) -> None:
        worker = self._workers[run]
        standing = self._dataset.put_attempt(worker.record())
        assert standing.token == worker.token

    async def on_retry(self, run: int) -> None:
        worker = self._workers[run]
        start, batch = 0, []
        n = len(worker.events)
        while True:
            answer = await self._ledger.retry(key_of(worker.job), worker.token, n, start=start, batch=batch)
            if answer.status != "more":
                break
            start = answer.position
            batch = [new_job(child, worker.job) for child in worker.events[start:]]

    async def on_settle(self, run: int) -> None:
        await self._settle(self._workers[run].job)

    async def on_kill(self, run: int) -> None:
        self._workers.pop(run).close()

    async def on_kill_in_put(self, run: int) -> None:
        worker = self._workers.pop(run)
        self._flying[run] = worker.record()
        worker.close()

    async def on_land(self, run: int) -> None:
        self._dataset.put_record(self._flying.pop(run))

    # -- reapers, and whoever closes

    async def on_lapse(self, job: int) -> None:
        answer = await self._expire(job)
        assert answer.requeued == 1

    async def on_owe(self, job: int) -> None:
        answer = await self._expire(job)
        assert answer.requeued == 0
        (self._owed,) = [owed for owed in answer.owed if owed.key == key_of(job)]

    async def on_put_lost(self, job: int) -> None:
        assert self._owed is not None
        self._dataset.put_record(lost_record(self._owed, job))

    async def on_settle_lost(self, job: int) -> None:
        self._owed = None
        await self._settle(job)

    async def on_reaper_dies(self) -> None:
        self._owed = None

    async def on_tick(self) -> None:
        await self._ledger.expire()

    async def on_tick_closes(self) -> None:
        assert (await self._ledger.counts()).idle()

    async def on_audit(self, job: int) -> None:
        statuses = await self._ledger.statuses(self._dataset.record_keys(DAY, CRAWL))
        assert statuses[key_of(job)] in {"unknown", "not_executed"}
        await self._settle(job)

    async def on_see_closed(self) -> None:
        assert (await self._ledger.state()).status == "closed"
        await self._ledger.make_durable()
        if self._saved is not None:
            self._saved = await dump(self._client)

    async def on_summary(self) -> None:
        self._dataset.put_summary(DAY, CRAWL, {"summary": "as ever"})

    async def on_announce(self) -> None:
        await self._ledger.announce(_CLOSER)

    async def on_stop(self) -> None:
        await self._ledger.stop()

    # -- Redis

    async def on_save(self) -> None:
        self._saved = await dump(self._client)

    async def on_fall_back(self) -> None:
        assert self._saved is not None
        await restore(self._client, self._saved)
        self._saved = None

    # -- pieces

    async def _expire(self, job: int) -> Any:
        """Let the lease of one job lapse, or the time of whoever was told to end it; then look after it."""
        key = key_of(job)
        for zset in ("leases", "owed"):
            if await self._client.zscore(PREFIX + zset, key) is not None:
                await self._client.zadd(PREFIX + zset, {key: 0})
        return await self._ledger.expire()

    async def _settle(self, job: int) -> None:
        record = self._dataset.get_record(DAY, CRAWL, key_of(job))
        assert record is not None
        start, batch = 0, []
        while True:
            answer = await self._ledger.settle(
                record.key,
                token=record.token,
                n=record.enqueue_events,
                succeeded=record.outcome.status is OutcomeStatus.SUCCESS,
                attempt=record.attempt,
                depth=record.depth,
                start=start,
                batch=batch,
            )
            if answer.status != "more":
                return
            start = answer.position
            events = [payload["params"]["job"] for payload in self._dataset.enqueue_payloads(record)]
            batch = [new_job(child, job) for child in events[start:]]

    async def _close(self) -> None:
        lease = await self._ledger.begin_close(_CLOSER, 60_000)
        assert lease.status == "ok"
        statuses = await self._ledger.statuses(self._dataset.record_keys(DAY, CRAWL))
        assert set(statuses.values()) <= {"succeeded", "failed"}, statuses
        assert await self._ledger.close(_CLOSER, lease.revision) == "ok"

    # -- comparing

    async def compare(self) -> None:
        """Quarry's state is the model's."""
        jobs, counters, flags, finals, attempts = self._expected
        counts = await self._ledger.counts()
        assert counts.imbalances() == []
        found = [counts.received, counts.duplicate, counts.beyond_depth, counts.over_cap]
        assert found == counters, "received, duplicate, beyond_depth, over_cap"
        known = [job if isinstance(job, int) else job[0] for job in jobs]
        assert counts.admitted == sum(map(bool, known))
        for number, status in STATUS.items():
            assert getattr(counts, status) == known.count(number), status
        await self._compare_jobs(jobs, known)
        state = await self._ledger.state()
        assert [int(state.stopped), int(state.status == "closed"), int(state.announced)] == flags[:3]
        assert int(self._dataset.get_summary(DAY, CRAWL) is not None) == flags[3]
        shown = []
        for record in self._dataset.records(DAY, CRAWL):
            told = next(word for word, status in OUTCOMES.items() if status is record.outcome.status)
            run = 0 if told == "lost" else int(record.token.removeprefix("r"))
            shown.append([record.job["job"], run, told])
        assert sorted(shown) == finals
        put = self._root / "datasets/quarry/attempts" / f"day={DAY}" / f"crawl={CRAWL}"
        assert sorted(int(json.loads(p.read_bytes())["token"][1:]) for p in put.glob("*.json")) == attempts

    async def _compare_jobs(self, jobs: list[Any], known: list[int]) -> None:
        keys = [key_of(job) for job in range(len(jobs))]
        statuses = await self._ledger.statuses(keys)
        states = await self._client.hmget(PREFIX + "st", keys)
        for job, (key, text) in enumerate(zip(keys, states, strict=True)):
            assert statuses[key] == (STATUS[known[job]] if known[job] else "unknown"), f"job {job}"
            if isinstance(jobs[job], int):
                continue
            _, depth, fails, lost, run, position = jobs[job]
            real = json.loads(text)
            token = real.get("t", "") if known[job] == 2 else ""
            place = real["p"] if token and real["q"] == token else 0
            found = (real["d"], real["a"] - 1, real["v"] - bool(token), token, place)
            assert found == (depth, fails, lost, f"r{run}" if run else "", position), f"job {job}"
