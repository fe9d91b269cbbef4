"""The ledger once more, in plain Python and without Redis: what the Lua steps are compared with.

Written from the table of steps, not from the Lua: one dictionary of jobs, one of counters, and the broker's list.
Jobs are named by strings; events are lists of such names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

COUNTERS = (
    *("seeds", "received", "admitted", "duplicate", "beyond_depth", "over_cap"),
    *("replayed", "unread", "redeliveries"),
)
STATES = ("pending", "leased", "committing", "succeeded", "failed", "not_executed")


@dataclass
class Job:
    """One admitted job, or one that is being settled and was not counted yet (`status` None)."""

    status: str | None
    depth: int
    key: str = ""
    attempt: int = 1
    deliveries: int = 0
    token: str | None = None
    position: int = 0
    owner: str = ""
    kept: dict[int, int] = field(default_factory=dict)
    retried_by: str | None = None
    owed_ms: int | None = None
    place: int = 0
    record_depth: int | None = None
    published_ms: int = 0
    deadline_ms: int = 0

    @property
    def final(self) -> bool:
        return self.status in {"succeeded", "failed"}

    def holds(self, token: str) -> bool:
        return self.status == "leased" and self.token == token and self.owed_ms is None


class LedgerModel:
    """The steps, each with the answer that the real one must give."""

    def __init__(self, key_of, *, depth, max_runs, parallel, max_attempts, max_redeliveries):
        self.key_of = key_of
        self.depth, self.max_runs, self.parallel = depth, max_runs, parallel
        self.max_attempts, self.max_redeliveries = max_attempts, max_redeliveries
        self.lease_ms, self.claim_ms, self.grace_ms = 60_000, 900_000, 10_000
        self.jobs: dict[str, Job] = {}
        self.queue: list[tuple[str, int]] = []
        self.status, self.seeded = "seeding", False
        self.place = self.revision = self.offset = 0
        self.close_holder: str | None = None
        self.n = dict.fromkeys(COUNTERS, 0)

    # -- reading

    def gauge(self, status: str) -> int:
        return sum(job.status == status for job in self.jobs.values())

    def counts(self) -> dict[str, int]:
        deepest = max((job.depth for job in self.jobs.values() if job.status), default=0)
        gauges = {status: self.gauge(status) for status in STATES}
        return self.n | gauges | {"max_depth_seen": deepest, "seeding": int(self.status == "seeding")}

    def seedable(self) -> bool:
        """Whether a seeder still reads: while the hold is there, or stopped before the last line."""
        return self.status == "seeding" or (self.status == "stopped" and not self.seeded)

    def idle(self) -> bool:
        return self.status != "seeding" and not any(map(self.gauge, ("pending", "leased", "committing")))

    def status_of(self, name: str) -> str:
        job = self.jobs.get(name)
        return (job and job.status) or "unknown"

    # -- pieces

    def enter(self, job: Job) -> None:
        self.place += 1
        job.place, job.status = self.place, "pending"

    def receive(self, name: str, depth: int) -> None:
        self.n["received"] += 1
        if name in self.jobs:
            self.n["duplicate"] += 1
        elif self.depth is not None and depth > self.depth:
            self.n["beyond_depth"] += 1
        elif self.max_runs is not None and self.n["admitted"] >= self.max_runs:
            self.n["over_cap"] += 1
        else:
            self.n["admitted"] += 1
            job = self.jobs[name] = Job(None, depth, self.key_of(name))
            if self.status == "stopped":
                job.status = "not_executed"
            else:
                self.enter(job)

    def dispatch(self, now: int) -> None:
        while self.status in {"seeding", "open"} and self.gauge("leased") < self.parallel:
            waiting = [item for item in self.jobs.items() if item[1].status == "pending"]
            if not waiting:
                return
            name, job = min(waiting, key=lambda item: (item[1].depth, item[1].place))
            job.status, job.token, job.published_ms = "leased", None, now
            self.queue.append((name, now))

    def advance(
        self, job: Job, token: str, start: int, events: list[str], *, limit: float, dropped: int = 0
    ) -> None:
        if job.owner != token:
            self.n["replayed"] += job.position
            job.position, job.owner = 0, token
        if start > job.position:
            return
        for at, name in enumerate(events, start):
            if job.position <= at < limit:
                depth = job.depth if job.record_depth is None else job.record_depth
                self.receive(name, depth + 1)
                job.position = at + 1
        for at in range(start + len(events), start + len(events) + dropped):
            if job.position <= at < limit:
                self.n["received"] += 1
                self.n["duplicate"] += 1
                job.position = at + 1

    def trim(self, job: Job, n: int) -> None:
        self.n["replayed"] += max(0, job.position - n)
        job.position = min(job.position, n)

    # -- steps

    def seed(self, start: int, names: list[str], *, final: bool, now: int) -> str:
        if start != self.offset:
            return "offset"
        if self.status == "stopped":
            self.n["unread"] += len(names)
            self.offset += len(names)
            self.revision += 1
            return "stopped"
        if self.status != "seeding":
            return "refused"
        for at, name in enumerate(names):
            if self.max_runs is not None and self.n["admitted"] >= self.max_runs:
                self.n["unread"] += len(names) - at
                break
            self.n["seeds"] += 1
            self.receive(name, 0)
        self.offset += len(names)
        if final or (self.max_runs is not None and self.n["admitted"] >= self.max_runs):
            self.status, self.seeded = "open", True
        self.dispatch(now)
        self.revision += 1
        return "ok"

    def claim(self, name: str, token: str, now: int) -> tuple:
        job = self.jobs.get(name)
        if job is None or job.status != "leased" or job.owed_ms is not None:
            return ("gone",)
        if job.token not in {None, token}:
            return ("busy",)
        if job.token is None:
            job.token, job.deadline_ms = token, now + self.lease_ms
            job.deliveries += 1
            self.revision += 1
        last = job.attempt >= self.max_attempts
        return ("ok", job.depth, job.attempt, job.deliveries, last, self.status == "stopped")

    def admit(self, name: str, token: str, start: int, events: list[str], now: int) -> tuple:
        job = self.jobs.get(name)
        if job is None or not job.holds(token):
            return ("lost", 0)
        known = job.position if job.owner == token else 0
        if start > known:
            return ("gap", known)
        self.advance(job, token, start, events, limit=float("inf"))
        self.dispatch(now)
        self.revision += 1
        return ("ok", job.position)

    def beat(self, name: str, token: str, now: int) -> bool:
        job = self.jobs.get(name)
        if job is None or not job.holds(token):
            return False
        job.deadline_ms = now + self.lease_ms
        return True

    def retry(self, name, token, record_token, n, *, start, events, dropped, now) -> tuple:
        job = self.jobs.get(name)
        if job is not None and not job.final and job.retried_by == token:
            return ("ok", n)
        if job is None or not job.holds(token):
            return ("lost", 0)
        self.advance(job, record_token, start, events, limit=n, dropped=dropped)
        answer = ("more", job.position)
        if job.position >= n:
            self.trim(job, n)
            if job.attempt >= self.max_attempts or self.status == "stopped":
                answer = ("final", n)
            else:
                answer = ("ok", n)
                job.kept[job.attempt] = n
                job.attempt += 1
                job.deliveries, job.position, job.owner, job.token, job.retried_by = 0, 0, "", None, token
                self.enter(job)
        self.dispatch(now)
        self.revision += 1
        return answer

    def settle(self, name, token, n, *, succeeded, attempt, depth, start, events, dropped, now) -> tuple:
        job = self.jobs.get(name)
        if job is not None and job.final:
            return ("closed" if self.idle() else "already", n)
        if self.status == "closed":
            return ("closed", 0)
        if job is None:
            job = self.jobs[name] = Job(None, depth, self.key_of(name), attempt)
        if job.status == "not_executed" and job.record_depth is None:
            job.record_depth = depth  # its own was forgotten with its state
        self.advance(job, token, start, events, limit=n, dropped=dropped)
        if job.position < n:
            position = job.position
            self.dispatch(now)
            self.revision += 1
            return ("more", position)
        self.trim(job, n)
        if job.status is None:
            for counter in ("received", "admitted", "replayed"):
                self.n[counter] += 1
        job.status = "succeeded" if succeeded else "failed"
        self.n["replayed"] += sum(kept for of, kept in job.kept.items() if of >= attempt)
        job.owed_ms = None
        self.dispatch(now)
        self.revision += 1
        return ("closed" if self.idle() else "ok", n)

    def expire(self, now: int) -> tuple:
        requeued = republished = 0
        changed = False
        lapsed = [j for j in self.jobs.values() if j.status == "leased" and j.token and j.owed_ms is None]
        for job in sorted((j for j in lapsed if j.deadline_ms <= now), key=lambda j: (j.deadline_ms, j.key)):
            changed = True
            if self.status != "stopped" and job.deliveries <= self.max_redeliveries:
                self.enter(job)
                self.n["redeliveries"] += 1
                requeued += 1
            else:
                job.owed_ms = now
        lost_before = self.queue[0][1] - 1 if self.queue else now
        stale = max(min(lost_before, now - self.grace_ms), now - self.claim_ms)
        for name, job in self.jobs.items():
            if job.status == "leased" and job.token is None and job.published_ms <= stale:
                job.published_ms = now
                self.queue.append((name, now))
                republished += 1
        before = len(self.queue)
        self.dispatch(now)
        owed = []
        for name, job in self.jobs.items():
            if job.owed_ms is not None and job.owed_ms <= now:
                job.owed_ms = now + self.lease_ms
                reason = "lost" if job.deliveries else "stopped"
                owed.append((name, job.attempt, job.deliveries, job.token or "", job.depth, reason))
        self.revision += changed or len(self.queue) > before
        return republished, requeued, sorted(owed)

    def stop(self, now: int) -> int:
        self.status = "stopped"
        ended = 0
        for job in self.jobs.values():
            if job.status == "pending" and job.owed_ms is None:
                if job.deliveries == 0 and job.attempt == 1:
                    job.status = "not_executed"
                    ended += 1
                else:
                    job.owed_ms = now
        self.revision += 1
        return ended

    def close(self, revision: int) -> str:
        if self.status == "closed":
            return "already"
        if not self.idle():
            return "not_idle"
        if revision != self.revision:
            return "changed"
        self.status = "closed"
        return "ok"
